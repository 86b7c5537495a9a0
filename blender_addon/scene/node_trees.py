"""Pieces of geometry-node trees, and how a modifier's inputs are set in each Blender."""

from __future__ import annotations

import bpy


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


def math(tree: bpy.types.NodeTree, operation: str, a: object, b: object = None) -> bpy.types.NodeSocket:
    """A math node of two sockets or numbers."""
    return _operation(tree, "ShaderNodeMath", operation, a, b)


def vector_math(tree: bpy.types.NodeTree, operation: str, a: object, b: object = None) -> bpy.types.Node:
    """A vector math node of two sockets or values."""
    return _operation(tree, "ShaderNodeVectorMath", operation, a, b).node


def _operation(tree: bpy.types.NodeTree, kind: str, operation: str, a: object, b: object) -> bpy.types.NodeSocket:
    node = tree.nodes.new(kind)
    node.operation = operation
    for socket, value in zip(node.inputs, (a, b), strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        elif value is not None:
            socket.default_value = value
    return node.outputs[0]
