"""What Blender stores on its points is the cloud in Blender's frame and units."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.blender.points import DISPLAY_RADIUS_SIGMAS, from_cloud
from image_to_3d.core import GaussianCloud
from image_to_3d.core.cameras import axes


def random_cloud(n: int = 500) -> GaussianCloud:
    rng = np.random.default_rng(7)
    q = rng.normal(size=(n, 4))
    return GaussianCloud(
        positions=rng.normal(size=(n, 3)) + np.array([0, 0, 5]),
        scales=rng.uniform(0.001, 0.1, (n, 3)),
        rotations=q / np.linalg.norm(q, axis=1, keepdims=True),
        colours=rng.random((n, 3)),
        opacities=rng.random(n),
    )


def test_metres_change_only_axes_bit_for_bit() -> None:
    cloud = random_cloud()
    points = from_cloud(cloud)
    np.testing.assert_array_equal(points.positions, axes.points_to_blender(cloud.positions))
    np.testing.assert_array_equal(points.rotations, axes.rotations_to_blender(cloud.rotations))
    np.testing.assert_array_equal(points.scales, cloud.scales)
    np.testing.assert_array_equal(points.colours[:, :3], cloud.colours)
    np.testing.assert_array_equal(points.colours[:, 3], 1)
    np.testing.assert_array_equal(points.opacities, cloud.opacities)


@pytest.mark.parametrize("unit", [0.01, 0.3048, 1000.0])
def test_other_units_show_the_same_metres(unit: float) -> None:
    cloud = random_cloud()
    metres, other = from_cloud(cloud), from_cloud(cloud, unit)
    np.testing.assert_allclose(other.positions * unit, metres.positions, rtol=1e-6)
    np.testing.assert_allclose(other.scales * unit, metres.scales, rtol=1e-6)
    np.testing.assert_allclose(other.radii * unit, metres.radii, rtol=1e-6)
    assert other.extent_m == metres.extent_m


def test_radius_follows_the_middle_scale() -> None:
    cloud = random_cloud()
    np.testing.assert_allclose(
        from_cloud(cloud).radii, DISPLAY_RADIUS_SIGMAS * np.median(cloud.scales, axis=1), rtol=1e-6
    )


def test_extent_ignores_a_few_far_points() -> None:
    cloud = random_cloud(1000)
    far = cloud.positions.copy()
    far[:5] *= 1000
    moved = GaussianCloud(far, cloud.scales, cloud.rotations, cloud.colours, cloud.opacities)
    assert max(from_cloud(moved).extent_m) < 10


def test_arrays_are_contiguous_float32() -> None:
    points = from_cloud(random_cloud(), 0.5)
    for name in ("positions", "radii", "colours", "scales", "rotations", "opacities"):
        array = getattr(points, name)
        assert array.dtype == np.float32 and array.flags.c_contiguous, name


def test_empty_cloud() -> None:
    points = from_cloud(random_cloud().select(np.zeros(500, bool)))
    assert len(points) == 0 and points.extent_m == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("unit", [0.0, -1.0, np.nan])
def test_a_unit_has_a_positive_length(unit: float) -> None:
    with pytest.raises(ValueError, match="positive length"):
        from_cloud(random_cloud(), unit)
