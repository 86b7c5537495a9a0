"""Pieces of node trees, of geometry and of materials, and how a modifier's inputs are set in each Blender."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

Value = bpy.types.NodeSocket | float | tuple[float, ...]
"""What feeds the input of a node: what another node gives, or a constant."""


def modifier(obj: bpy.types.Object, name: str) -> bpy.types.Modifier | None:
    """The modifier of ``obj`` whose node tree is the one of that name, or a copy of it."""
    for found in obj.modifiers:
        if found.type == "NODES" and found.node_group is not None and found.node_group.name.startswith(name):
            return found
    return None


def set_inputs(nodes: bpy.types.NodesModifier, values: dict[str, object]) -> None:
    """Set inputs of a modifier by their names."""
    sockets = {item.name: item.identifier for item in nodes.node_group.interface.items_tree if item.in_out == "INPUT"}
    for name, value in values.items():
        if hasattr(nodes, "properties"):  # Blender ≥ 5.2
            getattr(nodes.properties.inputs, sockets[name]).value = value
        else:
            nodes[sockets[name]] = value
    nodes.id_data.update_tag(refresh={"DATA"})


def attribute(tree: bpy.types.NodeTree, name: str, kind: str) -> bpy.types.NodeSocket:
    """A named attribute; zero where there is none."""
    node = tree.nodes.new("GeometryNodeInputNamedAttribute")
    node.data_type = kind
    node.inputs["Name"].default_value = name
    return node.outputs["Attribute"]


def math(tree: bpy.types.NodeTree, operation: str, *values: Value) -> bpy.types.NodeSocket:
    """A math node of sockets or numbers."""
    return _operation(tree, "ShaderNodeMath", operation, values).outputs[0]


def vector_math(tree: bpy.types.NodeTree, operation: str, *values: Value) -> bpy.types.Node:
    """A vector math node of sockets, vectors or numbers."""
    return _operation(tree, "ShaderNodeVectorMath", operation, values)


def _operation(tree: bpy.types.NodeTree, kind: str, operation: str, values: Iterable[Value]) -> bpy.types.Node:
    node = tree.nodes.new(kind)
    node.operation = operation
    feed(tree, node.inputs, values)
    return node


def feed(tree: bpy.types.NodeTree, inputs: Iterable[bpy.types.NodeSocket], values: Iterable[Value]) -> None:
    """Link or set the first inputs of a node, one for each value."""
    for socket, value in zip(inputs, values, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value


def new_material(name: str) -> bpy.types.Material:
    """A material with an empty node tree."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True  # always on since 5.0, and deprecated there
    material.node_tree.nodes.clear()
    return material


def emission(tree: bpy.types.NodeTree, colour: Value) -> bpy.types.NodeSocket:
    """A shader that shows a colour as it is, whatever the light: a photo already contains its own."""
    node = tree.nodes.new("ShaderNodeEmission")
    node.location = (-200, 0)
    feed(tree, [node.inputs["Color"]], [colour])
    return node.outputs["Emission"]


def show_shader(tree: bpy.types.NodeTree, shader: bpy.types.NodeSocket) -> None:
    """Make a shader the surface of the tree's material."""
    tree.links.new(shader, tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
