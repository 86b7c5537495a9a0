"""Files of 3D Gaussians in and out of a scene, with reading, writing and arithmetic on the background thread."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface_

from image_to_3d.blender import points as blender_points
from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.io.gaussian_files import read_scene, write_scene
from image_to_3d.protocol.messages import Result, cloud_fields

from ..measuring import stored_cloud as photo_points
from ..runtime import session_uids
from ..runtime.main_thread import SlicedRunner, Steps
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..runtime.workers import Handle, Workers, or_notice
from ..scene import build, draft, edits, photo_result, roles
from ..scene import points as pointcloud
from ..scene import recipe as recipes
from ..scene.active import LastResult
from ..scene.photo_result import PhotoResult

SOURCE = "splat files"
"""Of the notices about them."""


def load(context: bpy.types.Context, path: Path) -> None:
    """Import a file; the objects come when it is read."""
    scene = context.scene
    scene_uid, metres_per_unit = scene.session_uid, scene.unit_settings.scale_length
    # What a person chose for photos holds here too, but for the photo.
    recipe = recipes.values(scene.image_to_3d.recipe).of_gaussians()

    def work(_: Handle) -> PhotoResult:
        cloud = read_scene(path)
        fields = cloud_fields(cloud) | {"photo": path.name}
        return photo_result.from_cloud(cloud, Result(**fields), recipe, metres_per_unit)

    def done(read: PhotoResult) -> None:
        of(SlicedRunner).run(lambda: into_scene(read), failed)

    def into_scene(photo: PhotoResult) -> Steps:
        drafted = yield from draft.in_steps(photo)
        target = session_uids.find(bpy.data.scenes, scene_uid) or bpy.context.scene
        built = build.place(target, photo, drafted)
        of(LastResult).uid = built.root.session_uid
        yield
        bpy.ops.ed.undo_push(message="Import Gaussian Splats")

    def failed(error: ImageTo3DError) -> None:
        of(Notices).fail(SOURCE, error)

    of(Workers).run(work, or_notice(SOURCE, done), iface_("Reading {name}").format(name=path.name))


def save(context: bpy.types.Context, root: bpy.types.Object, path: Path, apply_transform: bool) -> None:
    """Export the points that are shown below ``root``; the file is there when nothing is under way any more.

    A PLY of points that stay before the camera of their photo keeps camera and picture grid, so it can be measured, and what was
    filled in stays marked.

    Args:
        context: its scene gives the unit.
        root: of the photo.
        path: to be written; its suffix says which kind of file.
        apply_transform: as the points stand in the world, rather than as the photo's camera sees them.

    Raises:
        ImageTo3DError: ``bad_request`` if the points are gone or all left out, or the transform stretches or mirrors them.
    """
    try:
        points = roles.find(root).points
    except LookupError:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.points_deleted", root_name=root.name) from None
    matrix = np.array(
        points.matrix_world if apply_transform else root.matrix_world.inverted_safe() @ points.matrix_world
    )
    similarity = blender_points.similarity(matrix)
    kept = edits.kept(points)
    if not kept.any():
        raise edits.nothing_left(root.name)
    names = ("position", "scale", "rotation", "opacity", pointcloud.COLOUR)
    columns = {name: pointcloud.read(points, name) for name in names}
    picture = _picture(root, points, similarity)
    if picture is not None:
        picture = replace(picture, cells=picture.cells[kept])
    metres_per_unit = context.scene.unit_settings.scale_length

    def work(_: Handle) -> None:
        shown = {name: values[kept] for name, values in columns.items()}
        cloud = blender_points.to_cloud(
            shown["position"],
            shown["scale"],
            shown["rotation"],
            shown[pointcloud.COLOUR],
            shown["opacity"],
            similarity,
            metres_per_unit,
            picture,
        )
        write_scene(path, cloud)

    def done(_: None) -> None:
        of(Notices).say(SOURCE, iface_("{name} was written.").format(name=path.name))

    of(Workers).run(work, or_notice(SOURCE, done), iface_("Writing {name}").format(name=path.name))


_AT_THE_CAMERA = 1e-6
"""Radians and Blender units by which rounding of matrices may seem to move a point."""


def _picture(
    root: bpy.types.Object, points: bpy.types.Object, similarity: blender_points.Similarity
) -> blender_points.Picture | None:
    """What the points were made from, if there was a photo and it still is before them; size alone does not matter."""
    moved = max(np.abs(similarity.rotation - np.eye(3)).max(), np.abs(similarity.translation).max())
    if not photo_points.measurable(root) or pointcloud.CELL not in points.data.attributes or moved > _AT_THE_CAMERA:
        return None
    return photo_points.picture_of(root, points)
