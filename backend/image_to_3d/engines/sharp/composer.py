"""Base Gaussians ⊕ refinements → Gaussians in the network's normalised space (NDC).

Each property is changed in the space where it is unbounded: colour and opacity as logits, inverse depth through a softplus,
scale through a sigmoid that keeps it below ten times the pixel's footprint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .initializer import BASE_OPACITY, BaseGaussians

_POSITION_STEP = 1e-3
_COLOUR_STEP = 0.1
_MAX_SCALE = 10.0
_SCALE_GAIN = _MAX_SCALE / (_MAX_SCALE - 1.0)
_SCALE_SHIFT = math.log(1.0 / (_MAX_SCALE - 1.0))
"""Gain and shift make the sigmoid give 1 with slope 1 for a refinement of 0."""
_DISPARITY_EPSILON = 1e-3
_MIN_COLOUR, _MAX_COLOUR = 0.01, 0.99


@dataclass(frozen=True, eq=False)
class NdcGaussians:
    """N Gaussians as structure of arrays: (properties, N), order layer-major then row-major.

    Attributes:
        means: (3, N): NDC x and y times depth, and depth; x and y still lack the photo's aspect and focal length. Metres in z.
        scales: (3, N) standard deviations along the own axes, in the same space.
        quaternions: (4, N) w, x, y, z, **not** of unit length.
        colours: (3, N) linear RGB.
        opacities: (N,) in [0, 1].
    """

    means: Tensor
    scales: Tensor
    quaternions: Tensor
    colours: Tensor
    opacities: Tensor


def compose(base: BaseGaussians, delta: Tensor) -> NdcGaussians:
    """Apply refinements (14, layers, rows, cols): x, y, inverse depth, 3 scales, quaternion, colour, opacity."""
    dx, dy, dz = delta[0:1], delta[1:2], delta[2:3]
    disparity = functional.softplus(_softplus_inverse(base.disparity) + _POSITION_STEP * dz)
    depth = 1.0 / (disparity + _DISPARITY_EPSILON)
    means = torch.cat([(base.x + _POSITION_STEP * dx) * depth, (base.y + _POSITION_STEP * dy) * depth, depth])

    footprint = base.scale * base.disparity * depth
    scales = footprint * (_MAX_SCALE * torch.sigmoid(_SCALE_GAIN * delta[3:6] + _SCALE_SHIFT))

    quaternions = delta[6:10].clone()
    quaternions[0] += 1.0

    srgb = torch.sigmoid(_logit(base.colour.clamp(_MIN_COLOUR, _MAX_COLOUR)) + _COLOUR_STEP * delta[10:13])
    opacities = torch.sigmoid(delta[13] + math.log(BASE_OPACITY / (1.0 - BASE_OPACITY)))
    return NdcGaussians(
        means=(means * base.depth_unit).flatten(1),
        scales=(scales * base.depth_unit).flatten(1),
        quaternions=quaternions.flatten(1),
        colours=_srgb_to_linear(srgb).flatten(1),
        opacities=opacities.flatten(),
    )


def _softplus_inverse(x: Tensor) -> Tensor:
    """log(eˣ − 1), written so that float32 neither overflows nor loses small x."""
    t = x.clamp(min=1e-6)
    s = torch.sigmoid(-t)
    return t + torch.log(1.0 - s / (1.0 - s))


def _logit(p: Tensor) -> Tensor:
    return torch.log(p / (1.0 - p))


def _srgb_to_linear(c: Tensor) -> Tensor:
    """The formula of :func:`image_to_3d.core.imaging.colour.srgb_to_linear`, on the device."""
    return torch.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
