"""Fewer, wider Gaussians for a picture that has to keep up with a moving camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import GaussianCloud, Grid
from .base import Splats


def coarser(cloud: Splats, factor: int) -> Splats:
    """One Gaussian, ``factor`` times as wide, for each ``factor`` × ``factor`` cells of every layer of a cloud's picture grid.

    The Gaussian at the cell nearest the middle stands for its neighbours: averaging would put new ones into the air between the
    near and the far side of an edge. A cell whose representative is missing (a gap in the depth, say) is left out. Clouds without
    a grid come back as they are.
    """
    if not isinstance(cloud, GaussianCloud) or cloud.grid is None or factor == 1:
        return cloud
    grid, middle = cloud.grid, (factor - 1) // 2
    cells = cloud.cells()
    rows, cols = cells // grid.cols % grid.rows, cells % grid.cols
    kept = cloud.select((rows % factor == middle) & (cols % factor == middle))
    coarse = Grid(grid.layers, -(-(grid.rows - middle) // factor), -(-(grid.cols - middle) // factor))
    cells = kept.cells()
    layers, rows, cols = cells // (grid.rows * grid.cols), cells // grid.cols % grid.rows, cells % grid.cols
    index = (layers * coarse.rows + rows // factor) * coarse.cols + cols // factor
    return replace(kept, scales=kept.scales * np.float32(factor), grid=coarse, grid_index=index.astype(np.int32))
