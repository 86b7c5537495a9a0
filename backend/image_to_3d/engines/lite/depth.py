"""Photo → depth map, by the network of the engine `lite`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...core.intrinsics import DIAGONAL_35MM, Intrinsics
from .network import STRIDE, LiteNetwork, ray_grid
from .upsampling import joint_bilateral, sharpen

INPUT_PIXELS = 176 * 128
"""Pixels of the picture that the network sees: what it was trained on."""
GUIDE_SIDE = 640
"""Longer side, in pixels, of the picture whose edges the depth map is brought to."""
FOCAL_RANGE_MM35 = (12.0, 100.0)
"""35 mm equivalents that the network has seen, with a margin; beyond them its answer is scaled with the focal length."""


@dataclass(frozen=True, eq=False)
class DepthEstimate:
    """What the network says about a photo.

    Attributes:
        depth: (h, w) float32 planar depth in metres, NaN where it sees sky; of the photo's aspect, smaller than the photo.
        relative_error: (h, w) float32, expected |error| / depth by the network's own estimate.
    """

    depth: NDArray[np.float32]
    relative_error: NDArray[np.float32]


def input_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the network's input: multiples of 16, about the photo's aspect and the trained number of pixels."""
    aspect = float(np.clip(width / height, 1 / 4, 4))
    candidates = [
        (w, h)
        for w in range(4 * STRIDE, 24 * STRIDE, STRIDE)
        for h in range(4 * STRIDE, 24 * STRIDE, STRIDE)
        if 0.8 * INPUT_PIXELS <= w * h <= 1.25 * INPUT_PIXELS
    ]
    return min(
        candidates,
        key=lambda s: abs(np.log(s[0] / s[1] / aspect)) + 0.15 * abs(np.log(s[0] * s[1] / INPUT_PIXELS)),
    )


def estimate_depth(network: LiteNetwork, pixels: NDArray[np.uint8], intrinsics: Intrinsics) -> DepthEstimate:
    """Depth of a photo; the mean (of logarithms) of what the network says about it and about its mirror image.

    Args:
        network: in evaluation mode; it runs where its parameters are.
        pixels: (H, W, 3) sRGB.
        intrinsics: of the photo.
    """
    device = next(network.parameters()).device
    dtype = next(network.parameters()).dtype
    photo = _shrunk(pixels, device)
    tw, th = input_size(intrinsics.width, intrinsics.height)
    small = functional.interpolate(photo, (th, tw), mode="bilinear", antialias=True)
    diagonal = float(np.hypot(intrinsics.width, intrinsics.height))
    f_norm = float(np.sqrt(intrinsics.fx * intrinsics.fy)) / diagonal
    low, high = (mm / DIAGONAL_35MM for mm in FOCAL_RANGE_MM35)
    camera = intrinsics.with_focal(float(np.clip(f_norm, low, high)) * diagonal).resized(tw, th)
    fx, fy, cx, cy = (torch.tensor([v], dtype=torch.float32) for v in (camera.fx, camera.fy, camera.cx, camera.cy))
    rays = ray_grid(torch.cat([fx, fx]), torch.cat([fy, fy]), torch.cat([cx, tw - cx]), torch.cat([cy, cy]), th, tw)
    both = torch.cat([small, small.flip(3)])
    log_depth, log_error, sky = network(both.to(dtype), rays.to(device, dtype))
    log_depth, log_error, sky = ((v[0] + v[1].flip(1)).float() / 2 for v in (log_depth, log_error, sky))
    inverse = sharpen(torch.exp(-log_depth)[None, None] / f_norm)
    fine = joint_bilateral(inverse, photo)
    size = fine.shape
    error = functional.interpolate(torch.exp(log_error)[None, None], size, mode="bilinear")[0, 0]
    is_sky = functional.interpolate(sky[None, None], size, mode="bilinear")[0, 0] > 0
    depth = torch.where(is_sky, torch.nan, 1 / fine)
    return DepthEstimate(depth.cpu().numpy().astype(np.float32), error.cpu().numpy().astype(np.float32))


def _shrunk(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(1, 3, h, w) in [0, 1], at most ``GUIDE_SIDE`` on the longer side."""
    height, width = pixels.shape[:2]
    skip = max(1, min(height, width) // (2 * GUIDE_SIDE))  # very large photos need not become floats whole
    photo = torch.tensor(pixels[::skip, ::skip]).to(device).permute(2, 0, 1)[None].float() / 255
    shrink = GUIDE_SIDE / max(height, width)
    if shrink < 1:
        size = max(1, round(height * shrink)), max(1, round(width * shrink))
        photo = functional.interpolate(photo, size, mode="bilinear", antialias=True)
    return photo
