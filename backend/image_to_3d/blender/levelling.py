"""Levelling and calibration as the transform of a photo's root in Blender's world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.cameras.axes import BLENDER_FROM_OPENCV
from ..core.surfaces.levelling import Levelling
from .points import Similarity

Float64 = NDArray[np.float64]


def levelled_transform(levelling: Levelling, transform: Similarity, units_per_metre: float) -> Similarity:
    """The transform of a root that stands on z = 0, in place of the one that it has.

    The camera stays above the same spot and keeps the direction it looks in, unless a wall was aligned: that one faces along ±X or
    ±Y of the world, by the least turn.

    Args:
        levelling: of the photo, metres of the engine.
        transform: of the root, Blender frame and units; its scale stays.
        units_per_metre: Blender units of the data per metre of the engine.
    """
    level = BLENDER_FROM_OPENCV @ levelling.rotation @ BLENDER_FROM_OPENCV.T
    turn = _heading(transform.rotation)
    if levelling.aligned:
        turn = np.round(turn / (np.pi / 2)) * (np.pi / 2)
    cos, sin = np.cos(turn), np.sin(turn)
    about_z = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    height = levelling.camera_height_m * units_per_metre * transform.scale
    place = np.array([transform.translation[0], transform.translation[1], height])
    return Similarity(transform.scale, about_z @ level, place)


def _heading(rotation: Float64) -> float:
    """Angle about Z, radians, from +Y to where the camera of a root looks; straight down: to where its upper edge points."""
    ahead = rotation @ np.array([0.0, 1.0, 0.0])
    if np.hypot(ahead[0], ahead[1]) < 0.02:
        ahead = rotation @ np.array([0.0, 0.0, 1.0])
    return float(np.arctan2(-ahead[0], ahead[1]))


def matrix_of(transform: Similarity) -> Float64:
    """As a (4, 4) matrix."""
    out = np.eye(4)
    out[:3, :3] = transform.scale * transform.rotation
    out[:3, 3] = transform.translation
    return out
