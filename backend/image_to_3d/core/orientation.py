"""The orientation flag of JPEG photos, for programs that show a picture without applying it (Blender is one).

The backend decodes photos with Pillow, which applies the flag; this is for the other end of the wire.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Upright:
    """What makes a stored picture upright: first the mirroring, then the turn.

    Attributes:
        mirrored: swap left and right.
        quarter_turns: by 90° clockwise.
    """

    mirrored: bool
    quarter_turns: int


_UPRIGHT = {
    1: Upright(False, 0),
    2: Upright(True, 0),
    3: Upright(False, 2),
    4: Upright(True, 2),
    5: Upright(True, 3),
    6: Upright(False, 1),
    7: Upright(True, 1),
    8: Upright(False, 3),
}


def jpeg_orientation(data: bytes) -> Upright:
    """How a JPEG is made upright (Exif 2.32, tag 274); as it is for other files and damaged headers.

    Args:
        data: the beginning of the file; Exif data lie within its first 64 kB or so.
    """
    try:
        return _UPRIGHT.get(_tag(data), _UPRIGHT[1])
    except (struct.error, IndexError):
        return _UPRIGHT[1]


def _tag(data: bytes) -> int:
    if data[:2] != b"\xff\xd8":
        return 1
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:  # until the image data start
        marker, size = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            return _tiff_orientation(data[at + 10 : at + 2 + size])
        at += 2 + size
    return 1


def _tiff_orientation(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", tiff, 4)[0]
    for i in range(struct.unpack_from(order + "H", tiff, start)[0]):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * i)
        if tag == _ORIENTATION_TAG:
            return int(value)
    return 1
