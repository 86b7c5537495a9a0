"""Filters leave out what they should and keep what a viewer would see."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.core import GaussianCloud, Grid, Intrinsics
from image_to_3d.core.cloud import filtering
from image_to_3d.core.cloud.lifting import lift

FOCAL = 60.0


def wall(rows: int, cols: int, depth: np.ndarray | float) -> GaussianCloud:
    """A lifted photo of random colours."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (rows, cols, 3), dtype=np.uint8)
    return lift(pixels, np.broadcast_to(np.float32(depth), (rows, cols)), Intrinsics.centred(FOCAL, cols, rows))


def coverage(cloud: GaussianCloud) -> float:
    largest = np.sort(cloud.scales.astype(float), axis=1)[:, 1:]
    return float((cloud.opacities * largest.prod(axis=1)).sum())


@pytest.mark.parametrize("reduction", [2, 4, 9])
def test_merging_keeps_coverage_colour_and_centre(reduction: int) -> None:
    cloud = wall(24, 36, 3.0)
    merged = filtering.merged(cloud, len(cloud) // reduction)
    assert len(merged) <= len(cloud) // reduction
    assert coverage(merged) == pytest.approx(coverage(cloud), rel=0.02)
    weight = merged.opacities * np.sort(merged.scales, axis=1)[:, 1:].prod(axis=1)
    np.testing.assert_allclose(
        np.average(merged.colours, axis=0, weights=weight), cloud.colours.mean(axis=0), rtol=0.03
    )
    centre = np.average(merged.positions, axis=0, weights=weight)
    np.testing.assert_allclose(centre, cloud.positions.mean(axis=0), atol=0.01)


def test_merging_halves_the_resolution_of_a_wall() -> None:
    """2 × 2 equal Gaussians become one of twice their size: the same picture at half the resolution."""
    cloud = wall(16, 16, 2.0)
    merged = filtering.merged(cloud, 64)
    assert merged.grid == Grid(2, 8, 8) and len(merged) == 64
    np.testing.assert_allclose(merged.scales[:, :2], 2 * np.sort(cloud.scales, axis=1)[0, 2], rtol=0.05)
    np.testing.assert_allclose(merged.opacities, cloud.opacities[0], rtol=1e-5)


def test_merging_keeps_the_covariance_of_the_mixture_across_the_surface() -> None:
    """The thickness is not inflated: the smallest scale stays what it was."""
    cloud = wall(16, 16, 2.0)
    merged = filtering.merged(cloud, 64)
    np.testing.assert_allclose(merged.scales[:, 2], cloud.scales.min(), rtol=0.05)


def test_depth_edges_are_not_bridged() -> None:
    depth = np.full((16, 16), 2.0)
    depth[:, 7:] = 6.0  # an odd column: every block on the edge holds both surfaces
    merged = filtering.merged(wall(16, 16, depth), 128)
    z = merged.positions[:, 2]
    assert np.minimum(abs(z - 2), abs(z - 6)).max() < 1e-3
    assert merged.grid_index is not None and (np.diff(merged.grid_index) > 0).all()


def test_small_clouds_are_returned_as_they_are() -> None:
    cloud = wall(4, 4, 2.0)
    assert filtering.merged(cloud, 16) is cloud


def test_clouds_without_a_grid_cannot_be_merged() -> None:
    cloud = wall(4, 4, 2.0)
    loose = GaussianCloud(cloud.positions, cloud.scales, cloud.rotations, cloud.colours, cloud.opacities)
    with pytest.raises(ValueError, match="grid"):
        filtering.merged(loose, 8)


def test_depth_and_opacity_limits_keep_the_grid() -> None:
    depth = np.linspace(1, 5, 64).reshape(8, 8)
    cloud = wall(8, 8, depth)
    near = filtering.within_depth(cloud, 3.0)
    assert 0 < len(near) < len(cloud) and near.positions[:, 2].max() <= 3.0 and near.grid == cloud.grid
    assert len(filtering.opaque(cloud, 0.999)) == 0
    assert filtering.opaque(cloud, 0.5) is cloud


def test_masked_pixels_give_no_gaussians() -> None:
    cloud = wall(8, 8, 2.0)
    masked = np.zeros((4, 4), bool)
    masked[0, :] = True  # the upper quarter of the picture
    left = filtering.unmasked(cloud, masked)
    assert len(left) == 48 and left.grid_index is not None and left.grid_index.min() == 16
