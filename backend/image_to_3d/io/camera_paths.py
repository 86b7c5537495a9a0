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
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST, f"{path} is too large for a camera path.", "Check that it is the right file."
            )
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if names:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST,
                f"There is no trajectory and no file {path}.",
                f"Name one of {', '.join(names)}, or a camera path in JSON.",
            ) from None
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, f"There is no file {path}.", "Check its name.") from None
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, f"{path} cannot be opened: {error.strerror or error}.", "Check its permissions."
        ) from None
    except (ValueError, RecursionError):
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, f"{path} is no JSON file.", "Export the camera path again."
        ) from None
    return CameraPath.from_json(document)


def write_camera_path(path: Path, cameras: CameraPath) -> None:
    """Write a camera-path file, whole or not at all.

    Raises:
        ImageTo3DError: ``engine_failed`` with a sentence if it cannot be written.
    """
    with atomic_open(path) as stream:
        stream.write(json.dumps(cameras.to_json(), indent=1).encode())
