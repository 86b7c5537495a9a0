"""Photographs: decoding, orientation, focal length.

Every picture that Pillow or libheif can read becomes upright 8-bit sRGB RGB. Decoding is bounded before it starts: the
header is read first and a picture with too many pixels is refused.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from ..core.cameras.intrinsics import FocalLength, Intrinsics, focal_from_exif, focal_from_fov, focal_from_mm35
from ..core.errors import ErrorCode, ImageTo3DError

MAX_PIXELS = 200_000_000
MAX_FILE_BYTES = 256_000_000


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photograph.

    Attributes:
        pixels: (H, W, 3) uint8, sRGB.
        focal: focal length for this size, with its source.
        name: file name without folder, or the name of an image in memory.
        heading_deg: compass direction of the view, clockwise from north, 0 … 360, as the camera's compass gave it (EXIF
            GPSImgDirection; magnetic or true north, compasses of phones are good to some 10°); None if the photo does not tell.
    """

    pixels: NDArray[np.uint8]
    focal: FocalLength
    name: str = ""
    heading_deg: float | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or not self.pixels.size:
            raise ValueError(f"a photo is (H, W, 3) uint8, not {self.pixels.shape} {self.pixels.dtype}")

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def intrinsics(self) -> Intrinsics:
        """Square pixels, principal point in the middle."""
        return Intrinsics.centred(self.focal.px, self.width, self.height)

    def with_focal(self, mm35: float | None = None, fov_deg: float | None = None) -> Photo:
        """The same photo with a focal length given by a person, as 35 mm equivalent or horizontal field of view.

        Raises:
            ImageTo3DError: ``bad_request`` if a value is out of range.
        """
        if mm35 is not None:
            if not (np.isfinite(mm35) and 1.0 <= mm35 <= 2000.0):
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "photos.focal_length_out_of_range", mm35=mm35)
            return replace(self, focal=focal_from_mm35(mm35, self.width, self.height, "user"))
        if fov_deg is not None:
            if not (np.isfinite(fov_deg) and 1.0 <= fov_deg <= 175.0):
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "photos.field_of_view_out_of_range", fov_deg=fov_deg)
            return replace(self, focal=focal_from_fov(fov_deg, self.width, self.height))
        return self


def _unreadable(name: str, why: str) -> ImageTo3DError:
    return ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "photos.unreadable", name=name or "The picture", why=why)


def _too_large(name: str, width: int, height: int) -> ImageTo3DError:
    return ImageTo3DError(
        ErrorCode.IMAGE_TOO_LARGE,
        "photos.too_many_pixels",
        name=name or "The picture",
        width=width,
        height=height,
        max_pixels=MAX_PIXELS // 1000000,
    )


