"""The orientation of a JPEG is what Pillow makes of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from image_to_3d.core.orientation import Upright, jpeg_orientation


def jpeg(orientation: int) -> bytes:
    rng = np.random.default_rng(1)
    image = Image.fromarray(np.kron(rng.integers(0, 255, (2, 3)), np.ones((16, 16))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=98, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_mirroring_then_turning_makes_upright(orientation: int) -> None:
    data = jpeg(orientation)
    with Image.open(io.BytesIO(data)) as image:
        stored, upright = np.asarray(image), np.asarray(ImageOps.exif_transpose(image))
    found = jpeg_orientation(data)
    mirrored = stored[:, ::-1] if found.mirrored else stored
    np.testing.assert_array_equal(np.rot90(mirrored, -found.quarter_turns), upright)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x20Exif\0\0II*\0\xff\xff\xff\xff", b"\x89PNG"]
)
def test_other_files_are_taken_as_they_are(data: bytes) -> None:
    assert jpeg_orientation(data) == Upright(False, 0)


def test_truncation_anywhere_is_harmless() -> None:
    data = jpeg(6)
    for size in range(300):
        jpeg_orientation(data[:size])
