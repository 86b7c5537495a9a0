"""Heads of photo files that are well formed and say what no camera says: directories of tags, boxes, in every container.

Random bytes hardly ever make a directory, and so never reach what reads one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from hypothesis import strategies as st

Entry = tuple[int, int, float | bytes]
"""Type, count, and the value, or the four bytes that stand for it."""

FORMS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"}
TAGS = [0x0100, 0x0101, 0x0112, 0x8769, 0x920A, 0xA405]
NUMBERS = [0, 1, 2, 6, 8, 26, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]


def tiff(order: str, first: Mapping[int, Entry], exif: Mapping[int, Entry] | None = None, start: int = 8) -> bytes:
    """A TIFF structure of a directory, and of an Exif directory behind it to which the first one points."""
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    if exif is None:
        return header + _directory(order, first, 8)
    size = len(_directory(order, {**first, 0x8769: (4, 1, 0)}, 8))
    pointer: Entry = (4, 1, 8 + size)
    return header + _directory(order, {**first, 0x8769: pointer}, 8) + _directory(order, exif, 8 + size)


def _directory(order: str, entries: Mapping[int, Entry], at: int) -> bytes:
    rows, beside = b"", b""
    for tag, (kind, count, value) in entries.items():
        stored = value if isinstance(value, bytes) else _stored(order, FORMS.get(kind, "I"), value)
        if len(stored) > 4:
            place = at + 2 + 12 * len(entries) + 4 + len(beside)
            stored, beside = struct.pack(order + "I", place), beside + stored
        rows += struct.pack(order + "HHI", tag, kind, count) + stored.ljust(4, b"\0")
    return struct.pack(order + "H", len(entries)) + rows + b"\0" * 4 + beside


def _stored(order: str, form: str, value: float) -> bytes:
    if form in ("f", "d"):
        return struct.pack(order + form, value)
    bits = 8 * struct.calcsize("=" + form[0])
    whole = int(max(-(2.0**40), min(2.0**40, value))) % 2**bits
    first = whole - 2**bits if form[0].islower() and whole >= 2 ** (bits - 1) else whole
    return struct.pack(order + form, first, *([1] * (len(form) - 1)))


@st.composite
def tiff_structures(draw: st.DrawFn) -> bytes:
    """Any tags with any types, counts and values; directories anywhere: behind each other, in each other, nowhere."""
    order = draw(st.sampled_from("<>"))
    number = st.sampled_from([*NUMBERS, *(-n for n in NUMBERS)]) | st.integers(-200, 200)
    fraction = st.binary(min_size=8, max_size=8)
    real = st.sampled_from([1e300, -1e300, 1e-300, 5e-324, float("nan"), float("inf"), 0.5])

    def entries() -> dict[int, Entry]:
        made: dict[int, Entry] = {}
        for tag in draw(st.lists(st.sampled_from(TAGS), unique=True)):
            kind = draw(st.sampled_from([*FORMS, 0, 13, 65535]))
            value = draw(fraction if kind in (5, 10) else real if kind == 12 else number)
            if kind == 11:
                value = draw(st.sampled_from([1e30, -1e30, 1e-30, 0.5, float("nan"), float("inf")]))
            if draw(st.integers(0, 9)) == 0:
                value = draw(st.binary(min_size=4, max_size=4))  # in the entry: a place anywhere for the larger types
            made[tag] = kind, draw(st.sampled_from([1, 1, 1, 1, 1, 0, 2, 2**32 - 1])), value
        return made

    made = tiff(
        order, entries(), entries() if draw(st.booleans()) else None, draw(st.sampled_from([8, 8, 8, 8, 0, 2**32 - 1]))
    )
    return made[: draw(st.integers(0, len(made)))] if draw(st.integers(0, 4)) == 0 else made


def jpeg(exif: bytes) -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 8 + len(exif)) + b"Exif\0\0" + exif
    return b"\xff\xd8" + segment + b"\xff\xc0" + struct.pack(">HBHHB", 8, 8, 32, 48, 1) + b"\xff\xd9"


def png(exif: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + b"\0" * 4

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">II5B", 48, 32, 8, 2, 0, 0, 0)) + chunk(b"eXIf", exif)


def webp(exif: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    size = b"\x08\0\0\0" + (47).to_bytes(3, "little") + (31).to_bytes(3, "little")
    body = b"WEBP" + chunk(b"VP8X", size) + chunk(b"EXIF", exif) + chunk(b"free", b"\0" * 16)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def box(kind: bytes, *parts: bytes, length: int | None = None) -> bytes:
    """A box of ISO/IEC 14496-12; ``length`` says another length than it has."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body) if length is None else length) + kind + body


