"""One photo as one collection: a root empty with the points, the surface and the camera below it.

What takes time is drafted first, in steps and as data-blocks that nothing uses; placing the draft is done at once.
"""

from __future__ import annotations

import contextlib
import json

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.blender.points import BlenderPoints

from .. import translations
from ..runtime.main_thread import at_once
from . import camera, datablocks, display, draft, edits, materials
from . import points as pointcloud
from . import surface as surfaces
from .draft import Draft
from .photo_result import PhotoResult
from .recipe import set_recipe
from .roles import PhotoObjects, by_role

_ROOT_METRES = 0.25


def build(scene: bpy.types.Scene, photo: PhotoResult, root: bpy.types.Object | None = None) -> PhotoObjects:
    """Draft and place without a pause: for whoever may hold the window for so long. Arguments as for :func:`place`."""
    return place(scene, photo, at_once(draft.in_steps(photo)), root)


def place(
    scene: bpy.types.Scene, photo: PhotoResult, drafted: Draft, root: bpy.types.Object | None = None
) -> PhotoObjects:
    """Put a result into a scene: below a new root, or in place of what is below one.

    What a person did to the objects of a root stays: transforms, parents, modifiers and materials are those of before; what
    they deleted comes back.

    Args:
        scene: to be extended; its camera and render size become those of a new photo.
        photo: in the units of that scene.
        drafted: of the same photo.
        root: gets the result; None: a new one is made.
    """
    is_new = root is None
    if root is None:
        root = _new_root(scene, photo)
    found, edited = by_role(root), edits.remember(root)
    collection = next(iter(root.users_collection), scene.collection)
    metres_per_unit = scene.unit_settings.scale_length

    cloud = pointcloud.put(root, found.get("POINTS"), photo.points, collection, drafted.cloud)
    if "POINTS" not in found:
        materials.show_points(cloud)
    mesh = surfaces.put(root, found.get("SURFACE"), drafted.mesh, drafted.image, collection)
    view = found.get("CAMERA")
    if photo.intrinsics is not None:
        reach = photo.points.near, photo.points.far
        view = camera.put(scene, root, view, photo.intrinsics, reach, collection)
        if photo.source is not None:
            camera.show_photo(view, photo.source, photo.intrinsics.width / photo.intrinsics.height)

    set_recipe(root.image_to_3d.recipe, photo.recipe)
    _record(root, photo, metres_per_unit)
    edits.carry_over(root, edited)
    fresh = [obj for role, obj in (("POINTS", cloud), ("SURFACE", mesh)) if obj is not None and role not in found]
    display.apply(root, fresh)
    if is_new:
        _show_new(scene, root, view, photo)
    return PhotoObjects(collection, root, cloud, view, mesh)


def _new_root(scene: bpy.types.Scene, photo: PhotoResult) -> bpy.types.Object:
    collection = bpy.data.collections.new(photo.name)
    scene.collection.children.link(collection)
    root = bpy.data.objects.new(photo.name, None)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = _ROOT_METRES / scene.unit_settings.scale_length
    root.image_to_3d.role = "ROOT"
    root.image_to_3d.viewport_share = display.first_share(len(photo.points))
    collection.objects.link(root)
    return root


def reshape(
    scene: bpy.types.Scene, root: bpy.types.Object, points: BlenderPoints, kept: NDArray[np.intp], shift: float
) -> None:
    """Give the points below a root another shape, and the surface the same; objects, materials and further attributes stay.

    Args:
        scene: of the root.
        root: of a photo.
        points: in the units that it was made in.
        kept: (N,) which of the old points they are.
        shift: 1/z' = 1/z + shift for the vertices of the surface, 1/m.
    """
    found = by_role(root)
    fresh = pointcloud.create(f"{root.name} Points", points, next(iter(root.users_collection), scene.collection))
    pointcloud.copy_others(found["POINTS"].data, fresh.data, kept)
    datablocks.swap(found["POINTS"], fresh.data, fresh)
    outcome = root.image_to_3d.outcome
    if "SURFACE" in found:
        surfaces.shift_inverse_depth(found["SURFACE"].data, shift * outcome.metres_per_unit, points.far)
    outcome.points, outcome.extent = len(points), points.extent_m
    outcome.backend_scene = ""  # the backend has the old shape
    display.apply(root)


def _record(root: bpy.types.Object, photo: PhotoResult, metres_per_unit: float) -> None:
    outcome, points, result = root.image_to_3d.outcome, photo.points, photo.result
    outcome.points = len(points)
    outcome.extent = points.extent_m
    outcome.size = result.image_size or (0, 0)
    outcome.focal_source = result.focal_source or ""
    if result.focal is not None:
        outcome.focal_px, outcome.mm35, outcome.focal_source = result.focal.px, result.focal.mm35, result.focal.source
    outcome.engine, outcome.device, outcome.metric = result.engine, result.device, result.metric
    outcome.seconds = photo.seconds
    notices = result.notices or [{} for _ in result.warnings]
    outcome.warnings = "\n".join(map(translations.stored, result.warnings, notices))
    outcome.backend_scene = result.scene
    outcome.grid = result.grid or (0, 0, 0)
    outcome.invented = 0 if points.invented is None else int(points.invented.sum())
    layers = result.invented_layers or []
    outcome.invented_layers = (min(layers), max(layers) + 1) if layers else (0, 0)
    outcome.intrinsics = result.intrinsics or (0, 0, 0, 0)
    outcome.metres_per_unit = metres_per_unit
    affine = result.inverse_depth or {}
    outcome.inverse_depth = affine.get("a", 0.0), affine.get("b", 0.0)
    outcome.assumption = str(affine.get("assumption", ""))
    outcome.depth_error = json.dumps(result.depth_error) if result.depth_error else ""
    outcome.camera_lines = json.dumps(result.camera_lines) if result.camera_lines else ""
    outcome.heading_deg = -1.0 if result.heading_deg is None else result.heading_deg


def _show_new(
    scene: bpy.types.Scene, root: bpy.types.Object, view: bpy.types.Object | None, photo: PhotoResult
) -> None:
    """Have the scene look as a new photo needs it."""
    if view is not None and photo.intrinsics is not None:
        camera.match_render(scene, view, photo.intrinsics)
    if photo.recipe.match_colours:
        with contextlib.suppress(TypeError):  # the OCIO configuration of a studio may have none of that name
            scene.view_settings.view_transform = "Standard"
    _select(root)


def _select(root: bpy.types.Object) -> None:
    """Leave the new root selected, as importers do, where its scene is the one on screen."""
    selected = list(bpy.context.selected_objects)
    try:
        root.select_set(True)
    except RuntimeError:  # of another scene
        return
    for obj in selected:
        obj.select_set(False)
    bpy.context.view_layer.objects.active = root
