"""Pictures that leave the project: 8-bit sRGB PNG, with the scene's alpha if asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.imaging.colour import linear_to_srgb8
from .atomic import atomic_open


def srgb8_with_alpha(colour: NDArray[np.floating], alpha: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Premultiplied linear RGB (H, W, 3) and alpha (H, W) → straight sRGB and alpha (H, W, 4) uint8, as PNG has it."""
    straight = colour / np.maximum(alpha, 1e-8)[..., None]
    opaque = np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)
    return np.concatenate([linear_to_srgb8(straight), opaque[..., None]], axis=-1)


def write_png(path: str | Path, pixels: NDArray[np.uint8]) -> None:
    """(H, W, 3) or (H, W, 4) uint8 sRGB; the file appears whole or not at all.

    Raises:
        ImageTo3DError: the disk is full or the folder not writable.
    """
    with atomic_open(path) as stream:
        Image.fromarray(pixels).save(stream, format="PNG", compress_level=4)
