"""The image pyramid, its overlapping crops, and putting their features together again.

A ViT sees squares of one size. The photo is therefore shown to it at three scales: the finest as 5 × 5 overlapping crops, the
middle one as 3 × 3, the coarsest whole (the multi-scale encoder of Depth Pro, Bochkovskii et al., arXiv 2410.02073).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .config import SharpConfig


@dataclass(frozen=True)
class CropPlan:
    """How one scale is cut: ``steps`` × ``steps`` crops, ``stride`` pixels apart; ``trim`` feature cells go at inner edges."""

    steps: int
    stride: int
    trim: int


def crop_plans(config: SharpConfig) -> tuple[CropPlan, CropPlan]:
    """Plans of the full and the half scale: a quarter and a half of overlap, or none."""
    size, grid = config.vit.image_size, config.vit.grid
    if not config.overlap:
        return CropPlan(4, size, 0), CropPlan(2, size, 0)
    return CropPlan(5, size * 3 // 4, grid // 8), CropPlan(3, size // 2, grid // 4)


def image_pyramid(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Image (B, 3, S, S) → itself, its half and its quarter, both bilinear from the full one without antialiasing."""
    half = functional.interpolate(image, scale_factor=0.5, mode="bilinear", align_corners=False)
    quarter = functional.interpolate(image, scale_factor=0.25, mode="bilinear", align_corners=False)
    return image, half, quarter


def split(image: Tensor, plan: CropPlan, size: int) -> Tensor:
    """Image (1, C, S, S) → crops (steps², C, size, size), row-major."""
    offsets = [step * plan.stride for step in range(plan.steps)]
    return torch.cat([image[..., y : y + size, x : x + size] for y in offsets for x in offsets])


def merge(tiles: Tensor, plan: CropPlan) -> Tensor:
    """Features (steps², h, w, C) of the crops, channels last → one map (1, C, H, W).

    Every crop loses ``trim`` cells at each edge that it shares with a neighbour; there is no blending.
    """

    def kept(step: int, cells: int) -> slice:
        return slice(plan.trim if step > 0 else 0, cells - (plan.trim if step < plan.steps - 1 else 0))

    height, width = tiles.shape[1:3]
    rows = [
        torch.cat([tiles[y * plan.steps + x][kept(y, height), kept(x, width)] for x in range(plan.steps)], dim=1)
        for y in range(plan.steps)
    ]
    return torch.cat(rows, dim=0).permute(2, 0, 1).unsqueeze(0)
