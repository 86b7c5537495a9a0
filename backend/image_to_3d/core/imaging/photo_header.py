"""What the head of a photo file says, without decoding it: size, orientation, focal length.

For programs that have no decoder or do not apply the orientation (Blender is both). JPEG, PNG, WebP, TIFF, HEIC and AVIF; the
backend decodes with Pillow, and both find the same. Sources: Exif 2.32 (CIPA DC-008), TIFF 6.0, PNG third edition (eXIf), the WebP
container specification, ISO/IEC 23008-12 (HEIF) with ISO/IEC 14496-12 (boxes).
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ..cameras.intrinsics import FocalLength, focal_from_exif

Data = bytes | mmap.mmap
_T = TypeVar("_T")

_WIDTH, _HEIGHT, _ORIENTATION, _EXIF_IFD = 0x0100, 0x0101, 0x0112, 0x8769
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_NUMBERS = {1: "B", 3: "H", 4: "I", 5: "II", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"}
"""TIFF types that hold numbers; two letters are a fraction."""

_MOST_PARTS = 10_000
"""Segments, chunks, boxes or tags that are looked at: damaged files may promise billions."""

_SMALLEST, _LARGEST = 1e-12, 2**32 - 1
"""Between them are all sizes and lengths; others, which 64-bit floats can hold, would overflow or vanish in a focal length."""

_DAMAGE = (LookupError, ArithmeticError, ValueError, struct.error)
"""What reading a number at a place that is none, or counting with an absurd one, raises."""


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
"""By the Exif tag Orientation."""


@dataclass(frozen=True)
class PhotoHead:
    """What the head of a photo file says.

    Attributes:
        width, height: of the upright picture, pixels; 0 where unknown.
        upright: what makes the stored pixels upright.
        mm35: Exif FocalLengthIn35mmFilm, or None.
        mm: Exif FocalLength in millimetres, or None.
    """

    width: int = 0
    height: int = 0
    upright: Upright = _UPRIGHT[1]
    mm35: float | None = None
    mm: float | None = None

    @property
    def focal(self) -> FocalLength | None:
        """The focal length that the backend will find; None where the size is unknown."""
        if not (self.width and self.height):
            return None
        return focal_from_exif(self.mm35, self.mm, self.width, self.height)


@dataclass(frozen=True)
class _Found:
    """Stored size, where the Exif data stand (a TIFF structure), and whether the decoder turns the picture itself."""

    width: int = 0
    height: int = 0
    exif: bytes | Data = b""
    turned: bool = False


def read_head(data: Data) -> PhotoHead:
    """The head of a photo; all unknown for other files, damaged parts left out. Raises nothing, whatever the bytes.

    Args:
        data: the file, or as much of its beginning as there is. A memory map reads only what is looked at.
    """
    found = _Found()
    for signature, at, reader in (
        (b"\xff\xd8", 0, _jpeg),
        (b"\x89PNG\r\n\x1a\n", 0, _png),
        (b"WEBP", 8, _webp),
        (b"II*\0", 0, _tiff),
        (b"MM\0*", 0, _tiff),
        (b"ftyp", 4, _heif),
    ):
        if data[at : at + len(signature)] == signature:
            found = _unless_damaged(reader, data, _Found())
    tags: dict[int, float] = _unless_damaged(_tags, found.exif, {}) if len(found.exif) else {}
    orientation = 1 if found.turned else tags.get(_ORIENTATION)
    upright = _UPRIGHT.get(int(orientation or 1), _UPRIGHT[1])
    size = (found.width, found.height) if upright.quarter_turns % 2 == 0 else (found.height, found.width)
    if not all(0 < side <= _LARGEST for side in size):
        size = (0, 0)
    return PhotoHead(*size, upright, tags.get(_FOCAL_LENGTH_35MM), tags.get(_FOCAL_LENGTH))


def _unless_damaged(read: Callable[[Data], _T], data: Data, otherwise: _T) -> _T:
    try:
        return read(data)
    except _DAMAGE:
        return otherwise


def _jpeg(data: Data) -> _Found:
    size, exif = (0, 0), b""
    at = 2
    for _ in range(_MOST_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker in (0xD9, 0xDA):  # the end, or the start of image data
            break
        length = struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0" and not exif:
            exif = data[at + 10 : at + 2 + length]
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(data):  # start of frame
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        at += 2 + length
    return _Found(*size, exif)


def _png(data: Data) -> _Found:
    size, exif = (0, 0), b""
    at = 8
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IHDR" and at + 16 <= len(data):
            size = struct.unpack_from(">II", data, at + 8)
        elif kind == b"eXIf":
            exif = data[at + 8 : at + 8 + length]
        at += 12 + length
    return _Found(*size, exif)


def _webp(data: Data) -> _Found:
    size, exif = (0, 0), b""
    at = 12
    for _ in range(_MOST_PARTS):
        if at + 18 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 18]
        if kind == b"VP8X":
            size = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        elif kind == b"VP8 " and size == (0, 0):
            size = struct.unpack_from("<H", body, 6)[0] & 0x3FFF, struct.unpack_from("<H", body, 8)[0] & 0x3FFF
        elif kind == b"VP8L" and size == (0, 0):
            bits = int.from_bytes(body[1:5], "little")
            size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            exif = data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return _Found(*size, exif)


def _tiff(data: Data) -> _Found:
    tags = _tags(data)
    return _Found(int(tags.get(_WIDTH) or 0), int(tags.get(_HEIGHT) or 0), data)


def _tags(tiff: Data) -> dict[int, float]:
    """Numbers of the first directory and of its Exif directory; the first wins, as in the backend."""
    order = "<" if tiff[:2] == b"II" else ">"
    if len(tiff) < 8:
        return {}
    first = _directory(tiff, order, struct.unpack_from(order + "I", tiff, 4)[0])
    exif = _directory(tiff, order, int(first[_EXIF_IFD])) if _EXIF_IFD in first else {}
    return exif | first


def _directory(tiff: Data, order: str, start: int) -> dict[int, float]:
    found: dict[int, float] = {}
    if not 0 <= start <= len(tiff) - 2:  # the place of the Exif directory may be of a signed type
        return found
    for i in range(struct.unpack_from(order + "H", tiff, start)[0]):
        at = start + 2 + 12 * i
        if at + 12 > len(tiff):
            break
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, at)
        form = order + _NUMBERS.get(kind, "")
        size = struct.calcsize(form)
        if kind not in _NUMBERS or count != 1:
            continue
        at = at + 8 if size <= 4 else struct.unpack_from(order + "I", tiff, at + 8)[0]
        if at + size > len(tiff):
            continue
        value, *divisor = struct.unpack_from(form, tiff, at)
        number = value / divisor[0] if divisor and divisor[0] else math.nan if divisor else value
        if number == 0 or _SMALLEST <= abs(number) <= _LARGEST:  # not nan either
            found.setdefault(tag, number)
    return found


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    end: int


def _boxes(data: Data, start: int, end: int) -> Iterator[_Box]:
    """The boxes between two places of the file: 32-bit length, type; 64-bit length if the first says 1, the rest if 0."""
    for _ in range(_MOST_PARTS):
        if start + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if length == 1 and start + 16 <= end:
            length, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif length == 0:
            length = end - start
        if length < head:
            return
        yield _Box(kind, start + head, min(start + length, end))
        start += length


def _heif(data: Data) -> _Found:
    """Size of the primary item, turned as its ``irot`` says, and the item of type Exif."""
    meta = next((box for box in _boxes(data, 0, len(data)) if box.kind == b"meta"), None)
    if meta is None:
        return _Found(turned=True)
    boxes = {box.kind: box for box in _boxes(data, meta.start + 4, meta.end)}
    try:
        width, height = _heif_size(data, boxes)
    except _DAMAGE:
        width, height = 0, 0
    try:
        exif = _heif_exif(data, boxes)
    except _DAMAGE:
        exif = b""
    return _Found(width, height, exif, turned=True)


def _heif_size(data: Data, boxes: dict[bytes, _Box]) -> tuple[int, int]:
    primary = boxes[b"pitm"]
    wide = data[primary.start] > 0
    item = struct.unpack_from(">I" if wide else ">H", data, primary.start + 4)[0]
    parts = {box.kind: box for box in _boxes(data, boxes[b"iprp"].start, boxes[b"iprp"].end)}
    properties = list(_boxes(data, parts[b"ipco"].start, parts[b"ipco"].end))
    size, turns = (0, 0), 0
    for index in _heif_associations(data, parts[b"ipma"].start, item):
        box = properties[index - 1]
        if box.kind == b"ispe":
            size = struct.unpack_from(">II", data, box.start + 4)
        elif box.kind == b"clap":  # encoders fill small pictures up and say what counts
            across, divisor, down, other = struct.unpack_from(">IIII", data, box.start)
            size = across // max(1, divisor), down // max(1, other)
        elif box.kind == b"irot":
            turns = data[box.start] & 3
    return (size[1], size[0]) if turns % 2 else (size[0], size[1])


def _heif_associations(data: Data, at: int, wanted: int) -> list[int]:
    """Numbers of the properties of an item, from one, out of the box ``ipma``."""
    version, wide = data[at], data[at + 3] & 1
    count = struct.unpack_from(">I", data, at + 4)[0]
    at += 8
    for _ in range(min(count, _MOST_PARTS)):
        item = struct.unpack_from(">I" if version else ">H", data, at)[0]
        at += 4 if version else 2
        number = data[at]
        at += 1
        width = 2 if wide else 1
        if item == wanted:
            mask = 0x7FFF if wide else 0x7F
            return [int.from_bytes(data[at + width * i : at + width * (i + 1)], "big") & mask for i in range(number)]
        at += width * number
    return []


def _heif_exif(data: Data, boxes: dict[bytes, _Box]) -> bytes:
    """The TIFF structure of the item of type Exif, whose place ``iloc`` tells."""
    wanted = None
    info = boxes[b"iinf"]
    start = info.start + (6 if data[info.start] == 0 else 8)
    for entry in _boxes(data, start, info.end):
        version = data[entry.start]
        if entry.kind == b"infe" and version >= 2:
            at = entry.start + 4
            item, at = (
                (int.from_bytes(data[at : at + 2], "big"), at + 2)
                if version == 2
                else (
                    int.from_bytes(data[at : at + 4], "big"),
                    at + 4,
                )
            )
            if data[at + 2 : at + 6] == b"Exif":
                wanted = item
    if wanted is None:
        return b""
    place = _heif_place(data, boxes[b"iloc"].start, wanted)
    if place is None:
        return b""
    offset, length = place
    skip = struct.unpack_from(">I", data, offset)[0]  # from behind this number to the TIFF header
    return data[offset + 4 + skip : offset + length]


def _heif_place(data: Data, at: int, wanted: int) -> tuple[int, int] | None:
    """Offset and length in the file of an item's first extent, out of the box ``iloc``; None where it is stored elsewhere."""

    def take(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise IndexError("the box goes on behind the end of the file")
        return int.from_bytes(data[at - size : at], "big")

    version = take(4) >> 24
    sizes = take(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(min(take(2 if version < 2 else 4), _MOST_PARTS)):
        item = take(2 if version < 2 else 4)
        method = take(2) & 15 if version else 0
        take(2)  # the file itself
        base = take(base_size)
        extents = take(2)
        for _ in range(
            extents if index_size + offset_size + length_size else min(extents, 1)
        ):  # those of no bytes are alike
            take(index_size)
            offset, length = take(offset_size), take(length_size)
            if item == wanted:  # the first extent
                return (base + offset, length) if method == 0 else None
    return None
