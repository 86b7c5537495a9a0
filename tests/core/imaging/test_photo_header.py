"""What the head of a photo file says is what Pillow and libheif find when they decode it."""

from __future__ import annotations

import io
import math
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from hostile_photos import CONTAINERS, heif, heif_files, tiff, tiff_structures
from image_to_3d.core.imaging.photo_header import PhotoHead, Upright, read_head
from image_to_3d.io.photo import decode_photo
from image_to_3d.io.photo_header import photo_head

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"]
SIZE = (48, 32)


def picture(kind: str, tags: dict[int, object], exif_tags: dict[int, object], **options: object) -> bytes:
    """A small picture with the given Exif tags, in the first and in the Exif directory."""
    if kind in ("HEIF", "AVIF"):
        import pillow_heif

        pillow_heif.register_heif_opener()
        if kind == "AVIF" and not Image.registered_extensions().get(".avif"):
            pytest.skip("this Pillow writes no AVIF")
    rng = np.random.default_rng(1)
    image = Image.fromarray(np.kron(rng.integers(0, 255, (2, 3, 3)), np.ones((16, 16, 1))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    for tag, value in tags.items():
        exif[tag] = value
    for tag, value in exif_tags.items():
        exif.get_ifd(0x8769)[tag] = value
    if kind == "TIFF" and exif_tags:  # otherwise Pillow leaves the Exif directory out
        exif[0x8769] = exif_tags
    stream = io.BytesIO()
    image.save(stream, kind, exif=exif, **options)
    return stream.getvalue()


def same_as_decoding(data: bytes) -> PhotoHead:
    photo, head = decode_photo(data), read_head(data)
    assert (head.width, head.height) == (photo.width, photo.height)
    assert head.focal == photo.focal
    return head


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("tags", "exif_tags", "source"),
    [
        ({}, {0xA405: 26, 0x920A: 5.6}, "exif35"),
        ({}, {0x920A: 4.25}, "exif"),
        ({0x920A: 35.0}, {0x920A: 50.0}, "exif"),
        ({}, {0xA405: 0, 0x920A: 50.0}, "exif"),
        ({}, {}, "assumed"),
    ],
)
def test_focal_length_and_size_as_in_the_backend(kind: str, tags: dict, exif_tags: dict, source: str) -> None:
    head = same_as_decoding(picture(kind, tags, exif_tags))
    assert head.focal is not None and head.focal.source == source


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_mirroring_then_turning_makes_upright(kind: str, orientation: int) -> None:
    data = picture(kind, {0x0112: orientation}, {0xA405: 26})
    with Image.open(io.BytesIO(data)) as image:
        stored, upright = np.asarray(image), np.asarray(ImageOps.exif_transpose(image))
    found = same_as_decoding(data).upright
    mirrored = stored[:, ::-1] if found.mirrored else stored
    np.testing.assert_array_equal(np.rot90(mirrored, -found.quarter_turns), upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_has_the_same_flag(orientation: int) -> None:
    """Pillow turns these when it reads them, so stored pixels cannot be compared."""
    as_tiff = same_as_decoding(picture("TIFF", {0x0112: orientation}, {0xA405: 26}))
    assert as_tiff.upright == read_head(picture("JPEG", {0x0112: orientation}, {})).upright


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_turned_by_its_decoder(orientation: int) -> None:
    assert same_as_decoding(picture("HEIF", {0x0112: orientation}, {0xA405: 26})).upright == Upright(False, 0)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}])
def test_plain_webp_without_exif(options: dict) -> None:
    stream = io.BytesIO()
    Image.new("RGB", SIZE).save(stream, "WEBP", **options)
    head = read_head(stream.getvalue())
    assert (head.width, head.height) == SIZE and head.focal.source == "assumed"


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"\x89PNG", b"hello", b"II*\0", b"\0\0\0\x18ftypheic"])
def test_other_files_say_nothing(data: bytes) -> None:
    assert read_head(data) == PhotoHead() and PhotoHead().focal is None


