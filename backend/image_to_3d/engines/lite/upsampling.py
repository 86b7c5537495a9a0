"""A coarse depth map brought to the edges of its photo."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

RADIUS = 2
"""Half size of the window, coarse cells."""
SPREAD = 0.8
"""Standard deviation of the weight by distance, coarse cells."""
CONTRAST = 0.07
"""Standard deviation of the weight by colour, sRGB in [0, 1]."""
SHARPENING_STEPS = 4
"""Each moves a blurred depth edge by up to a quarter of a cell towards its middle."""


def _shifted(x: Tensor, dy: int, dx: int) -> Tensor:
    """x (B, C, h, w) with the neighbour at (+dy, +dx) in each cell, borders repeated."""
    height, width = x.shape[2:]
    r = max(abs(dy), abs(dx))
    if r == 0:
        return x
    padded = functional.pad(x, (r, r, r, r), mode="replicate")
    return padded[:, :, r + dy : r + dy + height, r + dx : r + dx + width]


def sharpen(inverse_depth: Tensor) -> Tensor:
    """Blurred depth edges made steep, planes left alone: a shock filter (Osher and Rudin 1990).

    Args:
        inverse_depth: (B, 1, h, w), 1/m.
    """
    w = inverse_depth
    for _ in range(SHARPENING_STEPS):
        right, left, below, above = (_shifted(w, *step) for step in ((0, 1), (0, -1), (1, 0), (-1, 0)))
        laplacian = (right + left + below + above) / 4 - w
        high = torch.stack([right, left, below, above, w]).amax(0)
        low = torch.stack([right, left, below, above, w]).amin(0)
        edge = torch.sigmoid(((high - low) / w - 0.12) * 40)  # smaller steps are surfaces, not edges
        towards = torch.tanh(laplacian / (0.02 * w))
        w = w - 0.25 * edge * torch.where(towards > 0, towards * (w - low), towards * (high - w))
    return w


def joint_bilateral(inverse_depth: Tensor, guide: Tensor) -> Tensor:
    """Inverse depth at the guide's resolution (Kopf et al., "Joint Bilateral Upsampling", 2007).

    Each coarse cell votes with its local plane, continued to the fine pixel (inverse depth is affine on planes, so that planes
    stay planes); near cells and cells of like colour count more.

    Args:
        inverse_depth: (1, 1, h, w), 1/m.
        guide: (1, 3, H, W) photo in [0, 1] at the wanted resolution.

    Returns:
        (H, W).
    """
    rows, cols = inverse_depth.shape[2:]
    height, width = guide.shape[2:]
    device = guide.device
    coarse = torch.cat(
        [
            inverse_depth,
            _slope(inverse_depth, 3),
            _slope(inverse_depth, 2),
            functional.interpolate(guide, (rows, cols), mode="area"),
        ],
        1,
    )
    y = (torch.arange(height, device=device) + 0.5) * (rows / height) - 0.5
    x = (torch.arange(width, device=device) + 0.5) * (cols / width) - 0.5
    row, col = y.round().long().clamp(0, rows - 1), x.round().long().clamp(0, cols - 1)
    total = torch.zeros(height, width, device=device)
    weight = torch.full((height, width), 1e-12, device=device)
    for j in range(-RADIUS, RADIUS + 1):
        r = (row + j).clamp(0, rows - 1)
        for i in range(-RADIUS, RADIUS + 1):
            c = (col + i).clamp(0, cols - 1)
            cell = coarse[0][:, r][:, :, c]
            off_y, off_x = (y - r)[:, None], (x - c)[None, :]
            value = cell[0] + cell[1] * off_x + cell[2] * off_y
            value = torch.minimum(torch.maximum(value, 0.85 * cell[0]), 1.15 * cell[0])
            difference = (cell[3:] - guide[0]).square().sum(0)
            w = torch.exp(-(off_x**2 + off_y**2) / (2 * SPREAD**2) - difference / (2 * CONTRAST**2)) + 1e-9
            total += w * value
            weight += w
    return total / weight


def _slope(w: Tensor, axis: int) -> Tensor:
    """The smaller of the two differences to the neighbours along an axis: the one that stays on the surface."""
    d = w.diff(dim=axis)
    last = d.shape[axis] - 1
    forward = torch.cat([d, d.narrow(axis, last, 1)], axis)
    backward = torch.cat([d.narrow(axis, 0, 1), d], axis)
    return torch.where(forward.abs() < backward.abs(), forward, backward)
