"""Gaussians that render: an ellipsoid for each, whose material is as dense as the Gaussian is along the line of sight.

A picture of 3D Gaussians weighs each by the maximum of its density along the pixel's ray (for a Gaussian, integrating along a
line and taking the maximum differ by a constant factor). In the ellipsoid's own space, where it is the unit ball with the
standard deviation 1 / CUT, that is exp(−½ CUT² b²) with b the distance of the ray from the centre. The shader computes it
from where the ray enters and its direction, so it is right from every side, in Cycles and EEVEE alike.
"""

from __future__ import annotations

import math

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import node_trees
from ..points import COLOUR

NAME = "Image to 3D Splats"
CUT = 3.0
"""Standard deviations at which a Gaussian ends; its density there is 1 % of that in its middle."""
TRANSPARENT_BOUNCES = 128
"""Surfaces that a ray of Cycles passes: each Gaussian has a front and a back."""
_THINNEST = 0.02  # of the longest axis: a flat ball has no inverse
_PERIOD, _STRIDE = (
    1009.0,
    624.0,
)  # a prime, and its golden section: thinned points are spread evenly, without a random pattern


def modifier(obj: bpy.types.Object, splats: bool, share: float) -> None:
    """Show the points of ``obj`` as splats or not, and only a share of them in viewports. Renders show all.

    Args:
        obj: the point object.
        splats: ellipsoids rather than points.
        share: in (0, 1].
    """
    found = node_trees.modifier(obj, NAME)
    if not splats and share >= 1.0:
        if found is not None:
            obj.modifiers.remove(found)
        return
    if found is None:
        found = obj.modifiers.new("Splats", "NODES")
        found.node_group = _tree()
    node_trees.set_inputs(found, {"Splats": splats, "Viewport Share": share})


def material() -> bpy.types.Material:
    """Emission of each Gaussian's colour, as opaque as the Gaussian along the line of sight."""
    made = bpy.data.materials.get(NAME)
    if made is not None:
        return made
    made = node_trees.new_material(NAME)
    made.surface_render_method = "DITHERED"  # blending would need the splats sorted
    tree = made.node_tree
    link = tree.links.new

    def math(operation: str, *values: node_trees.Value) -> bpy.types.NodeSocket:
        return node_trees.math(tree, operation, *values)

    def dot(a: bpy.types.NodeSocket, b: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
        return node_trees.vector_math(tree, "DOT_PRODUCT", a, b).outputs["Value"]

    entry = tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]  # of the instance: the unit ball
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    to_object = tree.nodes.new("ShaderNodeVectorTransform")
    to_object.vector_type, to_object.convert_from, to_object.convert_to = "VECTOR", "WORLD", "OBJECT"
    link(geometry.outputs["Incoming"], to_object.inputs["Vector"])  # by name: 5.3 puts another one first
    ray = to_object.outputs["Vector"]
    along = dot(entry, ray)
    squared = math("SUBTRACT", dot(entry, entry), math("DIVIDE", math("MULTIPLY", along, along), dot(ray, ray)))
    density = math("EXPONENT", math("MULTIPLY", squared, -0.5 * CUT * CUT))
    opacity = _instance_attribute(tree, "opacity").outputs["Fac"]
    front = math("SUBTRACT", 1.0, geometry.outputs["Backfacing"])
    alpha = math("MULTIPLY", math("MULTIPLY", density, opacity), front)

    emission = node_trees.emission(tree, _instance_attribute(tree, COLOUR).outputs["Color"])
    transparent = tree.nodes.new("ShaderNodeBsdfTransparent")
    mix = tree.nodes.new("ShaderNodeMixShader")
    node_trees.feed(tree, mix.inputs, (alpha, transparent.outputs[0], emission))
    node_trees.show_shader(tree, mix.outputs[0])
    return made


def _instance_attribute(tree: bpy.types.NodeTree, name: str) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_type, node.attribute_name = "INSTANCER", name
    return node


