"""Photos of every kind become upright 8-bit RGB with a focal length, or one sentence."""

from __future__ import annotations

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.io.photo import Photo, decode_photo, load_photo, photo_from_pixels

RGB = np.random.default_rng(3).integers(0, 256, (17, 23, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_exif(orientation=None, mm35=None, mm=None) -> Image.Exif:
    exif = Image.Exif()
    if orientation is not None:
        exif[274] = orientation
    ifd = exif.get_ifd(0x8769)
    if mm35 is not None:
        ifd[41989] = mm35
    if mm is not None:
        ifd[37386] = mm
    return exif


UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_all_eight_orientations(orientation):
    photo = decode_photo(encoded(Image.fromarray(RGB), exif=with_exif(orientation, mm35=50)))
    assert np.array_equal(photo.pixels, UPRIGHT[orientation](RGB))
    assert np.isclose(photo.focal.px, 33.05169481153016)  # by the diagonal: the same for both orientations


def test_focal_length_of_the_published_cases(shared):
    for case in json.loads((shared / "golden/sharp/extra_golden.json").read_text())["load_rgb"]["cases"]:
        tags = case["exif_ifd"]
        exif = with_exif(case["orientation"], tags.get("41989"), tags.get("37386"))
        assert np.isclose(decode_photo(encoded(Image.fromarray(RGB), exif=exif)).focal.px, case["f_px"])


@pytest.mark.parametrize(
    ("stored", "heading"),
    [(None, None), (231.25, 231.25), (360.0, 0.0), (0.0, 0.0), (400.0, None), (float("nan"), None)],
)
def test_compass_direction_of_the_photo(stored, heading):
    exif = with_exif(mm35=26)
    if stored is not None and not np.isnan(stored):
        exif.get_ifd(0x8825).update({16: "T", 17: stored})
    elif stored is not None:
        exif.get_ifd(0x8825).update({17: TiffImagePlugin.IFDRational(0, 0)})
    assert decode_photo(encoded(Image.fromarray(RGB), "JPEG", exif=exif)).heading_deg == heading


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF", "BMP", "HEIF"])
def test_formats(kind):
    if kind == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.register_heif_opener()
    smooth = np.stack(np.broadcast_arrays(np.arange(64)[None, :] * 3, np.arange(48)[:, None] * 4, 90), -1).astype(
        np.uint8
    )
    photo = decode_photo(encoded(Image.fromarray(smooth), kind), f"x.{kind.lower()}")
    assert photo.pixels.shape == smooth.shape
    assert np.abs(photo.pixels.astype(int) - smooth).mean() < 4


def test_grey_alpha_palette_and_16_bit_keep_their_meaning():
    grey = RGB[..., 0]
    assert np.array_equal(decode_photo(encoded(Image.fromarray(grey))).pixels, np.repeat(grey[..., None], 3, 2))
    alpha = np.dstack([RGB, np.zeros((17, 23), np.uint8)])
    assert np.array_equal(decode_photo(encoded(Image.fromarray(alpha))).pixels, RGB)  # dropped, not blended
    grey_alpha = Image.merge("LA", [Image.fromarray(grey), Image.new("L", (23, 17))])
    assert np.array_equal(decode_photo(encoded(grey_alpha)).pixels[..., 1], grey)
    palette = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(decode_photo(encoded(palette)).pixels, np.asarray(palette.convert("RGB")))
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert np.array_equal(decode_photo(encoded(deep)).pixels[..., 2], grey)
    bits = Image.fromarray(grey > 100)
    assert set(np.unique(decode_photo(encoded(bits)).pixels)) == {0, 255}


def test_cmyk_is_converted():
    red = Image.new("CMYK", (5, 4), (0, 255, 255, 0))
    pixels = decode_photo(encoded(red, "TIFF")).pixels
    assert pixels[..., 0].min() > 200 and pixels[..., 1:].max() < 80


def png_header(width: int, height: int) -> bytes:
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + b"\0\0\0\1IDAT\0"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.IMAGE_UNREADABLE),
        (b"hello, world", ErrorCode.IMAGE_UNREADABLE),
        (encoded(Image.fromarray(RGB), "JPEG")[:400], ErrorCode.IMAGE_UNREADABLE),
        (encoded(Image.fromarray(RGB))[:300], ErrorCode.IMAGE_UNREADABLE),
        (png_header(60_000, 60_000), ErrorCode.IMAGE_TOO_LARGE),
        (png_header(20_000, 11_000), ErrorCode.IMAGE_TOO_LARGE),
        (png_header(0, 5), ErrorCode.IMAGE_UNREADABLE),
    ],
)
def test_bad_pictures_get_one_sentence(data, code):
    with pytest.raises(ImageTo3DError) as caught:
        decode_photo(data, "holiday.jpg")
    assert caught.value.code is code
    assert "holiday.jpg" in caught.value.message and caught.value.hint
    assert caught.value.message.count("\n") == 0


def test_missing_files_and_folders_get_one_sentence(tmp_path):
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(ImageTo3DError) as caught:
            load_photo(path)
        assert caught.value.code is ErrorCode.IMAGE_UNREADABLE and caught.value.hint


def test_damaged_exif_is_no_reason_to_fail():
    photo = decode_photo(encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\0\0garbage"))
    assert photo.focal.source == "assumed"


def test_a_person_overrides_the_focal_length():
    photo = decode_photo(encoded(Image.fromarray(RGB), exif=with_exif(mm35=26)))
    assert photo.with_focal(mm35=50).focal.source == "user"
    assert np.isclose(photo.with_focal(fov_deg=90).focal.px, 23 / 2)
    assert photo.with_focal() is photo
    for bad in ({"mm35": 0}, {"mm35": float("nan")}, {"fov_deg": 180}):
        with pytest.raises(ImageTo3DError):
            photo.with_focal(**bad)


def test_images_in_memory():
    as_float = (RGB / 255).astype(np.float32)
    assert np.array_equal(photo_from_pixels(as_float).pixels, RGB)
    assert np.array_equal(photo_from_pixels(RGB[..., :1]).pixels[..., 2], RGB[..., 0])
    assert np.array_equal(photo_from_pixels(RGB.astype(np.uint16) * 257).pixels, RGB)
    with pytest.raises(ImageTo3DError):
        photo_from_pixels(np.zeros((4, 4, 2), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        Photo(as_float, photo_from_pixels(RGB).focal)
