"""Camera paths as JSON files; what is in them is :class:`~image_to_3d.core.CameraPath`'s business."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..core.cameras.camera import CameraPath
from ..core.errors import ErrorCode, ImageTo3DError
from .atomic import atomic_open

_MAX_BYTES = 64_000_000


def read_camera_path(path: Path, names: Sequence[str] = ()) -> CameraPath:
    """Read a camera-path file.

    Args:
        path: of the file.
        names: what could have been meant where there is no such file.

    Raises:
        ImageTo3DError: ``bad_request`` with one sentence if it is missing, no JSON, or wrong.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.file_too_large", path=path)
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if names:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST, "film.unknown_trajectory", path=path, names=", ".join(names)
            ) from None
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.file_missing", path=path) from None
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "film.file_not_openable", path=path, why=error.strerror or error
        ) from None
    except (ValueError, RecursionError):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.not_json", path=path) from None
    return CameraPath.from_json(document)


def write_camera_path(path: Path, cameras: CameraPath) -> None:
    """Write a camera-path file, whole or not at all.

    Raises:
        ImageTo3DError: ``engine_failed`` with a sentence if it cannot be written.
    """
    with atomic_open(path) as stream:
        stream.write(json.dumps(cameras.to_json(), indent=1).encode())
