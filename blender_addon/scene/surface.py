"""The surface that the photo sees, as a mesh: faces are what Blender's Ruler and snapping find."""

from __future__ import annotations

from collections.abc import Generator

import bpy
import numpy as np

from image_to_3d.blender.surface import BlenderSurface, stored_uvs, with_inverse_depth_shift
from image_to_3d.core.imaging.photo_header import Upright

from . import datablocks, node_trees
from .edits import POINT
from .points import COLOUR
from .roles import adopt

_NAME = "Image to 3D Surface"
_UVS = "UVMap"
_SELECTION = (".select_vert", ".select_edge", ".select_poly")


def mesh_in_steps(
    name: str, surface: BlenderSurface, upright: Upright | None = None
) -> Generator[None, None, bpy.types.Mesh]:
    """A new mesh of the quads, with UVs and, for photos that Blender cannot read, colours at the vertices.

    ``upright`` says how the photo lies that Blender shows as it is stored.
    """
    data = bpy.data.meshes.new(name)
    faces = len(surface.corners) // 4
    uvs = surface.uvs if upright is None else stored_uvs(surface.uvs, upright)
    try:
        data.vertices.add(len(surface.vertices))
        data.attributes["position"].data.foreach_set("vector", surface.vertices.reshape(-1))
        data.edges.add(len(surface.edges))
        data.loops.add(len(surface.corners))
        # By way of the attributes these are plain copies; by way of `edges` and `loops` Blender sets one number after the other.
        data.attributes[".edge_verts"].data.foreach_set("value", surface.edges.reshape(-1))
        data.attributes[".corner_vert"].data.foreach_set("value", surface.corners)
        data.attributes[".corner_edge"].data.foreach_set("value", surface.corner_edges)
        yield
        data.polygons.add(faces)
        data.polygons.foreach_set("loop_start", np.arange(0, 4 * faces, 4, dtype=np.int32))
        for mark in _SELECTION:  # marks that editing puts there; without them the mesh is smaller, and copied faster
            if mark in data.attributes:
                data.attributes.remove(data.attributes[mark])
        yield
        data.update()
        yield
        data.uv_layers.new(name=_UVS, do_init=False)
        data.attributes[_UVS].data.foreach_set("vector", uvs.reshape(-1))
        yield
        data.attributes.new(COLOUR, "FLOAT_COLOR", "POINT").data.foreach_set("color", surface.colours.reshape(-1))
        data.attributes.new(POINT, "INT", "POINT").data.foreach_set("value", surface.points)
        yield
    except (GeneratorExit, ReferenceError):
        datablocks.discard(data)
        raise
    return data


def put(
    root: bpy.types.Object,
    found: bpy.types.Object | None,
    data: bpy.types.Mesh | None,
    image: bpy.types.Image | None,
    collection: bpy.types.Collection,
) -> bpy.types.Object | None:
    """The surface below a root: in the object found there, which keeps its materials, else in a new one in ``collection``.

    A new one is seen in viewports, so that snapping finds it, and left out of renders.

    Args:
        root: of the photo.
        found: the surface that it has, if there is one.
        data: of :func:`mesh_in_steps`; None: there is no surface any more.
        image: the photo; None where Blender cannot read it.
        collection: of the root.
    """
    if data is None:
        if found is not None:
            found.data.clear_geometry()
        return found
    if found is not None:
        datablocks.swap(found, data)
        show_photo(found, image)
        return found
    data.name = f"{root.name} Surface"
    made = bpy.data.objects.new(data.name, data)
    made.hide_render = True
    collection.objects.link(made)
    data.materials.append(material(image))
    return adopt(made, root, "SURFACE")


def shift_inverse_depth(data: bpy.types.Mesh, shift: float, farthest: float) -> None:
    """Move the vertices of a mesh of :func:`mesh_in_steps` along their rays; see :func:`with_inverse_depth_shift`."""
    places = np.empty(3 * len(data.vertices), np.float32)
    data.vertices.foreach_get("co", places)
    moved = with_inverse_depth_shift(places.reshape(-1, 3), shift, farthest)
    data.vertices.foreach_set("co", moved.reshape(-1))
    data.update()


def material(image: bpy.types.Image | None) -> bpy.types.Material:
    """Emission of the photo, one material for each; of the vertices' colours where Blender cannot read it."""
    for candidate in bpy.data.materials:
        if candidate.name.startswith(_NAME) and candidate.node_tree is not None and _shown(candidate) == image:
            return candidate
    made = node_trees.new_material(_NAME)
    tree = made.node_tree
    if image is None:
        colour = tree.nodes.new("ShaderNodeAttribute")
        colour.attribute_name = COLOUR
    else:
        colour = tree.nodes.new("ShaderNodeTexImage")
        colour.image = image
        colour.extension = "EXTEND"
    colour.location = (-500, 0)
    node_trees.show_shader(tree, node_trees.emission(tree, colour.outputs["Color"]))
    tree.nodes.active = colour
    return made


def show_photo(obj: bpy.types.Object, image: bpy.types.Image | None) -> None:
    """Show another photo on a surface whose materials are ours; what else a person made of them stays."""
    materials = obj.data.materials
    for number, found in enumerate(materials):
        if image is None or found is None or not found.name.startswith(_NAME) or found.node_tree is None:
            continue
        if _shown(found) in {None, image}:
            continue
        if found.users > 1:
            found = materials[number] = found.copy()
        next(node for node in found.node_tree.nodes if node.type == "TEX_IMAGE").image = image


def _shown(candidate: bpy.types.Material) -> bpy.types.Image | None:
    return next((node.image for node in candidate.node_tree.nodes if node.type == "TEX_IMAGE"), None)