def in_order(head: PhotoHead) -> PhotoHead:
    """What a panel computes with a head can be computed."""
    assert (head.width > 0) == (head.height > 0)
    assert min(head.width, head.height) >= 0 and max(head.width, head.height) < 2**32
    assert head.upright in {Upright(m, t) for m in (False, True) for t in range(4)}
    for millimetres in (head.mm35, head.mm):
        assert millimetres is None or math.isfinite(millimetres)
    assert (head.focal is not None) == (head.width > 0)
    assert head.focal is None or 0 < head.focal.px < math.inf
    return head


@pytest.mark.parametrize("kind", FORMATS)
def test_truncation_and_damage_are_harmless(kind: str) -> None:
    data = picture(kind, {0x0112: 6}, {0xA405: 26})

    @given(st.integers(0, min(len(data), 1500)), st.integers(0, 255), st.integers(0, len(data)))
    @settings(max_examples=150, deadline=None)
    def damaged(at: int, value: int, size: int) -> None:
        in_order(read_head((data[:at] + bytes([value]) + data[at + 1 :])[:size]))

    damaged()


@given(
    st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBP", b"II*\0", b"MM\0*", b"\0\0\0\x0cftypheic"]),
    st.binary(),
)
@settings(max_examples=300, deadline=None)
def test_nonsense_behind_a_signature_is_harmless(signature: bytes, rest: bytes) -> None:
    in_order(read_head(signature + rest))


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_a_well_formed_directory_may_say_anything(data: st.DataObject) -> None:
    tiff = data.draw(tiff_structures())
    container = data.draw(st.sampled_from(list(CONTAINERS)))
    in_order(read_head(CONTAINERS[container](tiff)))


@given(heif_files())
@settings(max_examples=600, deadline=None)
def test_well_formed_boxes_may_say_anything(data: bytes) -> None:
    in_order(read_head(data))


ORDINARY = tiff("<", {0x0112: (3, 1, 6), 0x920A: (11, 1, 4.25)}, {0xA405: (3, 1, 26)})


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_containers_of_these_tests_are_read(container: str) -> None:
    head = read_head(CONTAINERS[container](ORDINARY))
    assert head.mm35 == 26
    assert head.upright == Upright(False, 0 if container == "HEIC" else 1)
    assert (head.width > 0) == (container != "TIFF")


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    ("kind", "place"), [(9, -5), (8, -1), (12, -1e300), (12, 1e300), (4, 8), (4, 0), (4, 2**32 - 1)]
)
def test_an_exif_directory_nowhere_is_left_out(container: str, kind: int, place: float) -> None:
    """Also one that is the first directory again, or that begins in the header."""
    head = read_head(CONTAINERS[container](tiff("<", {0x8769: (kind, 1, place), 0x920A: (11, 1, 4.25)})))
    assert (head.mm35, head.mm) == (None, 4.25)


@pytest.mark.parametrize("side", [-48, 0, 1e300])
def test_a_size_that_is_none_is_unknown(side: float) -> None:
    head = read_head(tiff(">", {0x0100: (12, 1, side), 0x0101: (3, 1, 32)}))
    assert head == PhotoHead()


def test_boxes_that_promise_endless_extents_cost_no_time() -> None:
    """Ten thousand items of 65535 extents of no bytes."""
    items = struct.pack(">HHH", 7, 0, 65535) * 10_000
    begin = time.process_time()
    assert read_head(heif(ORDINARY, place=struct.pack(">IHH", 0, 0, 10_000) + items)).mm35 is None
    assert time.process_time() - begin < 5


def test_files_are_mapped(sample: Path, tmp_path: Path) -> None:
    head = photo_head(sample / "photo.jpg")
    assert (head.width, head.height, head.mm35) == (960, 640, 26)
    (tmp_path / "empty.jpg").touch()
    assert photo_head(tmp_path / "empty.jpg") == PhotoHead()
    with pytest.raises(FileNotFoundError):
        photo_head(tmp_path / "nothing.jpg")
