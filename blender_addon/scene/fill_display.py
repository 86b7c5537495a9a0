"""What no photo shows: points that continue the background behind depth edges, shown, marked in a colour, or hidden."""

from __future__ import annotations

import bpy

from .points import COLOUR, INVENTED

NAME = "Image to 3D Filled"
MODES = [
    ("SHOW", "Show", "Filled points look like the background that they continue"),
    ("MARK", "Mark", "Filled points in magenta: they were invented, not photographed"),
    ("HIDE", "Hide", "Only what the photo shows"),
]
MARK = (1.0, 0.0, 0.6, 1.0)
"""Colour of marked points, linear RGBA: rare in photos."""


def has_filled(obj: bpy.types.Object) -> bool:
    """Whether some points of an object were invented."""
    return INVENTED in obj.data.attributes


def apply(obj: bpy.types.Object, mode: str) -> None:
    """Show the invented points of a point object in one of :data:`MODES`; before all other modifiers, which then see the rest."""
    found = next((m for m in obj.modifiers if m.type == "NODES" and m.node_group and _is_ours(m.node_group)), None)
    if mode == "SHOW" or not has_filled(obj):
        if found is not None:
            obj.modifiers.remove(found)
        return
    if found is None:
        found = obj.modifiers.new("Filled", "NODES")
        obj.modifiers.move(len(obj.modifiers) - 1, 0)
    found.node_group = _tree(mode)
    obj.update_tag(refresh={"DATA"})


def _is_ours(tree: bpy.types.NodeTree) -> bool:
    return tree.name.startswith(NAME)


def _tree(mode: str) -> bpy.types.NodeTree:
    name = f"{NAME} {mode.capitalize()}"
    tree = bpy.data.node_groups.get(name)
    if tree is not None:
        return tree
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    invented = tree.nodes.new("GeometryNodeInputNamedAttribute")
    invented.data_type = "BOOLEAN"
    invented.inputs["Name"].default_value = INVENTED
    if mode == "HIDE":
        change = tree.nodes.new("GeometryNodeDeleteGeometry")
        change.domain = "POINT"
    else:
        change = tree.nodes.new("GeometryNodeStoreNamedAttribute")
        change.data_type, change.domain = "FLOAT_COLOR", "POINT"
        change.inputs["Name"].default_value = COLOUR
        value = next(s for s in change.inputs if s.name == "Value" and s.enabled)
        value.default_value = MARK
    tree.links.new(start.outputs[0], change.inputs["Geometry"])
    tree.links.new(next(s for s in invented.outputs if s.name == "Attribute" and s.enabled), change.inputs["Selection"])
    tree.links.new(change.outputs["Geometry"], end.inputs[0])
    for column, node in enumerate((start, invented, change, end)):
        node.location = (200 * column, -150 if node == invented else 0)
    return tree
