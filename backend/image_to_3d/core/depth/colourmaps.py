"""Colours for numbers: ``turbo`` for depth in films, ``inferno`` for heat maps.

Each map is a table of 65 sRGB colours, interpolated linearly; it is within one 8-bit step of the published 256-colour table.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

ColourMap = Literal["turbo", "inferno"]

# sampled from Mikhailov, "Turbo, An Improved Rainbow Colormap for Visualization", 2019
_TURBO = (
    "30123b351e58392a733d358b4040a1424bb54456c74661d6466be34775ee467ff64589fc4293ff3d9dfe37a7fa30b1f429bbec"
    "22c4e31dcdd819d5ce18dcc319e3b91ee8b026eda531f2993ef68c4cf97e5cfb716bfd647bfe588aff4d97fe43a3fd3cadfa38"
    "b8f735c2f234cced34d5e635dee037e6d838edd03af3c83af8c03afbb738fdae35fea331fe982cfd8c27fb8022f9741df56817"
    "f15d13ec520fe6490be04009d93807d23105ca2a04c02302b71d02ac1701a11101950d018808027a0403"
)
# sampled from the inferno table of van der Walt and Smith (matplotlib 2.0, public domain)
_INFERNO = (
    "00000402010a04031207051b0b072410092d150b371a0c40210c4a270b532e0a5a3609603c0965430a684a0c6b500e6c57106d"
    "5d126e63146e6a176e70196e761b6d7d1e6d83206b89226a9024689627669c2964a32b61a92e5faf315cb53458bb3755c13a51"
    "c63e4dcc4149d14644d64a40db4f3bdf5437e35932e75f2deb6528ee6b23f1711ef47819f67f14f8860ff98d0afa9407fb9c06"
    "fca309fcab0ffcb217fbba1ffac228f9ca32f7d23df5d949f3e156f2e865f1ef75f3f586f6fa96fcffa4"
)
_STEPS = 1024


def _interpolated(table: str) -> NDArray[np.uint8]:
    """(1025, 3) sRGB colours; the last is black, for unknown values."""
    nodes = np.frombuffer(bytes.fromhex(table), np.uint8).reshape(-1, 3).astype(np.float64)
    at, steps = np.linspace(0, 1, _STEPS), np.linspace(0, 1, len(nodes))
    colours = np.stack([np.interp(at, steps, nodes[:, c]) for c in range(3)], axis=-1)
    return np.concatenate([np.rint(colours), np.zeros((1, 3))]).astype(np.uint8)


_TABLES = {"turbo": _interpolated(_TURBO), "inferno": _interpolated(_INFERNO)}

FILM_FARTHEST_M = 50.0
"""Depth films end their scale here at the latest, as the published SHARP does."""


def apply_colour_map(values: NDArray[np.floating], name: ColourMap) -> NDArray[np.uint8]:
    """sRGB colours (..., 3) uint8 of values (...): 0 and below is the first colour, 1 and above the last, NaN is black.

    Raises:
        KeyError: there is no colour map of that name.
    """
    table = _TABLES[name]
    index = np.clip(np.asarray(values, np.float32) * np.float32(_STEPS - 1), 0, _STEPS - 1)
    return table[np.nan_to_num(np.rint(index), nan=_STEPS).astype(np.int32)]


def depth_colours(
    depth: NDArray[np.floating], nearest: float, farthest: float, name: ColourMap = "turbo"
) -> NDArray[np.uint8]:
    """sRGB colours (H, W, 3) uint8 of planar depth (H, W) in metres between two depths; NaN (unknown) is black."""
    return apply_colour_map((np.asarray(depth, np.float32) - nearest) / max(farthest - nearest, 1e-9), name)


def film_farthest(depth: NDArray[np.floating]) -> float:
    """End of the scale of a depth film, metres, from its first frame (H, W): the 95 % quantile of known depths, at most 50 m.

    (The published SHARP takes the greatest depth, which one distant pixel in a window decides.)
    """
    known = depth[np.isfinite(depth)]
    return min(float(np.quantile(known, 0.95)), FILM_FARTHEST_M) if known.size else FILM_FARTHEST_M
