"""The camera that matches the photo: projection, render size, background picture."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from image_to_3d.blender.camera import BlenderLens, BlenderView, intrinsics_from_lens, lens_from_intrinsics
from image_to_3d.core import ErrorCode, ImageTo3DError, Intrinsics
from image_to_3d.core.cameras.axes import camera_to_world_blender
from image_to_3d.core.imaging.photo_header import PhotoHead, Upright, read_head
from image_to_3d.io.photo_header import photo_head

from .photo_source import PhotoSource
from .roles import adopt

DISPLAY_METRES = 0.3
"""Size of the drawn cameras of photos and of moves."""
_CLIP_START_METRES, _CLIP_END_METRES = 0.1, 100.0  # Blender's own


def create(
    name: str, intrinsics: Intrinsics, near: float, far: float, metres_per_unit: float, collection: bpy.types.Collection
) -> bpy.types.Object:
    """A camera at the origin of the Blender frame, looking along +Y, that sees exactly what the photo shows.

    Args:
        name: of the object.
        intrinsics: of the photo.
        near, far: distances of the nearest and farthest point, Blender units, to be seen.
        metres_per_unit: of the scene.
        collection: to put it into.
    """
    camera = bpy.data.cameras.new(name)
    match_lens(camera, intrinsics, near, far, metres_per_unit)
    camera.display_size = DISPLAY_METRES / metres_per_unit
    obj = bpy.data.objects.new(name, camera)
    obj.matrix_basis = Matrix(camera_to_world_blender(Matrix.Identity(4)))
    collection.objects.link(obj)
    return obj


def put(
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    found: bpy.types.Object | None,
    intrinsics: Intrinsics,
    depths: tuple[float, float],
    collection: bpy.types.Collection,
) -> bpy.types.Object:
    """The camera below a root: the one found there, with the lens of the photo, else a new one in ``collection``.

    Args:
        scene: renders at the photo's size where this is its camera.
        root: of the photo.
        found: the camera that it has, if there is one.
        intrinsics: of the photo.
        depths: of the nearest and the farthest point in Blender units, before the root's size.
        collection: of the root.
    """
    metres_per_unit = scene.unit_settings.scale_length
    if found is None:
        return adopt(create(f"{root.name} Camera", intrinsics, *depths, metres_per_unit, collection), root, "CAMERA")
    size = root.matrix_world.median_scale  # distances do not follow the size of a camera object
    match_lens(found.data, intrinsics, size * depths[0], size * depths[1], metres_per_unit)
    if scene.camera == found:
        match_render(scene, found, intrinsics)
    return found


def match_lens(
    camera: bpy.types.Camera, intrinsics: Intrinsics, near: float, far: float, metres_per_unit: float
) -> None:
    """Give a camera the projection of the photo; arguments as for :func:`create`."""
    lens = lens_from_intrinsics(intrinsics)
    camera.type = "PERSP"
    camera.sensor_fit = lens.sensor_fit
    camera.sensor_width, camera.sensor_height = lens.sensor_width, lens.sensor_height
    camera.lens = lens.lens
    camera.shift_x, camera.shift_y = lens.shift_x, lens.shift_y
    reach(camera, near, far, metres_per_unit)


def reach(camera: bpy.types.Camera, near: float, far: float, metres_per_unit: float) -> None:
    """Have a camera see everything between two distances in Blender units."""
    camera.clip_start = min(_CLIP_START_METRES / metres_per_unit, max(near / 2, 1e-4))
    camera.clip_end = max(_CLIP_END_METRES / metres_per_unit, 2 * far)


def match_render(scene: bpy.types.Scene, obj: bpy.types.Object, intrinsics: Intrinsics) -> None:
    """Make ``obj`` the scene's camera and give renders the photo's size and pixel aspect."""
    lens = lens_from_intrinsics(intrinsics)
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = lens.width, lens.height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = lens.pixel_aspect_x, lens.pixel_aspect_y
    scene.camera = obj


def intrinsics_of(obj: bpy.types.Object, scene: bpy.types.Scene) -> Intrinsics:
    """The pinhole camera of a perspective camera object at the scene's render size."""
    render = scene.render
    return intrinsics_from_lens(_lens(obj.data, render_size(render), render.pixel_aspect_x, render.pixel_aspect_y))


