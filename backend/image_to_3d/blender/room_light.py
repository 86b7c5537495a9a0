"""Where a lamp stands for the light in a photo of a room, and how bright it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_QUANTILE = 0.97
"""Of the heights: just below the ceiling."""
_BELOW = 0.1
"""Share of the room's height that the lamp hangs below that."""
_WATTS_AT_2_M = 25.0
"""Makes a white thing 2 m below it half as bright as a picture can be."""


@dataclass(frozen=True)
class RoomLight:
    """A square area lamp that shines down.

    Attributes:
        place: X, Y, Z of its middle, Blender units.
        size: of a side, Blender units.
        energy: Blender's watts; whatever the unit, because light falls off with units, too.
    """

    place: tuple[float, float, float]
    size: float
    energy: float


def room_light(positions: NDArray[np.floating]) -> RoomLight:
    """A lamp below the ceiling, over the middle of the points (N, 3), N ≥ 1, in Blender's world."""
    low, top = np.quantile(positions[:, 2], [1 - _QUANTILE, _QUANTILE])
    first, middle, last = np.quantile(positions[:, :2], [0.25, 0.5, 0.75], axis=0)
    height = max(float(top - low), 1e-6)
    place = float(middle[0]), float(middle[1]), float(top - _BELOW * height)
    return RoomLight(place, float(np.mean(last - first)), _WATTS_AT_2_M * ((1 - _BELOW) * height / 2) ** 2)
