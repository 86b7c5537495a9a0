"""The published cases of what a picture of Gaussians must be, where they are at hand, and how far one may be from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from image_to_3d.core import Camera, Intrinsics
from paths import SHARED

CASES = sorted((SHARED / "golden" / "raster" / "given").glob("*.npz"))

STRICT = {"max_ok": 2e-4, "mean_all": 1e-5, "max_fragile": 0.15}
LOOSE = {"max_ok": 2e-2, "mean_all": 1e-3, "max_fragile": 0.5}
"""For needles, whose conic loses digits in single precision."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Gaussians as they come, not validated."""

    positions: np.ndarray
    rotations: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    colours: np.ndarray


def load(path: Path) -> tuple[Arrays, Camera, float, dict[str, np.ndarray]]:
    """Gaussians, camera, eps2d and expected arrays of one case."""
    with np.load(path) as z:
        d = {k: z[k] for k in z.files}
    fields = (d[k].astype(np.float32) for k in ("means", "quats", "scales", "opacities", "colors"))
    K = d["K"].astype(float)
    intrinsics = Intrinsics(K[0, 0], K[1, 1], K[0, 2], K[1, 2], int(d["width"]), int(d["height"]))
    return Arrays(*fields), Camera(intrinsics, d["viewmat"], near=float(d["near"])), float(d["eps2d"]), d


def errors(frame, d) -> dict[str, float]:
    """Greatest and mean error of a frame against the expected arrays."""
    rows = d["rows"]
    assert all(np.isfinite(a).all() for a in (frame.colour, frame.alpha, frame.depth))
    e = np.maximum(np.abs(frame.colour[rows] - d["color"]).max(-1), np.abs(frame.alpha[rows] - d["alpha"]))
    e = np.maximum(e, np.abs(frame.depth[rows] - d["depth"]) / np.maximum(1, np.abs(d["depth"])))
    fragile = d["fragile"]
    return {
        "max_ok": float(e[~fragile].max()),
        "mean_all": float(e.mean()),
        "max_fragile": float(e[fragile].max()) if fragile.any() else 0.0,
    }


golden_cases = pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
needs_golden = pytest.mark.skipif(not CASES, reason="the golden rasterisation cases are not beside the repository")
