"""One photo as one collection: a root empty with the points, the surface and the camera below it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.blender.points import BlenderPoints
from image_to_3d.blender.surface import BlenderSurface, stored_uvs
from image_to_3d.core import Intrinsics
from image_to_3d.protocol.messages import Result

from . import camera, display, edits, materials
from . import points as pointcloud
from . import surface as surfaces
from .photo_source import PhotoSource
from .properties import Outcome
from .recipe import RecipeValues, set_recipe
from .roles import PhotoObjects, by_role

_ROOT_METRES = 0.25


@dataclass
class Draft:
    """Data-blocks of a result that no object uses yet.

    Attributes:
        cloud: the points; None where this Blender makes them out of an object.
        mesh: the surface; None without one.
        image: the photo, for the surface; None where Blender cannot read it.
    """

    cloud: bpy.types.PointCloud | None = None
    mesh: bpy.types.Mesh | None = None
    image: bpy.types.Image | None = None


def draft_in_steps(
    points: BlenderPoints, surface: BlenderSurface | None, source: PhotoSource | None
) -> Generator[None, None, Draft]:
    """Make what takes time, a layer at a time; what has been made goes again if the steps are given up.

    Arguments as for :func:`build`. Raises ``ReferenceError`` if somebody takes a data-block away meanwhile, as undo does.
    """
    draft = Draft()
    try:
        draft.cloud = yield from pointcloud.data_in_steps("Points", points)
        if surface is not None:
            draft.image = None if source is None else camera.blender_image(source)
            if draft.image is not None:
                surface = replace(surface, uvs=stored_uvs(surface.uvs, camera.orientation(source)))
            draft.mesh = yield from surfaces.mesh_in_steps("Surface", surface)
        for data in (draft.cloud, draft.mesh):
            if data is not None:
                data.name = data.name  # is it still there?
    except (GeneratorExit, ReferenceError):
        pointcloud.discard(draft.cloud)
        pointcloud.discard(draft.mesh)
        raise
    return draft


def build(
    scene: bpy.types.Scene,
    points: BlenderPoints,
    surface: BlenderSurface | None,
    result: Result,
    recipe: RecipeValues,
    source: PhotoSource | None,
    seconds: float,
    draft: Draft | None = None,
) -> PhotoObjects:
    """Put a result into a scene.

    Args:
        scene: to be extended; its camera and render size become the photo's.
        points: in the units of that scene.
        surface: in the units of that scene.
        result: as the backend sent it.
        recipe: the recipe that it was made with.
        source: the photo; None for a PLY file.
        seconds: from the button to now.
        draft: of :func:`draft_in_steps` with the same points, surface and source; made now without one.
    """
    if draft is None:
        draft = pointcloud.finished(draft_in_steps(points, surface, source))
    name = Path(result.photo if source is None else source.name).stem or result.photo or "Photo"
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    root = bpy.data.objects.new(name, None)
    root.empty_display_type = "PLAIN_AXES"
    root.empty_display_size = _ROOT_METRES / scene.unit_settings.scale_length
    root.image_to_3d.role = "ROOT"
    root.image_to_3d.viewport_share = display.first_share(len(points))
    collection.objects.link(root)
    built = rebuild(scene, root, points, surface, result, recipe, source, seconds, draft)
    if built.camera is not None:
        camera.match_render(scene, built.camera, _intrinsics(result))
    if recipe.match_colours:
        with contextlib.suppress(TypeError):  # the OCIO configuration of a studio may have none of that name
            scene.view_settings.view_transform = "Standard"
    _select(root)
    return built


def rebuild(
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    points: BlenderPoints,
    surface: BlenderSurface | None,
    result: Result,
    recipe: RecipeValues,
    source: PhotoSource | None,
    seconds: float,
    draft: Draft | None = None,
) -> PhotoObjects:
    """Replace the data of the objects below a root; what a person did to the objects stays, what they deleted comes back.

    Transforms, parents, modifiers and materials are those of before. Arguments as for :func:`build`.
    """
    if draft is None:
        draft = pointcloud.finished(draft_in_steps(points, surface, source))
    found = by_role(root)
    edited = edits.remember(root)
    collection = next(iter(root.users_collection), scene.collection)
    metres_per_unit = scene.unit_settings.scale_length

    cloud = found.get("POINTS")
    fresh = pointcloud.create(f"{root.name} Points", points, collection, draft.cloud)
    if cloud is None:
        fresh.data.name = fresh.name
        materials.show_points(fresh)
        cloud = _adopt(fresh, root, "POINTS")
    else:
        _swap_data(cloud, fresh.data, fresh)

    mesh = found.get("SURFACE")
    if draft.mesh is None or surface is None:
        if mesh is not None:
            mesh.data.clear_geometry()
    elif mesh is None:
        draft.mesh.name = f"{root.name} Surface"
        mesh = _adopt(surfaces.create(f"{root.name} Surface", surface, collection, draft.mesh), root, "SURFACE")
        mesh.data.materials.append(surfaces.material(draft.image))
    else:
        _swap_data(mesh, draft.mesh)
        surfaces.show_photo(mesh, draft.image)

    view = found.get("CAMERA")
    if result.intrinsics is not None:
        intrinsics = _intrinsics(result)
        if view is None:
            made = camera.create(
                f"{root.name} Camera", intrinsics, points.near, points.far, metres_per_unit, collection
            )
            view = _adopt(made, root, "CAMERA")
        else:
            size = root.matrix_world.median_scale  # distances do not follow the size of a camera object
            camera.match_lens(view.data, intrinsics, size * points.near, size * points.far, metres_per_unit)
            if scene.camera == view:
                camera.match_render(scene, view, intrinsics)
        if source is not None:
            camera.show_photo(view, source, intrinsics.width / intrinsics.height)

    set_recipe(root.image_to_3d.recipe, recipe)
    _record(root.image_to_3d.outcome, points, result, seconds, metres_per_unit)
    edits.carry_over(root, edited)
    fresh = [obj for role, obj in (("POINTS", cloud), ("SURFACE", mesh)) if obj is not None and role not in found]
    display.apply(root, fresh)
    return PhotoObjects(collection, root, cloud, view, mesh)


def reshape(
    scene: bpy.types.Scene, root: bpy.types.Object, points: BlenderPoints, kept: NDArray[np.intp], bend: float
) -> None:
    """Give the points below a root another shape, and the surface the same; objects, materials and further attributes stay.

    Args:
        scene: of the root.
        root: of a photo.
        points: in the units that it was made in.
        kept: (N,) which of the old points they are.
        bend: 1/z' = 1/z + bend for the vertices of the surface, 1/m.
    """
    found = by_role(root)
    fresh = pointcloud.create(f"{root.name} Points", points, next(iter(root.users_collection), scene.collection))
    pointcloud.copy_others(found["POINTS"].data, fresh.data, kept)
    _swap_data(found["POINTS"], fresh.data, fresh)
    outcome = root.image_to_3d.outcome
    if "SURFACE" in found:
        surfaces.bend(found["SURFACE"].data, bend * outcome.metres_per_unit, points.far)
    outcome.points, outcome.extent = len(points), points.extent_m
    outcome.backend_scene = ""  # the backend has the old shape
    display.apply(root)


def _intrinsics(result: Result) -> Intrinsics:
    assert result.intrinsics is not None and result.image_size is not None
    return Intrinsics(*result.intrinsics, *result.image_size)


def _adopt(obj: bpy.types.Object, root: bpy.types.Object, role: str) -> bpy.types.Object:
    obj.image_to_3d.role = role
    obj.parent = root
    return obj


def _swap_data(obj: bpy.types.Object, data: bpy.types.ID, holder: bpy.types.Object | None = None) -> None:
    """Give an object other data of the same kind with the materials of the old, which goes if nobody else uses it.

    Args:
        obj: keeps everything else.
        data: new.
        holder: an object that was made only to carry ``data``.
    """
    old, name = obj.data, obj.data.name
    for material in old.materials:
        data.materials.append(material)
    obj.data = data
    if holder is not None:
        bpy.data.objects.remove(holder)
    if old.users == 0:
        bpy.data.batch_remove([old])
    data.name = name


def _record(outcome: Outcome, points: BlenderPoints, result: Result, seconds: float, metres_per_unit: float) -> None:
    outcome.points = len(points)
    outcome.extent = points.extent_m
    outcome.size = result.image_size or (0, 0)
    outcome.focal_source = result.focal_source or ""
    if result.focal is not None:
        outcome.focal_px, outcome.mm35, outcome.focal_source = result.focal.px, result.focal.mm35, result.focal.source
    outcome.engine, outcome.device, outcome.metric = result.engine, result.device, result.metric
    outcome.seconds = seconds
    outcome.warnings = "\n".join(result.warnings)
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
    outcome.heading_deg = -1.0 if result.heading_deg is None else result.heading_deg


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
