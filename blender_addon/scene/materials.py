"""The material that shows the colour attribute as it is, and the modifier that shows vertices as points before 4.5."""

from __future__ import annotations

import bpy

from .points import COLOUR

NAME = "Image to 3D Points"


def points_material() -> bpy.types.Material:
    """Emission of the colour attribute: a photo already contains its light."""
    return bpy.data.materials.get(NAME) or emission_of(NAME, COLOUR)


def emission_of(name: str, colour: str) -> bpy.types.Material:
    """A new material that shows a colour attribute as it is."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True  # always on since 5.0, and deprecated there
    tree = material.node_tree
    tree.nodes.clear()
    attribute = tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_type = "GEOMETRY"
    attribute.attribute_name = colour
    attribute.location = (-400, 0)
    emission = tree.nodes.new("ShaderNodeEmission")
    emission.location = (-200, 0)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(attribute.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
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