def render_size(render: bpy.types.RenderSettings) -> tuple[int, int]:
    """Width and height of the whole picture, pixels, as Blender rounds them."""
    share = render.resolution_percentage
    return max(1, render.resolution_x * share // 100), max(1, render.resolution_y * share // 100)


def _lens(camera: bpy.types.Camera, size: tuple[int, int], aspect_x: float, aspect_y: float) -> BlenderLens:
    return BlenderLens(
        lens=camera.lens,
        sensor_width=camera.sensor_width,
        sensor_height=camera.sensor_height,
        sensor_fit=camera.sensor_fit,
        shift_x=camera.shift_x,
        shift_y=camera.shift_y,
        width=size[0],
        height=size[1],
        pixel_aspect_x=aspect_x,
        pixel_aspect_y=aspect_y,
    )


_STAMP = "image_to_3d_changed"
"""Where an image notes when its file had last changed."""


def view_of(obj: bpy.types.Object, scene: bpy.types.Scene) -> BlenderView:
    """What a camera object sees in a render of ``scene``; both may be evaluated ones.

    Raises:
        ImageTo3DError: ``bad_request``: it is no camera, or a panoramic one.
    """
    camera, render = obj.data, scene.render
    if obj.type != "CAMERA":
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.not_a_camera", obj_name=obj.name)
    if camera.type not in {"PERSP", "ORTHO"}:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.camera_panoramic", obj_name=obj.name)
    return BlenderView(
        _lens(camera, render_size(render), render.pixel_aspect_x, render.pixel_aspect_y),
        np.array(obj.matrix_world, np.float64),
        camera.ortho_scale if camera.type == "ORTHO" else None,
        camera.clip_start,
        camera.clip_end,
    )


def photo_intrinsics(obj: bpy.types.Object, size: tuple[int, int]) -> Intrinsics:
    """The photo's pinhole camera, from the camera that :func:`match_lens` set and the photo's size in pixels."""
    camera = obj.data
    # The sensor has the shape of the photo; what its pixels differ from squares by is their aspect.
    ratio = camera.sensor_height / camera.sensor_width * size[0] / size[1]
    return intrinsics_from_lens(_lens(camera, size, max(1.0, 1.0 / ratio), max(1.0, ratio)))


def show_photo(obj: bpy.types.Object, source: PhotoSource, aspect: float) -> None:
    """Show the photo behind the scene when looking through the camera, in place of one shown before.

    A photo that Blender cannot read is left out.

    Args:
        obj: the camera.
        source: the photo.
        aspect: width over height of the upright photo.
    """
    image = blender_image(source)
    if image is None:
        return
    camera = obj.data
    camera.show_background_images = True
    photos = camera.background_images
    background = photos[0] if len(photos) else photos.new()
    background.image = image
    background.display_depth = "BACK"
    background.alpha = 1.0
    upright = orientation(source)
    if upright.quarter_turns % 2:
        # Fitted lying down and then turned, it has to grow by its aspect to fill the upright frame.
        background.frame_method = "FIT"
        background.scale = max(aspect, 1 / aspect)
    else:
        background.frame_method = "STRETCH"
        background.scale = 1.0
    _turn(background, upright)


def _turn(background: bpy.types.CameraBackgroundImage, upright: Upright) -> None:
    """Blender shows files as they are stored; the flag of the camera is applied here."""
    background.use_flip_x = upright.mirrored
    background.rotation = math.radians(90) * upright.quarter_turns


def orientation(source: PhotoSource) -> Upright:
    """What makes the photo upright that Blender shows as it is stored."""
    return _head(source).upright


def _head(source: PhotoSource) -> PhotoHead:
    if source.path is not None:
        return photo_head(source.path)
    return PhotoHead() if source.data is None else read_head(source.data)


def blender_image(source: PhotoSource) -> bpy.types.Image | None:
    """The photo as an image of this file; None where Blender cannot read it."""
    if source.image:
        return bpy.data.images.get(source.image)
    assert source.path is not None
    return _load(source.path)


def _load(path: Path) -> bpy.types.Image | None:
    """Blender decodes it when it is first drawn; asking for its size here would decode it now."""
    if path.suffix.lower() not in bpy.path.extensions_image:  # HEIC, for one
        return None
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
        stamp = str(path.stat().st_mtime_ns)
    except (RuntimeError, OSError):
        return None
    if image.get(_STAMP, stamp) != stamp and not image.is_dirty:
        image.reload()
    image[_STAMP] = stamp
    return image
