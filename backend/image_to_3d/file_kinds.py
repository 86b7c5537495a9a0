"""The kinds of files of photos, depth and Gaussians, once: for folders, file browsers, drops, readers and writers.

A new format is one module below ``io/`` and one row here. Data only: no reader is imported before it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FileKind:
    """A kind of files.

    Attributes:
        suffixes: in lower case with the dot; the first is the usual one.
        title: in menus.
        description: under the title, one sentence without a full stop.
        reader: ``module:function`` that reads such a file; empty: what reads all kinds of its table reads this one too.
        writer: ``module:function`` that writes one; empty if none does.
        layouts: that the writer takes as a third argument, the usual one first; empty if it takes none.
        has_header: the size of a picture is known without decoding it.
    """

    suffixes: tuple[str, ...]
    title: str = ""
    description: str = ""
    reader: str = ""
    writer: str = ""
    layouts: tuple[str, ...] = ()
    has_header: bool = False


PHOTOS: list[FileKind] = [
    FileKind((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG", has_header=True),
    FileKind((".png",), "PNG", has_header=True),
    FileKind((".webp",), "WebP", has_header=True),
    FileKind((".tif", ".tiff"), "TIFF", has_header=True),
    FileKind((".bmp",), "BMP"),
    FileKind((".heic", ".heif", ".hif"), "HEIF"),
    FileKind((".avif",), "AVIF"),
    FileKind((".ppm", ".pgm"), "Netpbm"),
    FileKind((".jp2",), "JPEG 2000"),
]
"""Pictures that are taken for photos; one that a person names may have any suffix that Pillow or libheif can read."""

DEPTHS: list[FileKind] = [
    FileKind((".npy",), "NumPy", reader="image_to_3d.io.depth:read_npy"),
    FileKind((".npz",), "NumPy, compressed", reader="image_to_3d.io.depth:read_npz"),
    FileKind((".exr",), "OpenEXR", reader="image_to_3d.io.depth:read_exr"),
    FileKind((".png",), "PNG", reader="image_to_3d.io.depth:read_image"),
    FileKind((".tif", ".tiff"), "TIFF", reader="image_to_3d.io.depth:read_image"),
]
"""Depth files, in the order in which they are looked for beside a photo.

A reader takes (bytes, name for messages) and gives numbers in metres, (H, W) or (H, W, 1). It raises ``ValueError``, with what
is wrong, for a file that holds none."""

SPLATS: list[FileKind] = [
    FileKind(
        (".ply",),
        "Standard (.ply)",
        "Full precision; every splat viewer reads it",
        "image_to_3d.io.ply:read_ply",
        "image_to_3d.io.ply:write_ply",
        ("ply", "ply-full"),
    ),
    FileKind(
        (".splat",),
        "Small (.splat)",
        "Half as large: colours, opacities and rotations in 8 bits",
        "image_to_3d.io.splat:read_splat",
        "image_to_3d.io.splat:write_splat",
    ),
    FileKind(
        (".spz",),
        "Smallest (.spz)",
        "A seventh of the size: positions in steps of a quarter of a millimetre, the rest in 8 bits",
        "image_to_3d.io.spz:read_spz",
        "image_to_3d.io.spz:write_spz",
    ),
]
"""Files of 3D Gaussians. Only a PLY keeps camera, picture grid and full precision.

A reader takes the path and gives a :class:`~image_to_3d.core.GaussianCloud`; a writer takes the path, the cloud and, where the
row names layouts, one of them."""


def suffixes(kinds: list[FileKind], writable: bool = False) -> tuple[str, ...]:
    """All suffixes of a table, in its order; only those of kinds that can be written, if asked."""
    return tuple(suffix for kind in kinds if kind.writer or not writable for suffix in kind.suffixes)


def file_filter(kinds: list[FileKind], writable: bool = False) -> str:
    """The suffixes as Blender's file browser takes them: ``*.a;*.b``."""
    return ";".join(f"*{suffix}" for suffix in suffixes(kinds, writable))


def kind_of(path: str | Path, kinds: list[FileKind]) -> FileKind | None:
    """The row that a file belongs to by its name; None if it belongs to none."""
    suffix = Path(path).suffix.lower()
    return next((kind for kind in kinds if suffix in kind.suffixes), None)


def load(function: str) -> Callable[..., Any]:
    """The function that a row names as ``module:function``."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
