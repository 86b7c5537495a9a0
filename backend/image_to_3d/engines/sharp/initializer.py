"""From disparity to base Gaussians: one per cell and layer, facing the camera, coloured by the photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .config import NUM_LAYERS

STRIDE = 2
"""Pixels of the network's image per grid cell."""

_MIN_DISPARITY, _MAX_DISPARITY = 1e-4, 1e4
_MAX_RELATIVE_DEPTH = 100.0
_DEPTH_EPSILON = 1e-6

BASE_OPACITY = min(1.0 / NUM_LAYERS, 0.5)


@dataclass(frozen=True, eq=False)
class BaseGaussians:
    """What the refinements are added to. Maps are (channels, layers, rows, cols), with 1 where a value is shared.

    Attributes:
        x, y: (1, 1, 1, cols) and (1, 1, rows, 1), centre of the cell in NDC, −1 … 1.
        disparity: (1, 2, rows, cols), inverse of the normalised depth.
        scale: (1, 2, rows, cols), half a cell's footprint at the normalised depth, NDC units.
        colour: (3, 1, rows, cols), sRGB in [0, 1].
        depth_unit: scalar tensor, metres per unit of normalised depth.
    """

    x: Tensor
    y: Tensor
    disparity: Tensor
    scale: Tensor
    colour: Tensor
    depth_unit: Tensor


def initialise(image: Tensor, disparity: Tensor, disparity_factor: float) -> tuple[BaseGaussians, Tensor]:
    """Base Gaussians, and the input of the Gaussian feature model.

    Depth is normalised so that the nearest point of both layers lies at 1; ``depth_unit`` undoes it. Each cell takes the nearest
    surface among its 2 × 2 pixels.

    Args:
        image: (1, 3, S, S) in [0, 1], sRGB, float32.
        disparity: (1, 2, S, S) ≥ 0, float32, from the disparity head.
        disparity_factor: focal length over width of the photo; depth in metres = factor / disparity.

    Returns:
        The base Gaussians, and (1, 5, S, S) in [−1, …]: colour and the two inverse depths, each · 2 − 1.
    """
    factor = torch.tensor(disparity_factor, dtype=torch.float32, device=disparity.device)
    depth = factor / disparity.clamp(_MIN_DISPARITY, _MAX_DISPARITY)
    depth_factor = 1.0 / (depth.amin() + _DEPTH_EPSILON)
    inverse = 1.0 / (depth * depth_factor).clamp(max=_MAX_RELATIVE_DEPTH)
    features = torch.cat([image, inverse], dim=1).mul_(2.0).sub_(1.0)

    size = image.shape[-1]
    cell_disparity = functional.max_pool2d(inverse, STRIDE)
    centres = torch.arange(0.5 * STRIDE, size, STRIDE, device=image.device, dtype=torch.float32) * (2.0 / size) - 1.0
    base = BaseGaussians(
        x=centres.view(1, 1, 1, -1),
        y=centres.view(1, 1, -1, 1),
        disparity=cell_disparity,
        scale=(1.0 / cell_disparity) * (2.0 * STRIDE / size),
        colour=functional.avg_pool2d(image, STRIDE).transpose(0, 1),
        depth_unit=1.0 / depth_factor,
    )
    return base, features
