"""Files of 3D Gaussians of every kind that is known here, told apart by their names."""

from __future__ import annotations

from pathlib import Path

from ..core import GaussianCloud
from ..core.errors import ErrorCode, ImageTo3DError
from .ply import PlyFormat, read_ply, write_ply
from .splat import read_splat, write_splat
from .spz import read_spz, write_spz

SUFFIXES = (".ply", ".splat", ".spz")
"""Kinds of files, in lower case. Only a PLY keeps camera, picture grid and full precision."""


def is_scene(path: str | Path) -> bool:
    """Whether a file's name says that it holds Gaussians."""
    return Path(path).suffix.lower() in SUFFIXES


def read_scene(path: str | Path) -> GaussianCloud:
    """Read a ``.ply``, ``.splat`` or ``.spz`` file.

    Raises:
        ImageTo3DError: ``image_unreadable`` for another suffix, and for a file that holds no Gaussians.
    """
    suffix = _suffix(path, ErrorCode.IMAGE_UNREADABLE)
    return {".ply": read_ply, ".splat": read_splat, ".spz": read_spz}[suffix](path)


def write_scene(path: str | Path, cloud: GaussianCloud, layout: PlyFormat = "ply") -> None:
    """Write a ``.ply``, ``.splat`` or ``.spz`` file; it appears whole or not at all.

    Args:
        path: its suffix says which.
        cloud: to be written.
        layout: of a PLY.

    Raises:
        ImageTo3DError: ``bad_request`` for another suffix; the disk is full or the folder not writable.
    """
    suffix = _suffix(path, ErrorCode.BAD_REQUEST)
    if suffix == ".ply":
        write_ply(path, cloud, layout)
    elif suffix == ".splat":
        write_splat(path, cloud)
    else:
        write_spz(path, cloud)


def _suffix(path: str | Path, code: ErrorCode) -> str:
    if not is_scene(path):
        raise ImageTo3DError(
            code,
            f"{Path(path).name or path} is no file of Gaussians by its name.",
            f"Give it one of the suffixes {', '.join(SUFFIXES)}.",
        )
    return Path(path).suffix.lower()
