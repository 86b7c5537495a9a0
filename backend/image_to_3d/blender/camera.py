"""Cameras of this project ↔ Blender's: lens settings, camera objects, and the camera of a pair of Blender's matrices.

Blender describes a camera by a focal length and a sensor size in millimetres, a sensor fit, a shift of the picture frame in
units of its fitted side, and the aspect of a pixel (manual, "Cameras" and "Output › Format"). With the sensor fitted to the
width, a frame of ``width`` pixels is ``sensor_width`` wide, so fx = lens / sensor_width · width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.cameras.axes import camera_to_world_blender, world_to_camera_opencv
from ..core.cameras.camera import FAR_M, NEAR_M, Camera
from ..core.cameras.intrinsics import DIAGONAL_35MM, Intrinsics

SensorFit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]


@dataclass(frozen=True)
class BlenderLens:
    """The settings of a Blender camera and of the render output that make up its projection.

    Attributes:
        lens: focal length, millimetres.
        sensor_width, sensor_height: millimetres.
        sensor_fit: which side of the picture the sensor is fitted to; ``AUTO`` takes the longer one and ``sensor_width``.
        shift_x, shift_y: movement of the frame to the right and up, as a fraction of the fitted side.
        width, height: of the picture, pixels.
        pixel_aspect_x, pixel_aspect_y: width and height of a pixel, only their ratio counts.
    """

    lens: float
    sensor_width: float
    sensor_height: float
    sensor_fit: SensorFit
    shift_x: float
    shift_y: float
    width: int
    height: int
    pixel_aspect_x: float = 1.0
    pixel_aspect_y: float = 1.0


def lens_from_intrinsics(k: Intrinsics) -> BlenderLens:
    """Blender's settings for a photo, exact for any principal point and for fx ≠ fy.

    The sensor gets the diagonal of the 35 mm format, so ``lens`` is the 35 mm equivalent that people know their camera by.
    """
    # fy = lens / sensor_width · width · aspect_x / aspect_y; Blender accepts aspects ≥ 1.
    aspect_x, aspect_y = (k.fy / k.fx, 1.0) if k.fy > k.fx else (1.0, k.fx / k.fy)
    to_mm = DIAGONAL_35MM / float(np.hypot(k.width * aspect_x, k.height * aspect_y))
    return BlenderLens(
        lens=k.fx * aspect_x * to_mm,
        sensor_width=k.width * aspect_x * to_mm,
        sensor_height=k.height * aspect_y * to_mm,
        sensor_fit="HORIZONTAL",
        shift_x=(k.width / 2 - k.cx) / k.width,
        shift_y=(k.cy - k.height / 2) * aspect_y / (k.width * aspect_x),
        width=k.width,
        height=k.height,
        pixel_aspect_x=aspect_x,
        pixel_aspect_y=aspect_y,
    )


def intrinsics_from_lens(b: BlenderLens) -> Intrinsics:
    """The pinhole camera of any perspective Blender camera. Inverse of :func:`lens_from_intrinsics`."""
    fitted, sensor = _fitted_side(b)
    return _intrinsics(b, b.lens / sensor * fitted, fitted)


def _fitted_side(b: BlenderLens) -> tuple[float, float]:
    """The side that the sensor is fitted to: its length in pixels of the smaller aspect, and the sensor's in millimetres."""
    wide, high = b.width * b.pixel_aspect_x, b.height * b.pixel_aspect_y
    if b.sensor_fit == "VERTICAL" or (b.sensor_fit == "AUTO" and high > wide):
        return high, b.sensor_height if b.sensor_fit == "VERTICAL" else b.sensor_width
    return wide, b.sensor_width


def _intrinsics(b: BlenderLens, scale: float, fitted: float) -> Intrinsics:
    """Principal point by the shift; ``scale`` is the focal length, or the pixels per unit of a parallel projection."""
    return Intrinsics(
        fx=scale / b.pixel_aspect_x,
        fy=scale / b.pixel_aspect_y,
        cx=b.width / 2 - b.shift_x * fitted / b.pixel_aspect_x,
        cy=b.height / 2 + b.shift_y * fitted / b.pixel_aspect_y,
        width=b.width,
        height=b.height,
    )


@dataclass(frozen=True, eq=False)
class ViewCamera:
    """What a viewport or a camera object sees.

    Attributes:
        camera: in the OpenCV frame, metres.
        back: how far it stands behind the point of view that Blender's matrix describes, metres. Depth in that view is depth in
            the picture minus this. 0 for perspective views.
    """

    camera: Camera
    back: float


