"""Depth as a picture for the eye: near is bright, far is dark, on a scale of inverse depth.

Inverse depth because that is what the eye expects of such a picture: the near things, which matter, take most of the scale, and the
sky is one end of it. It serves metres and relative disparity alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cloud.gaussians import GaussianCloud
from .colourmaps import apply_colour_map
from .depth_maps import inverse_depth, resample_inverse_depth

Array = NDArray[np.floating]

_TAIL = 0.01  # of the pixels lie beyond either end of the scale: one pixel in a window must not set it
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)


@dataclass(frozen=True)
class HeatScale:
    """What the colours mean: inverse depth or disparity, from ``far`` (dark) to ``near`` (bright)."""

    far: float
    near: float

    def positions(self, w: Array) -> NDArray[np.float64]:
        """Where values (any shape) lie on the scale: 0 is far, 1 is near; may exceed both."""
        return (np.asarray(w, np.float64) - self.far) / max(self.near - self.far, 1e-12)


def heat_scale(w: Array) -> HeatScale:
    """The scale for a map of inverse depth or disparity: between its 1 % and 99 % quantiles; NaN is left out.

    Raises:
        ValueError: nothing is known.
    """
    known = w[np.isfinite(w)]
    if not known.size:
        raise ValueError("the map holds no known value")
    far, near = np.quantile(known, [_TAIL, 1 - _TAIL])
    return HeatScale(float(far), float(near))


def heat_map(w: Array, scale: HeatScale | None = None) -> NDArray[np.uint8]:
    """Inverse depth or disparity (H, W) → sRGB colours (H, W, 3) of the map inferno; unknown (NaN) is black."""
    return apply_colour_map((scale or heat_scale(w)).positions(w), "inferno")


def cloud_heat_map(cloud: GaussianCloud, longest: int = 1600) -> tuple[NDArray[np.uint8], HeatScale]:
    """The visible layer of a cloud as a heat map of the photo's aspect, and its scale (1/m, or relative).

    Args:
        cloud: with a picture grid and intrinsics.
        longest: longer side of the picture, pixels, if the photo is larger.

    Raises:
        ValueError: no picture grid, no intrinsics, or no depth.
    """
    if cloud.intrinsics is None:
        raise ValueError("this cloud has no camera")
    size = cloud.intrinsics.width, cloud.intrinsics.height
    shrink = min(1.0, longest / max(size))
    cols, rows = (max(1, round(side * shrink)) for side in size)
    w = resample_inverse_depth(inverse_depth(cloud.depth_image(0)), rows, cols)
    scale = heat_scale(w)
    return heat_map(w, scale), scale


def depth_marks(scale: HeatScale, most: int = 6) -> list[float]:
    """Round depths in metres, nearest first, to write beside the scale of a metric map: at most ``most``, evenly chosen."""
    if not (scale.far > 0 and scale.near > scale.far):
        return []
    lowest = int(np.floor(np.log10(1.0 / scale.near)))
    highest = int(np.ceil(np.log10(1.0 / scale.far)))
    round_depths = [nice * 10.0**power for power in range(lowest, highest + 1) for nice in _NICE]
    marks = [z for z in round_depths if 1.0 / scale.near <= z <= 1.0 / scale.far]
    # Close to the far end marks crowd together: keep those that are an even step apart on the scale.
    kept: list[float] = []
    for z in marks:
        at = float(scale.positions(np.array(1.0 / z)))
        if not kept or float(scale.positions(np.array(1.0 / kept[-1]))) - at >= 0.8 / most:
            kept.append(z)
    return kept
