"""A camera with a place in the world: what a renderer needs, and a path of them as a JSON file.

World and camera frames are OpenCV's: x right, y down, z forward, metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ErrorCode, ImageTo3DError
from .intrinsics import Intrinsics

NEAR_M = 0.01
FAR_M = 1e10

PATH_VERSION = 1
MAX_PICTURE_SIDE = 16384
_MAX_FRAMES = 100_000
_RIGID_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a picture is taken from, and how.

    Attributes:
        intrinsics: size of the picture, principal point and focal lengths in pixels. For an orthographic camera fx and fy are
            pixels per metre: u = fx · x + cx.
        world_to_camera: (4, 4) float64, a rigid motion.
        orthographic: parallel projection instead of a pinhole.
        near, far: Gaussians whose centre has z < near or z > far are left out, metres.

    Raises:
        ValueError: the matrix is not a rigid motion, or the limits are not 0 < near < far.
    """

    intrinsics: Intrinsics
    world_to_camera: NDArray[np.float64]
    orthographic: bool = False
    near: float = NEAR_M
    far: float = FAR_M

    def __post_init__(self) -> None:
        matrix = np.array(self.world_to_camera, np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError(f"world_to_camera is a finite 4×4 matrix, not {matrix.shape}")
        R = matrix[:3, :3]
        if (
            np.abs(R @ R.T - np.eye(3)).max() > _RIGID_TOLERANCE
            or np.linalg.det(R) < 0
            or np.abs(matrix[3] - [0.0, 0.0, 0.0, 1.0]).max() > _RIGID_TOLERANCE
        ):
            raise ValueError("world_to_camera is not a rigid motion")
        if not 0.0 < self.near < self.far:
            raise ValueError(f"a camera sees from near to far, not from {self.near:g} to {self.far:g}")
        matrix.setflags(write=False)
        object.__setattr__(self, "world_to_camera", matrix)

    @classmethod
    def at_origin(cls, intrinsics: Intrinsics) -> Camera:
        """The camera of a photo: at the origin of its cloud, looking along +z."""
        return cls(intrinsics, np.eye(4))

    @classmethod
    def orthographic_view(
        cls,
        width_m: float,
        width: int,
        height: int,
        world_to_camera: ArrayLike,
        centre: tuple[float, float] | None = None,
        height_m: float | None = None,
        near: float = NEAR_M,
        far: float = FAR_M,
    ) -> Camera:
        """A parallel projection that shows ``width_m`` metres across ``width`` pixels.

        Args:
            width_m: metres across the picture.
            width, height: pixels.
            world_to_camera: (4, 4).
            centre: principal point in pixels; the middle of the picture by default.
            height_m: metres from top to bottom; None for square pixels.
            near, far: metres.
        """
        cx, cy = centre if centre is not None else (width / 2, height / 2)
        fx = width / width_m
        fy = fx if height_m is None else height / height_m
        return cls(Intrinsics(fx, fy, cx, cy, width, height), np.asarray(world_to_camera), True, near, far)

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return self.intrinsics.width

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return self.intrinsics.height

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.intrinsics.width, self.intrinsics.height

    @property
    def orthographic_width_m(self) -> float | None:
        """Metres across the picture; None for a pinhole."""
        return self.intrinsics.width / self.intrinsics.fx if self.orthographic else None

    @property
    def orthographic_height_m(self) -> float | None:
        """Metres from top to bottom of the picture; None for a pinhole, and where the pixels are square."""
        k = self.intrinsics
        return k.height / k.fy if self.orthographic and k.fy != k.fx else None

    def in_frame(self, frame_to_world: ArrayLike) -> Camera:
        """The camera that sees the same picture of a scene described in another frame.

        Args:
            frame_to_world: (4, 4) rotation, one scale and shift from that frame to this camera's world.

        Raises:
            ValueError: the matrix flattens space.
        """
        matrix = np.asarray(frame_to_world, np.float64)
        det = float(np.linalg.det(matrix[:3, :3]))
        if not det > 0:
            raise ValueError("a frame is not flat and not mirrored")
        scale = float(np.cbrt(det))
        world_to_camera = self.world_to_camera @ matrix
        world_to_camera[:3] /= scale
        k = self.intrinsics
        if self.orthographic:
            k = replace(k, fx=k.fx * scale, fy=k.fy * scale)
        return replace(
            self,
            intrinsics=k,
            world_to_camera=world_to_camera,
            near=self.near / scale,
            far=self.far / scale,
        )

    def with_size(self, width: int, height: int) -> Camera:
        """The same view in a picture of another size, pixels kept square: filled, so the longer side is cropped."""
        return replace(self, intrinsics=cover(self.intrinsics, width, height))


def cover(intrinsics: Intrinsics, width: int, height: int) -> Intrinsics:
    """Intrinsics for another picture size that neither stretches nor leaves borders: scaled until filled and cropped."""
    scale = max(width / intrinsics.width, height / intrinsics.height)
    return Intrinsics(
        intrinsics.fx * scale,
        intrinsics.fy * scale,
        width / 2 + (intrinsics.cx - intrinsics.width / 2) * scale,
        height / 2 + (intrinsics.cy - intrinsics.height / 2) * scale,
        width,
        height,
    )


@dataclass(frozen=True)
class CameraPath:
    """Cameras of a film, one per frame.

    Attributes:
        fps: frames per second.
        cameras: at least one.
    """

    fps: float
    cameras: tuple[Camera, ...]

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("a camera path has at least one frame")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise ValueError(f"frames per second must be positive, not {self.fps}")

    def with_size(self, width: int, height: int) -> CameraPath:
        """The same path in another picture size (:meth:`Camera.with_size`)."""
        return replace(self, cameras=tuple(camera.with_size(width, height) for camera in self.cameras))

    def to_json(self) -> dict[str, Any]:
        """The camera-path document: ``{"version", "fps", "frames": [...]}``, plain numbers only.

        A pinhole frame has ``"intrinsics": [fx, fy, cx, cy]``; an orthographic one ``"orthographic_width_m"`` and
        ``"intrinsics": [cx, cy]``, and ``"orthographic_height_m"`` where pixels are not square. ``"clip": [near, far]`` is
        there where it is not what :class:`Camera` takes by itself.
        """
        return {"version": PATH_VERSION, "fps": float(self.fps), "frames": [_frame_to_json(c) for c in self.cameras]}

    @classmethod
    def from_json(cls, document: Any) -> CameraPath:
        """Read what :meth:`to_json` wrote, or what another program wrote to the same description.

        Raises:
            ImageTo3DError: ``bad_request`` with one sentence that names the frame and what is wrong with it.
        """
        if not isinstance(document, Mapping):
            raise _bad_path("the file does not hold a JSON object")
        version = document.get("version")
        if version != PATH_VERSION:
            raise _bad_path(f'"version" is {version!r} where {PATH_VERSION} is understood')
        fps = _numbers(document.get("fps"), 1, '"fps"')[0]
        if not 0 < fps <= 1000:
            raise _bad_path(f'"fps" is {fps:g}, which is not between 0 and 1000')
        frames = document.get("frames")
        if not isinstance(frames, list) or not 1 <= len(frames) <= _MAX_FRAMES:
            raise _bad_path(f'"frames" must be a list of 1 to {_MAX_FRAMES} frames')
        return cls(fps, tuple(_frame_from_json(frame, f"frame {i}") for i, frame in enumerate(frames)))


def _frame_to_json(camera: Camera) -> dict[str, Any]:
    k = camera.intrinsics
    frame: dict[str, Any] = {"size": [k.width, k.height]}
    if camera.orthographic_width_m is not None:
        frame["orthographic_width_m"] = float(camera.orthographic_width_m)
        frame["intrinsics"] = [float(k.cx), float(k.cy)]
        if camera.orthographic_height_m is not None:
            frame["orthographic_height_m"] = float(camera.orthographic_height_m)
    else:
        frame["intrinsics"] = [float(k.fx), float(k.fy), float(k.cx), float(k.cy)]
    if (camera.near, camera.far) != (NEAR_M, FAR_M):
        frame["clip"] = [float(camera.near), float(camera.far)]
    frame["world_to_camera"] = camera.world_to_camera.tolist()
    return frame


def _frame_from_json(frame: Any, where: str) -> Camera:
    if not isinstance(frame, Mapping):
        raise _bad_path(f"{where} is not a JSON object")
    size = _numbers(frame.get("size"), 2, f'"size" of {where}')
    width, height = (int(v) for v in size)
    if (width, height) != tuple(size) or not (1 <= width <= MAX_PICTURE_SIDE and 1 <= height <= MAX_PICTURE_SIDE):
        raise _bad_path(f'"size" of {where} is not two whole numbers between 1 and {MAX_PICTURE_SIDE}')
    matrix = frame.get("world_to_camera")
    if isinstance(matrix, list) and len(matrix) == 4 and all(isinstance(row, list) for row in matrix):
        matrix = [value for row in matrix for value in row]
    world_to_camera = np.reshape(_numbers(matrix, 16, f'"world_to_camera" of {where}'), (4, 4))
    metres, high = frame.get("orthographic_width_m"), frame.get("orthographic_height_m")
    given, clip = frame.get("intrinsics"), frame.get("clip")
    near, far = (NEAR_M, FAR_M) if clip is None else _numbers(clip, 2, f'"clip" of {where}')
    try:
        if metres is not None:
            metres = _numbers(metres, 1, f'"orthographic_width_m" of {where}')[0]
            if metres <= 0:
                raise _bad_path(f'"orthographic_width_m" of {where} is not positive')
            if high is not None:
                high = _numbers(high, 1, f'"orthographic_height_m" of {where}')[0]
                if high <= 0:
                    raise _bad_path(f'"orthographic_height_m" of {where} is not positive')
            count = len(given) if isinstance(given, list) else 2
            centre = None if given is None else _numbers(given, count, f'"intrinsics" of {where}')[-2:]
            if centre is not None and (count not in (2, 4)):
                raise _bad_path(f'"intrinsics" of {where} must be [cx, cy] for an orthographic camera')
            middle = None if centre is None else (centre[0], centre[1])
            return Camera.orthographic_view(metres, width, height, world_to_camera, middle, high, near, far)
        fx, fy, cx, cy = _numbers(given, 4, f'"intrinsics" of {where}')
        return Camera(Intrinsics(fx, fy, cx, cy, width, height), world_to_camera, near=near, far=far)
    except ValueError as error:
        raise _bad_path(f"{where}: {error}") from None


def _numbers(values: Any, count: int, name: str) -> list[float]:
    items = values if isinstance(values, list) else [values]
    if len(items) != count or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in items):
        raise _bad_path(f"{name} must be {'a number' if count == 1 else f'{count} numbers'}")
    try:
        floats = [float(v) for v in items]
    except OverflowError:
        floats = [np.inf]
    if not np.isfinite(floats).all():
        raise _bad_path(f"{name} holds a number that is not finite")
    return floats


def _bad_path(what: str) -> ImageTo3DError:
    return ImageTo3DError(ErrorCode.BAD_REQUEST, "film.path_invalid", what=what)
