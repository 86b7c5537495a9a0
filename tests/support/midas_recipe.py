"""Weights and pictures made from their names, so that reference tensors need no download.

Every weight is a seeded normal sample whose seed is the CRC-32 of the tensor's name; its spread depends on its part.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from paths import SHARED

GOLDEN = SHARED / "golden" / "midas"
"""Reference tensors; absent outside of development."""


def _generator(text: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(text.encode())))


def make_tensor(name: str, shape: Iterable[int]) -> torch.Tensor:
    """The weights that the recipe gives to a tensor of this name and shape."""
    shape = tuple(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    n = _generator(name).standard_normal(shape)
    spread = 1.0 / math.sqrt(math.prod(shape[1:]))
    leaf = name.rpartition(".")[2]
    if leaf == "running_var":
        values = 1 + 0.25 * np.abs(n)
    elif leaf in ("running_mean", "cls_token", "pos_embed"):
        values = 0.1 * n
    elif name.endswith("output_conv.4.weight"):
        values = np.abs(n) * spread
    elif name.endswith("output_conv.4.bias"):
        values = 1 + 0.1 * np.abs(n)
    elif leaf == "bias":
        values = 0.1 * n
    elif len(shape) == 1:
        values = 1 + 0.1 * n
    else:
        values = n * spread
    return torch.from_numpy(np.asarray(values, np.float32))


def make_state_dict(shapes: dict[str, Iterable[int]]) -> dict[str, torch.Tensor]:
    """A whole checkpoint."""
    return {name: make_tensor(name, shape) for name, shape in shapes.items()}


def make_picture(height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3): random blocks of 16 × 16 pixels, brighter to the right."""
    rows, cols = -(-height // 16), -(-width // 16)
    blocks = _generator(f"image:{height}x{width}").integers(0, 192, (rows, cols, 3), dtype=np.int64)
    picture = blocks.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    ramp = np.arange(width) * 63 // max(width - 1, 1)
    return np.clip(picture + ramp[None, :, None], 0, 255).astype(np.uint8)
