"""What a cloud remembers of the straight lines of its photo: which way is up, and how sure the focal length is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cloud.gaussians import Provenance
from .surface import Float64

DETAIL = "camera_lines"
"""Name in :attr:`~image_to_3d.core.cloud.gaussians.Provenance.details`."""


@dataclass(frozen=True, eq=False)
class PlumbLines:
    """The vertical from lines.

    Attributes:
        up: (3,) unit vector against gravity, OpenCV camera frame.
        sd_deg: standard deviation of its direction, degrees.
    """

    up: Float64
    sd_deg: float


def told_by_lines(focal_sd: float | None, plumb: PlumbLines | None) -> dict[str, Any]:
    """JSON-like, for a provenance; empty if lines told nothing."""
    told: dict[str, Any] = {}
    if focal_sd is not None:
        told["focal_sd"] = float(focal_sd)
    if plumb is not None:
        told["up"], told["up_sd_deg"] = [float(x) for x in plumb.up], float(plumb.sd_deg)
    return told


def plumb_lines_of(provenance: Provenance) -> PlumbLines | None:
    """The vertical that came with a cloud; None where none did, or nonsense."""
    told = provenance.details.get(DETAIL)
    if not isinstance(told, Mapping):
        return None
    try:
        up, sd = np.asarray(told["up"], np.float64).reshape(3), float(told["up_sd_deg"])
    except (KeyError, TypeError, ValueError):
        return None
    size = float(np.linalg.norm(up))
    return PlumbLines(up / size, sd) if np.isfinite(size) and 0.5 < size < 2 and 0 < sd < 90 else None


def focal_sd_of(provenance: Provenance) -> float | None:
    """The relative standard deviation of the focal length that came with a cloud; None where none did, or nonsense."""
    told = provenance.details.get(DETAIL)
    sd = told.get("focal_sd") if isinstance(told, Mapping) else None
    if isinstance(sd, bool) or not isinstance(sd, (int, float)) or not 0 < sd < 1:
        return None
    return float(sd)