def _tree() -> bpy.types.NodeTree:
    """Points → fewer points in viewports → an ellipsoid on each, or the points themselves."""
    found = bpy.data.node_groups.get(NAME)
    if found is not None:
        return found
    tree = bpy.data.node_groups.new(NAME, "GeometryNodeTree")
    tree.is_modifier = True
    tree.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    tree.interface.new_socket("Splats", in_out="INPUT", socket_type="NodeSocketBool")
    share = tree.interface.new_socket("Viewport Share", in_out="INPUT", socket_type="NodeSocketFloat")
    share.min_value, share.max_value, share.default_value = 0.0, 1.0, 1.0
    tree.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    link = tree.links.new
    start, end = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")

    thinned = tree.nodes.new("GeometryNodeDeleteGeometry")
    thinned.domain = "POINT"
    link(start.outputs["Geometry"], thinned.inputs["Geometry"])
    link(_left_out(tree, start.outputs["Viewport Share"]), thinned.inputs["Selection"])

    ball = tree.nodes.new("GeometryNodeMeshIcoSphere")
    ball.inputs["Subdivisions"].default_value = 1
    ball.inputs["Radius"].default_value = 1.0 / math.sqrt((5 + 2 * math.sqrt(5)) / 15)  # its faces touch the unit ball
    painted = tree.nodes.new("GeometryNodeSetMaterial")
    painted.inputs["Material"].default_value = material()
    link(ball.outputs["Mesh"], painted.inputs["Geometry"])
    instances = tree.nodes.new("GeometryNodeInstanceOnPoints")
    link(thinned.outputs[0], instances.inputs["Points"])
    link(painted.outputs[0], instances.inputs["Instance"])
    link(node_trees.attribute(tree, "rotation", "QUATERNION"), instances.inputs["Rotation"])
    link(_axes(tree), instances.inputs["Scale"])

    switch = tree.nodes.new("GeometryNodeSwitch")
    switch.input_type = "GEOMETRY"
    link(start.outputs["Splats"], switch.inputs["Switch"])
    link(thinned.outputs[0], switch.inputs["False"])
    link(instances.outputs[0], switch.inputs["True"])
    link(switch.outputs[0], end.inputs[0])
    return tree


def _axes(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """Half axes of each ellipsoid: CUT standard deviations, none much shorter than the longest."""
    scale = node_trees.attribute(tree, "scale", "FLOAT_VECTOR")
    parts = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(scale, parts.inputs[0])
    longest = node_trees.math(
        tree, "MAXIMUM", node_trees.math(tree, "MAXIMUM", parts.outputs[0], parts.outputs[1]), parts.outputs[2]
    )
    least = node_trees.vector_math(tree, "MAXIMUM", scale, node_trees.math(tree, "MULTIPLY", longest, _THINNEST))
    size = tree.nodes.new("ShaderNodeVectorMath")
    size.operation = "SCALE"
    size.inputs["Scale"].default_value = CUT
    tree.links.new(least.outputs[0], size.inputs[0])
    return size.outputs[0]


def _left_out(tree: bpy.types.NodeTree, share: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
    """True in viewports for all but an even share of the points, see :func:`shown`."""
    index = tree.nodes.new("GeometryNodeInputIndex").outputs[0]
    spread = node_trees.math(
        tree,
        "MODULO",
        node_trees.math(tree, "MULTIPLY", node_trees.math(tree, "MODULO", index, _PERIOD), _STRIDE),
        _PERIOD,
    )
    over = node_trees.math(
        tree,
        "GREATER_THAN",
        spread,
        node_trees.math(tree, "SUBTRACT", node_trees.math(tree, "MULTIPLY", share, _PERIOD), 0.5),
    )
    viewport = tree.nodes.new("GeometryNodeIsViewport").outputs[0]
    return node_trees.math(tree, "MULTIPLY", over, viewport)


def shown(count: int, share: float) -> NDArray[np.bool_]:
    """Which of ``count`` points viewports show, for those that draw them without the modifier."""
    return np.arange(count) % _PERIOD * _STRIDE % _PERIOD <= share * _PERIOD - 0.5
