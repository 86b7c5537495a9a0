"""Photos for tests in Blender, and what became of them."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np


def small_photo(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    """A photo for the engine *lite* or a depth file of its own."""
    image = bpy.data.images.new("Small", *size)
    image.pixels.foreach_set(np.linspace(0, 1, size[0] * size[1] * 4, dtype=np.float32))
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return path


def roots() -> list[str]:
    """Names of the photos in the file."""
    return sorted(obj.name for obj in bpy.data.objects if obj.image_to_3d.role == "ROOT")


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The JPEG with an Exif block that says only how it is turned, before all others."""
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"
    block = b"Exif\0\0" + tiff
    rest = jpeg[2:]
    if rest[:2] == b"\xff\xe1":  # its own Exif block
        rest = rest[2 + int.from_bytes(rest[2:4], "big") :]
    return b"\xff\xd8\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + rest
