"""The head of a photo file, without Pillow."""

from __future__ import annotations

import mmap
from pathlib import Path

from ..core.imaging.photo_header import PhotoHead, read_head


def photo_head(path: str | Path) -> PhotoHead:
    """What the head of a photo file says; all unknown for files of other kinds and damaged ones.

    Raises:
        OSError: the file is missing or may not be read.
    """
    with Path(path).open("rb") as stream:
        if not stream.read(1):  # an empty file cannot be mapped
            return PhotoHead()
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read_head(data)
