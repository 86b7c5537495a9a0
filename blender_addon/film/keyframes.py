"""A camera path as the keyframes of an ordinary camera object."""

from __future__ import annotations

from itertools import pairwise

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from image_to_3d.blender.camera import BlenderView, view_from_camera
from image_to_3d.core import CameraPath, ErrorCode, ImageTo3DError

from ..scene.camera import DISPLAY_METRES


def create(
    scene: bpy.types.Scene, name: str, path: CameraPath, parent: bpy.types.Object | None, metres_per_unit: float
) -> bpy.types.Object:
    """A camera that moves along a path, from the scene's first frame on, one keyframe for each frame.

    The scene takes the size, the pixel aspect and the length of the path, and the camera as its own.

    Args:
        scene: of the camera.
        name: of the object.
        path: in the frame of ``parent``.
        parent: root of a photo; None: the world.
        metres_per_unit: of the scene.

    Raises:
        ImageTo3DError: ``bad_request``: the pictures of the path differ in size, shape of a pixel or kind of projection.
    """
    views = [view_from_camera(camera, metres_per_unit) for camera in path.cameras]
    _check(path, views)
    data = bpy.data.cameras.new(name)
    obj = bpy.data.objects.new(name, data)
    collection = scene.collection if parent is None else next(iter(parent.users_collection), scene.collection)
    collection.objects.link(obj)
    obj.parent = parent
    obj.rotation_mode = "QUATERNION"
    data.display_size = DISPLAY_METRES / metres_per_unit
    data.sensor_fit = views[0].lens.sensor_fit
    data.type = "PERSP" if views[0].ortho_scale is None else "ORTHO"

    matrices = [Matrix(view.matrix) for view in views]
    rotations = [matrix.to_quaternion() for matrix in matrices]
    for before, after in pairwise(rotations):
        after.make_compatible(before)
    first = scene.frame_start
    _set(obj, "location", np.array([matrix.translation for matrix in matrices]), first)
    _set(obj, "rotation_quaternion", np.array(rotations), first)
    for key, values in _settings(views).items():
        _set(data, key, np.array(values, np.float64)[:, None], first)

    lens, render = views[0].lens, scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = lens.width, lens.height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect_x, lens.pixel_aspect_y
    scene.frame_end = first + len(views) - 1
    scene.camera = obj
    return obj


def _check(path: CameraPath, views: list[BlenderView]) -> None:
    kinds = {(camera.size, camera.orthographic) for camera in path.cameras}
    shapes = [view.lens.pixel_aspect_x / view.lens.pixel_aspect_y for view in views]
    if len(kinds) > 1 or not np.allclose(shapes, shapes[0], rtol=1e-6):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.pictures_differ")


def _settings(views: list[BlenderView]) -> dict[str, list[float]]:
    """Properties of the camera's data."""
    found = {
        "sensor_width": [view.lens.sensor_width for view in views],
        "sensor_height": [view.lens.sensor_height for view in views],
        "shift_x": [view.lens.shift_x for view in views],
        "shift_y": [view.lens.shift_y for view in views],
        "clip_start": [view.clip_start for view in views],
        "clip_end": [view.clip_end for view in views],
    }
    if views[0].ortho_scale is None:
        return {"lens": [view.lens.lens for view in views], **found}
    return {"ortho_scale": [view.ortho_scale or 0.0 for view in views], **found}


def _set(target: bpy.types.ID, key: str, values: NDArray[np.float64], first: int) -> None:
    """A constant value, or one keyframe a frame with straight lines between. ``values``: (frames, components)."""
    if len(values) == 1 or np.ptp(values, axis=0).max() <= 1e-9 * np.abs(values).max():
        setattr(target, key, values[0] if values.shape[1] > 1 else float(values[0, 0]))
        return
    target.keyframe_insert(key, frame=first)  # makes the action and the curves, however this Blender keeps them
    frames = np.arange(first, first + len(values), dtype=np.float64)
    for curve in curves(target):
        if curve.data_path != key:
            continue
        points = curve.keyframe_points
        points.add(len(values) - len(points))
        column = values[:, curve.array_index if values.shape[1] > 1 else 0]
        points.foreach_set("co", np.stack([frames, column], axis=1).ravel())
        points.foreach_set("interpolation", np.full(len(values), _LINEAR, np.int32))
        curve.update()


_LINEAR = 1
"""Number of ``LINEAR`` among the interpolations of a keyframe."""


def curves(target: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The animation curves of a data-block. Since 4.4 an action has slots, and an object shares one with its data."""
    animation = target.animation_data
    if animation is None or animation.action is None:
        return []
    slot = getattr(animation, "action_slot", None)
    if slot is None:
        return list(animation.action.fcurves)
    bags = [strip.channelbag(slot) for layer in animation.action.layers for strip in layer.strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
