"""The material that shows the colour attribute as it is, and the modifier that shows vertices as points before 4.5."""

from __future__ import annotations

import bpy

from . import node_trees
from .points import COLOUR

NAME = "Image to 3D Points"


def points_material() -> bpy.types.Material:
    """Shows the colour attribute."""
    return bpy.data.materials.get(NAME) or emission_of(NAME, COLOUR)


def emission_of(name: str, colour: str) -> bpy.types.Material:
    """A new material that shows a colour attribute as it is."""
    material = node_trees.new_material(name)
    tree = material.node_tree
    attribute = tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_type = "GEOMETRY"
    attribute.attribute_name = colour
    attribute.location = (-400, 0)
    node_trees.show_shader(tree, node_trees.emission(tree, attribute.outputs["Color"]))
    return material


def show_points(obj: bpy.types.Object) -> None:
    """Give the point object its material; a mesh of vertices also gets the modifier that makes points of them."""
    material = points_material()
    obj.data.materials.append(material)
    if obj.type == "MESH":
        obj.modifiers.new("Points", "NODES").node_group = _vertices_to_points(material)


def use(obj: bpy.types.Object, material: bpy.types.Material) -> None:
    """Give a point object another material in place of its first."""
    if len(obj.data.materials):
        obj.data.materials[0] = material
    else:
        obj.data.materials.append(material)
    for modifier in obj.modifiers:
        if modifier.type == "NODES" and modifier.node_group is not None and modifier.node_group.name.startswith(NAME):
            tree = _vertices_to_points(points_material())
            if material != points_material():
                tree = tree.copy()
                node = next(node for node in tree.nodes if node.bl_idname == "GeometryNodeSetMaterial")
                node.inputs["Material"].default_value = material
            modifier.node_group = tree


def _vertices_to_points(material: bpy.types.Material) -> bpy.types.NodeTree:
    tree = bpy.data.node_groups.get(NAME)
    if tree is not None:
        return tree
    tree = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    radius = tree.nodes.new("GeometryNodeInputNamedAttribute")
    radius.data_type = "FLOAT"
    radius.inputs["Name"].default_value = "radius"
    to_points = tree.nodes.new("GeometryNodeMeshToPoints")
    set_material = tree.nodes.new("GeometryNodeSetMaterial")
    set_material.inputs["Material"].default_value = material
    tree.links.new(start.outputs[0], to_points.inputs["Mesh"])
    tree.links.new(radius.outputs["Attribute"], to_points.inputs["Radius"])
    tree.links.new(to_points.outputs[0], set_material.inputs["Geometry"])
    tree.links.new(set_material.outputs[0], end.inputs[0])
    return tree
