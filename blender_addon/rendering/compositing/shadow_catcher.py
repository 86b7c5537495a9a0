"""The surface of a photo in grey, so that what it catches is light and nothing of the photo."""

from __future__ import annotations

import bpy

from ...scene import node_trees, roles

_GREY = 0.5
_ENLARGED = (
    1.004  # seen from the photo's camera: an object on the floor must not sink into what the floor's noise makes of it
)
_MATERIAL = "Image to 3D Shadow Catcher"


def surface_of(root: bpy.types.Object) -> bpy.types.Object | None:
    """The surface of a photo, if it has faces."""
    surface = roles.surface_of(root)
    return surface if surface is not None and len(surface.data.polygons) else None


def make(root: bpy.types.Object, surface: bpy.types.Object, name: str) -> bpy.types.Object:
    """A grey object of the surface below a root, in no collection yet."""
    grey = bpy.data.objects.new(name, surface.data)
    grey.parent = root
    grey.matrix_parent_inverse.identity()
    grey.matrix_basis = surface.matrix_basis
    grey.scale *= _ENLARGED
    _paint(grey)
    return grey


def follow(grey: bpy.types.Object) -> None:
    """Take over the mesh of a photo that was made anew."""
    surface = None if grey.parent is None else roles.surface_of(grey.parent)
    if surface is not None and grey.data != surface.data:
        grey.data = surface.data
        _paint(grey)


def _paint(grey: bpy.types.Object) -> None:
    """On the object: the mesh keeps the photo's colours."""
    if not grey.material_slots:
        grey.data.materials.append(None)
    for slot in grey.material_slots:
        slot.link = "OBJECT"
        slot.material = _material()


def _material() -> bpy.types.Material:
    made = bpy.data.materials.get(_MATERIAL)
    if made is None:
        made = node_trees.new_material(_MATERIAL)
        diffuse = made.node_tree.nodes.new("ShaderNodeBsdfDiffuse")
        diffuse.inputs["Color"].default_value = (_GREY, _GREY, _GREY, 1.0)
        node_trees.show_shader(made.node_tree, diffuse.outputs[0])
    return made