def read_file_bytes(path: Path) -> bytes:
    """The bytes of a photo file, with its size checked first.

    Raises:
        ImageTo3DError: ``image_unreadable`` (missing, a folder, no permission) or ``image_too_large``.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ImageTo3DError(
                ErrorCode.IMAGE_TOO_LARGE,
                "photos.file_too_large",
                path_name=path.name,
                size=size / 1000000.0,
                max_file_bytes=MAX_FILE_BYTES / 1000000.0,
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "photos.file_missing", path=path) from None
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.IMAGE_UNREADABLE, "photos.file_not_openable", path=path, why=error.strerror or error
        ) from None


def load_photo(path: str | Path) -> Photo:
    """Read a photo file.

    Raises:
        ImageTo3DError: see :func:`decode_photo` and :func:`read_file_bytes`.
    """
    path = Path(path)
    return decode_photo(read_file_bytes(path), path.name)


def decode_photo(data: bytes | memoryview, name: str = "") -> Photo:
    """Compressed bytes of a picture → upright 8-bit RGB with focal length.

    All eight EXIF orientations are applied. Alpha is dropped, not blended (as the published SHARP does); palettes, grey, CMYK
    and 16-bit pictures are converted to 8-bit sRGB by their meaning, embedded colour profiles are applied.

    Raises:
        ImageTo3DError: ``image_unreadable`` or ``image_too_large``.
    """
    register_heif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise _too_large(name, width, height)
                exif = image.getexif()
                mm35, mm = _focal_tags(exif)
                heading = _heading_tag(exif)
                image.load()
                profile = image.info.get("icc_profile")
                upright = _to_rgb(ImageOps.exif_transpose(image), profile)
    except ImageTo3DError:
        raise
    except Image.DecompressionBombError:
        raise ImageTo3DError(
            ErrorCode.IMAGE_TOO_LARGE,
            "photos.far_too_many_pixels",
            name=name or "The picture",
            max_pixels=MAX_PIXELS // 1000000,
        ) from None
    except UnidentifiedImageError:
        raise _unreadable(name, "it is not a picture of a known format") from None
    except MemoryError:
        raise ImageTo3DError(
            ErrorCode.OUT_OF_MEMORY, "photos.no_memory_to_decode", name=name or "the picture"
        ) from None
    except Exception as error:  # decoders raise anything from OSError to struct.error on damaged files
        raise _unreadable(name, str(error).rstrip(".") or type(error).__name__) from None
    pixels = np.ascontiguousarray(np.asarray(upright))
    return Photo(pixels, focal_from_exif(mm35, mm, pixels.shape[1], pixels.shape[0]), name, heading)


def photo_from_pixels(
    pixels: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32], name: str = "", mm35: float | None = None
) -> Photo:
    """An image in memory, top row first: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); integers, or floats in [0, 1], sRGB.

    Raises:
        ImageTo3DError: ``image_unreadable`` for other shapes, ``image_too_large``.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise _unreadable(name, f"an array of shape {pixels.shape} is not a picture")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise _too_large(name, pixels.shape[1], pixels.shape[0])
    if np.issubdtype(pixels.dtype, np.floating):
        rgb = np.rint(np.nan_to_num(np.clip(pixels, 0, 1)) * 255).astype(np.uint8)
    elif pixels.dtype == np.uint16:
        rgb = (pixels // 257).astype(np.uint8)
    elif pixels.dtype == np.uint8:
        rgb = pixels
    else:
        raise _unreadable(name, f"pixels of type {pixels.dtype} are not supported")
    rgb = np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb[..., :3]
    rgb = np.ascontiguousarray(rgb)
    return Photo(rgb, focal_from_exif(mm35, None, rgb.shape[1], rgb.shape[0]), name)


def register_heif() -> None:
    """Have Pillow read HEIC and HEIF, the files of phones."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _focal_tags(exif: Image.Exif) -> tuple[float | None, float | None]:
    """(35 mm equivalent, real focal length) in millimetres; IFD0 wins over the Exif IFD."""
    tags = {**exif.get_ifd(ExifTags.IFD.Exif), **dict(exif.items())}
    return _number(tags, ExifTags.Base.FocalLengthIn35mmFilm), _number(tags, ExifTags.Base.FocalLength)


def _heading_tag(exif: Image.Exif) -> float | None:
    """GPSImgDirection, degrees clockwise from north (EXIF 2.3, 4.6.6: 0.00 to 359.99); None if absent or out of range."""
    value = _number(exif.get_ifd(ExifTags.IFD.GPSInfo), ExifTags.GPS.GPSImgDirection)
    return value % 360.0 if value is not None and 0.0 <= value <= 360.0 else None


def _number(tags: Mapping[int, Any], tag: int) -> float | None:
    try:
        return float(tags[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _to_rgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_grey_to_8bit(np.asarray(image), image.mode)).convert("RGB")
    if icc_profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        converted = _apply_profile(image, icc_profile)
        if converted is not None:
            return converted
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    if image.mode in ("LA", "La"):
        image = image.getchannel(0)
    if image.mode in ("RGBA", "RGBX", "RGBa"):
        return Image.merge("RGB", image.split()[:3])
    return image.convert("RGB")


def _grey_to_8bit(values: NDArray[Any], mode: str) -> NDArray[np.uint8]:
    """16-bit grey by its full range; 32-bit integer and float grey by their convention, else by their own range."""
    values = np.nan_to_num(values.astype(np.float64))
    top = 65535.0 if mode.startswith("I") else 1.0
    if values.max(initial=0.0) > top:
        top = float(values.max())
    return np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8)


def _apply_profile(image: Image.Image, icc_profile: bytes) -> Image.Image | None:
    """The picture in sRGB, or None where the profile is damaged or of another colour space than the picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        if image.mode == "RGBA":
            image = Image.merge("RGB", image.split()[:3])
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
