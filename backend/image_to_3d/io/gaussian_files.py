"""Files of 3D Gaussians of every kind of the table :data:`image_to_3d.file_kinds.SPLATS`, told apart by their names."""

from __future__ import annotations

from pathlib import Path

from ..core import GaussianCloud
from ..core.errors import ErrorCode, ImageTo3DError
from ..file_kinds import SPLATS, FileKind, kind_of, load, suffixes


def is_scene(path: str | Path) -> bool:
    """Whether a file's name says that it holds Gaussians."""
    return kind_of(path, SPLATS) is not None


def read_scene(path: str | Path) -> GaussianCloud:
    """Read a file of Gaussians; its suffix says of which kind.

    Raises:
        ImageTo3DError: ``image_unreadable`` for another suffix, and for a file that holds no Gaussians.
    """
    kind = _kind(path, ErrorCode.IMAGE_UNREADABLE)
    cloud: GaussianCloud = load(kind.reader)(path)
    return cloud


def write_scene(path: str | Path, cloud: GaussianCloud, layout: str = "") -> None:
    """Write a file of Gaussians; it appears whole or not at all.

    Args:
        path: its suffix says which kind.
        cloud: to be written.
        layout: of a kind that has several, see :class:`~image_to_3d.file_kinds.FileKind`; empty: the usual one.

    Raises:
        ImageTo3DError: ``bad_request`` for another suffix; the disk is full or the folder not writable.
    """
    kind = _kind(path, ErrorCode.BAD_REQUEST, writable=True)
    write = load(kind.writer)
    if kind.layouts:
        write(path, cloud, layout or kind.layouts[0])
    else:
        write(path, cloud)


def _kind(path: str | Path, code: ErrorCode, writable: bool = False) -> FileKind:
    kind = kind_of(path, SPLATS)
    if kind is None or (writable and not kind.writer):
        raise ImageTo3DError(
            code, "files.unknown_suffix", name=Path(path).name or path, suffixes=", ".join(suffixes(SPLATS, writable))
        )
    return kind