FILE_TYPE = box(b"ftyp", b"heic\0\0\0\0")
FULL = b"\0" * 4
"""Version 0, no flags."""


def heif(
    exif: bytes,
    place: bytes | None = None,
    properties: bytes | None = None,
    associations: bytes = struct.pack(">IIHBB", 0, 1, 1, 1, 1),
    primary: bytes = struct.pack(">IH", 0, 1),
    skip: int = 0,
) -> bytes:
    """Item 1 is a picture of 48×32, item 7 its Exif data, behind the box ``meta``; each part may be another one."""
    item = struct.pack(">I", skip) + exif
    if properties is None:
        properties = box(b"ispe", FULL, struct.pack(">II", 48, 32))

    def meta(at: int) -> bytes:
        stored = struct.pack(">IHHHHHII", 0, 0x4400, 1, 7, 0, 1, at, len(item)) if place is None else place
        entry = box(b"infe", b"\x02\0\0\0", struct.pack(">HH", 7, 0), b"Exif\0")
        return box(
            b"meta",
            FULL,
            box(b"pitm", primary),
            box(b"iinf", FULL, struct.pack(">H", 1), entry),
            box(b"iloc", stored),
            box(b"iprp", box(b"ipco", properties), box(b"ipma", associations)),
        )

    return FILE_TYPE + meta(len(FILE_TYPE) + len(meta(0)) + 8) + box(b"mdat", item)


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {"JPEG": jpeg, "PNG": png, "WebP": webp, "TIFF": bytes, "HEIC": heif}
"""What puts a TIFF structure into a file of each kind, whose size is 48×32 but for TIFF."""


@st.composite
def heif_files(draw: st.DrawFn) -> bytes:
    """Boxes that nest as they should; places, lengths, counts and widths of numbers are any."""

    def number(size: int) -> bytes:
        value = draw(st.sampled_from(NUMBERS) | st.integers(0, 300))
        return (value % 256**size).to_bytes(size, "big")

    def any_box(*kinds: bytes) -> bytes:
        kind = draw(st.sampled_from([b"ispe", b"clap", b"irot", *kinds]))
        sides = b"".join(number(4) for _ in range(draw(st.integers(0, 5))))
        wrong = draw(st.sampled_from([None, None, None, None, 0, 1, 7, 2**32 - 1]))
        return box(kind, sides, length=wrong)

    version, widths = (
        draw(st.integers(0, 3)),
        draw(st.integers(0, 2**16 - 1) | st.sampled_from([0x4400, 0x8880, 0, 0xFFFF])),
    )
    narrow = 2 if version < 2 else 4
    extents = [number((widths >> shift) & 15) for _ in range(draw(st.integers(0, 3))) for shift in (0, 12, 8)]
    place = b"".join(
        (
            bytes([version, 0, 0, 0]),
            struct.pack(">H", widths),
            number(narrow),
            (7).to_bytes(narrow, "big"),
            *([number(2)] if version else []),
            b"\0\0",
            number(widths >> 4 & 15),
            number(2),
            *extents,
        )
    )
    whole = heif(
        draw(tiff_structures()),
        draw(st.none() | st.just(place)),
        draw(st.none() | st.builds(b"".join, st.lists(st.builds(any_box), max_size=4))),
        bytes([draw(st.integers(0, 1)), 0, 0, draw(st.integers(0, 1))])
        + number(4)
        + number(2)
        + draw(st.binary(max_size=20)),
        bytes([draw(st.integers(0, 1)), 0, 0, 0]) + number(draw(st.sampled_from([2, 4]))),
        draw(st.sampled_from([0, 0, 0, 6, 2**32 - 1])),
    )
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.integers(0, 4)) == 0 else whole
