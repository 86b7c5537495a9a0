"""Cameras as they travel, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core import Camera, Intrinsics
from ..core.cameras.camera import FAR_M, NEAR_M
from . import messages

MAX_SIDE = 8192
"""Pixels of a picture along each side."""


def camera_message(camera: Camera) -> messages.Camera:
    """A camera as it travels."""
    k = camera.intrinsics
    return messages.Camera(
        width=k.width,
        height=k.height,
        intrinsics=[k.fx, k.fy, k.cx, k.cy],
        world_to_camera=camera.world_to_camera.ravel().tolist(),
        orthographic_width_m=camera.orthographic_width_m,
        orthographic_height_m=camera.orthographic_height_m,
        near=camera.near,
        far=camera.far,
    )


def camera_of(camera: messages.Camera) -> Camera:
    """The camera that a message describes. Raises ValueError."""
    if not (1 <= camera.width <= MAX_SIDE and 1 <= camera.height <= MAX_SIDE):
        raise ValueError(f"{camera.width}×{camera.height} pixels; between 1 and {MAX_SIDE} on each side are possible")
    if len(camera.intrinsics) != 4:
        raise ValueError(f"intrinsics are four numbers, not {len(camera.intrinsics)}")
    fx, fy, cx, cy = camera.intrinsics
    world_to_camera = matrix(camera.world_to_camera, "world_to_camera")
    near = NEAR_M if camera.near is None else camera.near
    far = FAR_M if camera.far is None else camera.far
    if camera.orthographic_width_m is not None:
        if camera.orthographic_width_m <= 0:
            raise ValueError("orthographic_width_m is not positive")
        high = camera.orthographic_height_m
        if high is not None and high <= 0:
            raise ValueError("orthographic_height_m is not positive")
        return Camera.orthographic_view(
            camera.orthographic_width_m, camera.width, camera.height, world_to_camera, (cx, cy), high, near, far
        )
    return Camera(Intrinsics(fx, fy, cx, cy, camera.width, camera.height), world_to_camera, near=near, far=far)


def matrix(numbers: list[float], name: str) -> NDArray[np.float64]:
    """(4, 4) float64 of 16 numbers, row-major. Raises ValueError."""
    if len(numbers) != 16:
        raise ValueError(f"{name} has {len(numbers)} numbers in place of 16")
    return np.array(numbers, np.float64).reshape(4, 4)
