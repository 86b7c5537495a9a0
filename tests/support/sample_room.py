"""The sample room as the core sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from image_to_3d.core import Intrinsics
from image_to_3d.core.surfaces.surface import SurfaceGrid


def sample_grid(folder: Path, truth: dict) -> SurfaceGrid:
    """Its exact depth, from ``depth_mm.png`` in ``folder``; ``truth`` is what ``truth.json`` holds."""
    depth = np.asarray(Image.open(folder / "depth_mm.png"), float) / 1000
    width, height = truth["image_size"]
    return SurfaceGrid(depth, Intrinsics(truth["fx"], truth["fy"], truth["cx"], truth["cy"], width, height))
