"""Photo → depth map, by the network of the engine `lite`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...core.cameras.intrinsics import DIAGONAL_35MM, Intrinsics
from .network import STRIDE, LiteNetwork, ray_grid
from .upsampling import joint_bilateral, sharpen

INPUT_PIXELS = (112 * 80, 144 * 96)
"""Pixels of the pictures that the network sees, small to large: what it was trained on."""
SKY_LOGIT = 1.0
"""From which on a pixel counts as sky: on held-out scenes a wall taken for sky costs more than sky taken for a far wall."""
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


def input_size(width: int, height: int, pixels: int = INPUT_PIXELS[-1]) -> tuple[int, int]:
    """(width, height) of the network's input: multiples of 16, about the photo's aspect and the given number of pixels."""
    aspect = float(np.clip(width / height, 1 / 4, 4))
    sides = range(2 * STRIDE, 24 * STRIDE, STRIDE)
    candidates = [(w, h) for w in sides for h in sides if 0.75 * pixels <= w * h <= 1.3 * pixels]
    return min(candidates, key=lambda s: abs(np.log(s[0] / s[1] / aspect)) + 0.15 * abs(np.log(s[0] * s[1] / pixels)))


def estimate_depth(network: LiteNetwork, pixels: NDArray[np.uint8], intrinsics: Intrinsics) -> DepthEstimate:
    """Depth of a photo: the mean of what the network says about it and its mirror image, each at two sizes.

    Args:
        network: in evaluation mode; it runs where its parameters are.
        pixels: (H, W, 3) sRGB.
        intrinsics: of the photo.
    """
    photo = _shrunk(pixels, next(network.parameters()).device)
    diagonal = float(np.hypot(intrinsics.width, intrinsics.height))
    f_norm = float(np.sqrt(intrinsics.fx * intrinsics.fy)) / diagonal
    low, high = (mm / DIAGONAL_35MM for mm in FOCAL_RANGE_MM35)
    camera = intrinsics.with_focal(float(np.clip(f_norm, low, high)) * diagonal)
    sizes = [input_size(intrinsics.width, intrinsics.height, count) for count in INPUT_PIXELS]
    answers = [_ask(network, photo, camera, *size, sizes[-1]) for size in sizes]
    log_depth, log_error, sky = torch.stack(answers).mean(0)
    inverse = sharpen(torch.exp(-log_depth)[None, None] / f_norm)
    fine = joint_bilateral(inverse, photo)
    error = functional.interpolate(torch.exp(log_error)[None, None], fine.shape, mode="bilinear")[0, 0]
    is_sky = functional.interpolate(open_sky(sky)[None, None].float(), fine.shape, mode="bilinear")[0, 0] > 0.5
    depth = torch.where(is_sky, torch.nan, 1 / fine)
    return DepthEstimate(depth.cpu().numpy().astype(np.float32), error.cpu().numpy().astype(np.float32))


def open_sky(logits: Tensor) -> Tensor:
    """(h, w) True for sky that goes on beyond the upper edge of the picture; what a window shows is closed by its pane.

    Args:
        logits: (h, w) of "this is sky".
    """
    sky = (logits > SKY_LOGIT)[None, None].float()
    found = torch.zeros_like(sky)
    found[:, :, 0] = sky[:, :, 0]
    while True:
        grown = functional.max_pool2d(found, 3, 1, 1) * sky
        if torch.equal(grown, found):
            return found[0, 0] > 0
        found = grown


def _ask(
    network: LiteNetwork, photo: Tensor, camera: Intrinsics, width: int, height: int, answer_size: tuple[int, int]
) -> Tensor:
    """The network's three maps (3, h, w) for the photo (1, 3, H, W) shrunk to a size, mean over it and its mirror image."""
    small = functional.interpolate(photo, (height, width), mode="bilinear", antialias=True)
    camera = camera.resized(width, height)
    fx, fy, cx, cy = (torch.tensor([v], dtype=torch.float32) for v in (camera.fx, camera.fy, camera.cx, camera.cy))
    mirrored = torch.cat([cx, width - cx])
    rays = ray_grid(torch.cat([fx, fx]), torch.cat([fy, fy]), mirrored, torch.cat([cy, cy]), height, width)
    maps = torch.stack(network(torch.cat([small, small.flip(3)]), rays.to(photo.device)))
    both = (maps[:, 0] + maps[:, 1].flip(2)) / 2
    return functional.interpolate(both[None], answer_size[::-1], mode="bilinear")[0]


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
