"""The nodes that merge objects and splats. The compositor's tree belongs to the scene until 4.5 and is a node group since 5.0."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ...scene import node_trees
from .light import WITH, WITHOUT

NAME = "Image to 3D Final Picture"
BEHIND = 0.01
"""Objects fade out over this share of the depth behind the photo's surface, which is known no better; in front they are whole."""

_BRIGHTEST = 8.0
"""Most that objects brighten the photo: beside no light at all every lamp would be infinitely more."""
_LEAST_SEEN = 0.02
_OURS = "Image to 3D: "
_OWN_NODES = bpy.app.version < (5, 0, 0)
"""The compositor has nodes of its own for arithmetic, where later ones share the shaders'."""


@dataclass(frozen=True)
class Layers:
    """What is merged.

    Attributes:
        objects: scene whose view layer shows the objects.
        view_layer: its name.
        splats: scene that the splats are rendered in.
        light: scene with the photo's light, see :mod:`.light`; None where the objects have a pass *Shadow Catcher*, which says
            what they do to it.
    """

    objects: bpy.types.Scene
    view_layer: str
    splats: bpy.types.Scene
    light: bpy.types.Scene | None


def build(layers: Layers, tree: bpy.types.NodeTree) -> None:
    """Add the nodes to a tree and show their result.

    The photo's colours are multiplied by the ratio of the light with and without the objects (Debevec, "Rendering Synthetic
    Objects into Real Scenes", 1998). Premultiplied layers are then laid over each other in the order of their depths, pixel by
    pixel; a narrow ramp in place of a step keeps the line smooth where an object stands on the floor.
    """
    nodes = _Nodes(tree)
    objects = nodes.render_layers(layers.objects, layers.view_layer)
    splats = nodes.render_layers(layers.splats, layers.splats.view_layers[0].name)
    photo = splats.outputs["Image"]
    change = objects.outputs["Shadow Catcher"] if layers.light is None else _ratio(nodes, layers.light)
    photo = nodes.mix("MULTIPLY", 1.0, photo, change)
    behind = nodes.math("SUBTRACT", splats.outputs["Depth"], objects.outputs["Depth"])
    share = nodes.math("DIVIDE", behind, objects.outputs["Depth"])
    in_front = nodes.math("MULTIPLY_ADD", share, 1.0 / BEHIND, 1.0, clamp=True)
    objects_over = nodes.over(photo, objects.outputs["Image"])
    photo_over = nodes.over(objects.outputs["Image"], photo)
    nodes.show(nodes.mix("MIX", in_front, photo_over, objects_over))


def _ratio(nodes: _Nodes, light: bpy.types.Scene) -> bpy.types.NodeSocket:
    """The light with the objects over that without them; 1 where nothing of the photo's surface is seen."""
    with_objects = nodes.render_layers(light, WITH)
    without = nodes.render_layers(light, WITHOUT)
    straight = [
        nodes.mix("DIVIDE", 1.0, layer.outputs["Image"], layer.outputs["Alpha"]) for layer in (with_objects, without)
    ]
    ratio = nodes.mix("DARKEN", 1.0, nodes.mix("DIVIDE", 1.0, *straight), (_BRIGHTEST,) * 4)
    seen = nodes.math("MULTIPLY", with_objects.outputs["Alpha"], without.outputs["Alpha"])
    return nodes.mix("MIX", nodes.math("GREATER_THAN", seen, _LEAST_SEEN), (1.0,) * 4, ratio)


def clear(tree: bpy.types.NodeTree) -> None:
    """Remove the nodes of :func:`build`."""
    for node in [node for node in tree.nodes if node.name.startswith(_OURS)]:
        tree.nodes.remove(node)


class _Nodes:
    """Makes nodes in one tree, from left to right."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self._tree = tree
        self._count = 0

    def _new(self, kind: str) -> bpy.types.Node:
        node = self._tree.nodes.new(kind)
        node.name = f"{_OURS}{node.name}"
        node.location = (200 * (self._count // 2), -300 * (self._count % 2))
        self._count += 1
        return node

    def render_layers(self, scene: bpy.types.Scene, view_layer: str) -> bpy.types.Node:
        node = self._new("CompositorNodeRLayers")
        node.scene, node.layer = scene, view_layer
        return node

    def math(self, operation: str, *values: node_trees.Value, clamp: bool = False) -> bpy.types.NodeSocket:
        node = self._new("CompositorNodeMath" if _OWN_NODES else "ShaderNodeMath")
        node.operation, node.use_clamp = operation, clamp
        node_trees.feed(self._tree, node.inputs, values)
        return node.outputs[0]

    def mix(
        self,
        kind: str,
        factor: node_trees.Value,
        first: node_trees.Value,
        second: node_trees.Value,
    ) -> bpy.types.NodeSocket:
        """Colours; alpha is that of ``first``."""
        if _OWN_NODES:
            node = self._new("CompositorNodeMixRGB")
            sockets, result = node.inputs, node.outputs[0]
        else:
            node = self._new("ShaderNodeMix")
            node.data_type, node.clamp_factor = "RGBA", True
            sockets = [s for s in node.inputs if s.identifier in {"Factor_Float", "A_Color", "B_Color"}]
            result = next(s for s in node.outputs if s.identifier == "Result_Color")
        node.blend_type = kind
        node_trees.feed(self._tree, sockets, (factor, first, second))
        return result

    def over(self, background: bpy.types.NodeSocket, foreground: bpy.types.NodeSocket) -> bpy.types.NodeSocket:
        """Both premultiplied."""
        node = self._new("CompositorNodeAlphaOver")
        behind, before = (node.inputs[1], node.inputs[2]) if _OWN_NODES else (node.inputs[0], node.inputs[1])
        node_trees.feed(self._tree, (behind, before), (background, foreground))
        return node.outputs[0]

    def show(self, picture: bpy.types.NodeSocket) -> None:
        """Make it the picture of the scene."""
        if not _OWN_NODES:
            if not any(item.in_out == "OUTPUT" for item in self._tree.interface.items_tree):
                self._tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
            self._tree.links.new(picture, self._new("NodeGroupOutput").inputs[0])
            return
        end = self._new("CompositorNodeComposite")
        self._tree.links.new(picture, end.inputs[0])
        self._tree.nodes.active = end  # of several, the active one counts
