"""What is sent to the backend: the bytes of a photo file where there is one, else the pixels of a Blender image.

Taking from bpy happens on the main thread (:func:`from_stored`); reading and converting on the client's (:meth:`fields`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from bpy.app.translations import pgettext_n as n_
from numpy.typing import NDArray

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.imaging.colour import linear_to_srgb8
from image_to_3d.protocol.arrays import PHOTO_BYTES
from image_to_3d.protocol.messages import bytes_blob

from .recipe import RecipeValues, image_named


@dataclass(frozen=True, eq=False)
class PhotoSource:
    """A photo, not yet read. Exactly one of ``path``, ``data`` and ``pixels`` is given.

    Attributes:
        name: for people.
        path: file on disk.
        data: bytes of a packed file.
        pixels: (H, W, C) float32 as Blender stores them, bottom row first.
        linear: the pixels are linear light rather than sRGB.
        image: name of the Blender image, empty for a file.
    """

    name: str
    path: Path | None = None
    data: bytes | None = None
    pixels: NDArray[np.float32] | None = None
    linear: bool = False
    image: str = ""

    def fields(self) -> dict[str, Any]:
        """The photo fields of a ``predict`` message. Reads the file; touches no bpy.

        Raises:
            ImageTo3DError: ``image_unreadable`` or ``image_too_large``.
        """
        if self.path is not None:
            return {"photo_name": self.name, "photo_file": bytes_blob(read_bytes(self.path, n_("photo")))}
        if self.data is not None:
            return {"photo_name": self.name, "photo_file": bytes_blob(self.data)}
        assert self.pixels is not None
        pixels = self.pixels[::-1, :, :3]
        encoded = linear_to_srgb8(pixels) if self.linear else np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
        return {"photo_name": self.name, "photo_pixels": np.ascontiguousarray(encoded)}


def read_bytes(path: Path, what: str) -> bytes:
    """The bytes of a file that a person chose.

    Raises:
        ImageTo3DError: ``image_unreadable`` or ``image_too_large``.
    """
    try:
        size = path.stat().st_size
        if size > PHOTO_BYTES:
            raise ImageTo3DError(
                ErrorCode.IMAGE_TOO_LARGE,
                "photos.chosen_file_too_large",
                what=what,
                path_name=path.name,
                size=size / 1000000.0,
                photo_bytes=PHOTO_BYTES / 1000000.0,
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "photos.chosen_file_missing", path=path, what=what) from None
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.IMAGE_UNREADABLE,
            "photos.chosen_file_unreadable",
            what=what,
            path=path,
            why=error.strerror or error,
        ) from None


def from_stored(stored: RecipeValues) -> PhotoSource:
    """The photo that a recipe names, Main thread.

    Raises:
        ImageTo3DError: ``bad_request`` if none is chosen, ``image_unreadable`` if an image holds no pixels.
    """
    if stored.source == "FILE":
        if not stored.photo_path:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "photos.none_chosen")
        path = Path(bpy.path.abspath(stored.photo_path))
        return PhotoSource(path.name, path=path)
    image = image_named(stored.image)
    if image is None:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "photos.no_image_chosen")
    return from_image(image)


def from_image(image: bpy.types.Image) -> PhotoSource:
    """The photo behind a Blender image: its file, because that keeps the focal length, unless it was painted on."""
    if image.source == "FILE" and not image.is_dirty:
        if image.packed_file is not None:
            name = Path(image.filepath).name or image.name
            return PhotoSource(name, data=bytes(image.packed_file.data), image=image.name)
        if image.filepath:
            path = Path(bpy.path.abspath(image.filepath, library=image.library))
            return PhotoSource(path.name, path=path, image=image.name)
    width, height = image.size
    if image.source == "VIEWER" or width * height == 0 or not image.has_data:
        raise ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "photos.image_without_pixels", image_name=image.name)
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    linear = image.is_float or image.colorspace_settings.name.startswith("Linear")
    return PhotoSource(
        image.name, pixels=pixels.reshape(height, width, image.channels), linear=linear, image=image.name
    )


def mask_of(image: bpy.types.Image) -> NDArray[np.uint8]:
    """Where an image is brighter than half, (H, W), top row first, 1 or 0. Main thread.

    Raises:
        ImageTo3DError: ``image_unreadable`` if it holds no pixels.
    """
    width, height = image.size
    if width * height == 0:
        raise ImageTo3DError(ErrorCode.IMAGE_UNREADABLE, "photos.mask_without_pixels", image_name=image.name)
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    colours = pixels.reshape(height, width, image.channels)[::-1, :, : min(3, image.channels)]
    return np.ascontiguousarray(colours.mean(axis=2) > 0.5).astype(np.uint8)