def camera_from_matrices(
    projection: ArrayLike,
    view: ArrayLike,
    width: int,
    height: int,
    metres_per_unit: float = 1.0,
    nearest: float | None = None,
) -> ViewCamera:
    """The camera of a viewport or of a camera object, from the matrices that Blender draws with.

    With z = −Z in front of the camera and y = −Y, OpenGL's projection ("The OpenGL Specification", coordinate transformations)
    is u = W/2 · (P₀₀ x/z − P₀₂ + 1), v = H/2 · (P₁₁ y/z + P₁₂ + 1) for a perspective, u = W/2 · (P₀₀ x + P₀₃ + 1),
    v = H/2 · (P₁₁ y − P₁₃ + 1) for a parallel one: shifts of the lens, borders and the aspect of pixels are all in it.

    Orthographic viewports also show what is behind their point of view, as far as their clip end; their camera is moved back
    (:attr:`ViewCamera.back`) until all of that is in front of it.

    Args:
        projection: (4, 4), ``RegionView3D.window_matrix`` or ``Object.calc_matrix_camera``.
        view: (4, 4), ``RegionView3D.view_matrix``: world → camera in Blender units.
        width, height: of the picture, pixels.
        metres_per_unit: ``scene.unit_settings.scale_length``.
        nearest: smallest depth in the view where anything is, metres, may be negative. An orthographic camera is then put
            there, because a depth of 16 bits is the finer the smaller it is.

    Raises:
        ValueError: the matrices are no camera's.
    """
    p, v = np.asarray(projection, np.float64), np.asarray(view, np.float64)
    if p.shape != (4, 4) or v.shape != (4, 4) or not (np.isfinite(p).all() and np.isfinite(v).all()):
        raise ValueError("a camera has two finite 4×4 matrices")
    orthographic = bool(p[3, 3] != 0)
    near, far = (limit * metres_per_unit for limit in clip_planes(p))
    camera_to_world = np.linalg.inv(v)
    camera_to_world[:3, 3] *= metres_per_unit
    world_to_camera = np.array(world_to_camera_opencv(camera_to_world), np.float64)
    if orthographic:
        fx, fy = width / 2 * p[0, 0] / metres_per_unit, height / 2 * p[1, 1] / metres_per_unit
        cx, cy = width / 2 * (p[0, 3] + 1), height / 2 * (1 - p[1, 3])
        near = near if nearest is None else min(max(near, nearest), far - NEAR_M)
        back = NEAR_M - near if nearest is not None else max(0.0, NEAR_M - near)
        world_to_camera[2, 3] += back
        near, far = near + back, far + back
    else:
        fx, fy = width / 2 * p[0, 0], height / 2 * p[1, 1]
        cx, cy = width / 2 * (1 - p[0, 2]), height / 2 * (1 + p[1, 2])
        back, near = 0.0, max(near, NEAR_M)
    if not near < far < FAR_M:  # float32 matrices cannot hold a clip end that is very far
        far = FAR_M
    return ViewCamera(Camera(Intrinsics(fx, fy, cx, cy, width, height), world_to_camera, orthographic, near, far), back)


def clip_planes(projection: ArrayLike) -> tuple[float, float]:
    """Clip start and end of an OpenGL projection (4, 4), in its unit; the end is infinite where rounding has swallowed it."""
    p = np.asarray(projection, np.float64)
    a, b = float(p[2, 2]), float(p[2, 3])
    if p[3, 3] != 0:  # a = −2 / (f − n), b = −(f + n) / (f − n)
        return (b + 1) / a, (b - 1) / a
    far = b / (a + 1) if a + 1 < 0 else np.inf  # a = −(f + n) / (f − n), b = −2 f n / (f − n)
    return b / (a - 1), far


@dataclass(frozen=True, eq=False)
class BlenderView:
    """A Blender camera with its place in a frame, lengths in Blender units.

    Attributes:
        lens: its projection; ``lens.lens`` means nothing for a parallel one.
        matrix: (4, 4) of the camera object in the frame (``matrix_world`` in the world); its scale does not matter.
        ortho_scale: units across the fitted side of a parallel projection; None for perspective.
        clip_start, clip_end: along the direction of view.
    """

    lens: BlenderLens
    matrix: NDArray[np.float64]
    ortho_scale: float | None = None
    clip_start: float = 0.1
    clip_end: float = 100.0


def camera_from_view(view: BlenderView, frame: ArrayLike | None = None, metres_per_unit: float = 1.0) -> Camera:
    """The camera that draws what a Blender camera sees, in the OpenCV frame that belongs to a Blender frame.

    Args:
        view: placed in the world.
        frame: ``matrix_world`` (4, 4) of the root that the photo's points hang below, a rotation, one scale and a shift, so that
            the camera comes out in the photo's own frame; None: the world's.
        metres_per_unit: ``scene.unit_settings.scale_length``.

    Raises:
        ValueError: the frame flattens space, or the clip distances are impossible.
    """
    to_frame = np.linalg.inv(np.asarray(frame, np.float64)) if frame is not None else np.eye(4)
    scale = float(np.cbrt(abs(np.linalg.det(to_frame[:3, :3])))) * metres_per_unit
    matrix = to_frame @ np.asarray(view.matrix, np.float64)
    matrix[:3, 3] *= metres_per_unit
    world_to_camera = np.asarray(world_to_camera_opencv(matrix), np.float64)
    near, far = view.clip_start * scale, view.clip_end * scale
    if view.ortho_scale is None:
        return Camera(intrinsics_from_lens(view.lens), world_to_camera, near=near, far=far)
    fitted, _ = _fitted_side(view.lens)
    k = _intrinsics(view.lens, fitted / (view.ortho_scale * scale), fitted)
    return Camera(k, world_to_camera, True, near, far)


def view_from_camera(camera: Camera, metres_per_unit: float = 1.0) -> BlenderView:
    """A Blender camera that sees what a camera draws, placed in the Blender frame that belongs to the camera's frame.

    Inverse of :func:`camera_from_view` up to the choice of sensor and fit.
    """
    k = camera.intrinsics
    matrix = np.asarray(camera_to_world_blender(camera.world_to_camera), np.float64)
    matrix[:3, 3] /= metres_per_unit
    return BlenderView(
        lens_from_intrinsics(k),
        matrix,
        k.width / k.fx / metres_per_unit if camera.orthographic else None,
        camera.near / metres_per_unit,
        camera.far / metres_per_unit,
    )
