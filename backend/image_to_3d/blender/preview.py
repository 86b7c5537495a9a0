"""Streamed pictures as textures, and how large they should be.

A frame of the wire has 8-bit colour with alpha and a 16-bit depth. Blender's Python uploads float textures only, so six bytes of a
pixel travel to the graphics card as two float32 that are whole numbers below 2²⁴, which float32 holds exactly; the shader takes
them apart again. That is a third of what RGBA and depth as floats would be, and nothing is converted on the main thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def pack_frame(colour: NDArray[np.uint8], depth: NDArray[np.float16]) -> NDArray[np.float32]:
    """Colour (H, W, 4) and depth (H, W) → (H, W, 2) float32 of whole numbers, bottom row first as textures are.

    The first is red + 2⁸ green + 2¹⁶ blue, the second the bits of the depth + 2¹⁶ alpha.
    """
    rgba = np.ascontiguousarray(colour[::-1]).view("<u4")[..., 0]
    bits = np.ascontiguousarray(depth[::-1]).view("<u2")
    out = np.empty((*bits.shape, 2), np.float32)
    out[..., 0] = rgba & np.uint32(0xFFFFFF)
    out[..., 1] = ((rgba >> np.uint32(8)) & np.uint32(0xFF0000)) | bits
    return out


def unpack_frame(packed: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Inverse of :func:`pack_frame`: what the shader does."""
    numbers = packed[::-1].astype(np.uint32)
    rgb, rest = numbers[..., 0], numbers[..., 1]
    colour = np.stack([rgb & 255, rgb >> 8 & 255, rgb >> 16 & 255, rest >> 16 & 255], axis=-1)
    return colour.astype(np.uint8), (rest & 0xFFFF).astype(np.uint16).view(np.float16)


MIN_SHARE = 1 / 8
_STEPS = 16
_SLOWEST = 0.4
"""Most that one measurement may take away from or add to the pixels."""


@dataclass
class Resolution:
    """How large pictures are while the view moves: as many pixels as come back in time.

    Attributes:
        seconds: time that a picture may take.
        share: of the view's width and height, in (0, 1].
    """

    seconds: float = 1 / 12
    share: float = 0.5

    def measured(self, share: float, seconds: float) -> None:
        """A picture of ``share`` came after ``seconds``; the time goes with the number of pixels, at most."""
        if seconds > 0:
            pixels = share**2 * float(np.clip(self.seconds / seconds, 1 - _SLOWEST, 1 + _SLOWEST))
            self.share = float(np.clip(np.sqrt(pixels), MIN_SHARE, 1.0))

    @property
    def stepped(self) -> float:
        """The share in steps, so that the size of textures does not change with every picture."""
        return max(MIN_SHARE, round(self.share * _STEPS) / _STEPS)


def scaled(width: int, height: int, share: float) -> tuple[int, int]:
    """A picture of ``share`` of a view's width and height, at least one pixel."""
    return max(1, round(width * share)), max(1, round(height * share))
