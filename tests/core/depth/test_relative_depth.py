"""Relative inverse depth becomes metres: by a stated assumption, and exactly by known lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_to_3d.core import GaussianCloud, Intrinsics, Provenance
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.depth.relative_depth import (
    TYPICAL_CAMERA_HEIGHT_M,
    AffineInverseDepth,
    affine_of,
    assume,
    assume_typical_distance,
    at_camera_height,
    change_inverse_depth,
    inverse_depth_divisor,
)
from image_to_3d.core.lengths.calibration import calibrate_disparity
from image_to_3d.core.lengths.known_lengths import shift_grid
from image_to_3d.core.lengths.reapply import shift_cloud
from image_to_3d.core.surfaces.surface import SurfaceGrid
from image_to_3d.io.depth import load_depth
from image_to_3d.io.photo import load_photo

K = Intrinsics.centred(60.0, 64, 48)
POSITIVE = st.floats(0.01, 100.0)


def _slanted_depth() -> np.ndarray:
    """A floor and a wall, both planes, seen from 1.4 m."""
    x, y = K.pixel_rays()
    floor = np.where(y > 0, y / 1.4, 0.0)[:, None]
    wall = (1 + 0.2 * x)[None, :] / 5.0
    return 1.0 / np.maximum(floor, wall)


def _cloud(depth: np.ndarray, affine: AffineInverseDepth | None = None) -> GaussianCloud:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    details = {} if affine is None else {"inverse_depth": affine.to_details()}
    return lift(pixels, depth, K, provenance=Provenance("midas-small", False, details=details))


@given(POSITIVE, st.floats(-50, 50), POSITIVE, st.floats(1.2, 20))
def test_the_assumption_does_not_depend_on_what_the_network_leaves_open(scale, shift, distance, ratio):
    d = np.linspace(1.0, 4.0, 500).reshape(20, 25) ** 2
    plain = assume_typical_distance(d, distance, ratio)
    other = assume_typical_distance(scale * d + shift, distance, ratio)
    np.testing.assert_allclose(other.depth(scale * d + shift), plain.depth(d), rtol=1e-6)
    z = plain.depth(d)
    assert np.median(z) == pytest.approx(distance, rel=0.02)
    near, far = np.quantile(z, [0.02, 0.98])
    assert far / near == pytest.approx(ratio, rel=0.05)


def test_sky_ends_at_a_distance_instead_of_infinity():
    d = np.r_[np.linspace(1, 5, 1000), np.full(10, -3.0)]
    affine = assume_typical_distance(d)
    z = affine.depth(d)
    assert np.isfinite(z).all()
    assert z.max() == pytest.approx(affine.farthest_m)


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_a_picture_of_one_disparity_is_a_wall_at_the_typical_distance(value):
    np.testing.assert_allclose(assume_typical_distance(np.full((4, 5), value)).depth(np.full(3, value)), 3.0)


def test_nothing_known_is_refused():
    with pytest.raises(ValueError, match="no disparity"):
        assume_typical_distance(np.full((3, 3), np.nan))


def test_camera_height_scales_all_depths_alike():
    affine = AffineInverseDepth(0.1, 0.02, 40.0)
    d = np.linspace(0, 5, 7)
    np.testing.assert_allclose(at_camera_height(affine, 3.0, 1.5).depth(d), 0.5 * affine.depth(d))


def test_depth_and_disparity_are_inverse():
    affine = AffineInverseDepth(0.7, -0.1)
    d = np.linspace(0.5, 9, 20)
    np.testing.assert_allclose(affine.disparity(affine.depth(d)), d)


@given(st.floats(0.2, 5.0), st.floats(-0.05, 0.3))
def test_changing_a_and_b_is_a_motion_along_the_rays(alpha, beta):
    depth = _slanted_depth()
    changed = change_inverse_depth(_cloud(depth), alpha, beta)
    keep = alpha / depth + beta > 1.1e-3 * alpha / depth
    assert changed.grid is not None
    expected = 1.0 / (alpha / depth + beta)
    np.testing.assert_allclose(changed.depth_image()[keep], expected[keep], rtol=1e-4)
    uv = K.project(changed.positions.astype(np.float64))
    cells = changed.cells()
    np.testing.assert_allclose(uv, np.stack([cells % 64 + 0.5, cells // 64 + 0.5], -1), atol=1e-3)


def test_shapes_follow_like_those_of_a_cloud_lifted_from_the_changed_depth():
    depth = _slanted_depth()
    alpha, beta = 0.8, 0.06
    changed = change_inverse_depth(_cloud(depth), alpha, beta)
    lifted = _cloud(1.0 / (alpha / depth + beta))
    # Across the line of sight both cover their pixel; thickness is a convention of lifting and does not transform.
    a, b = changed.covariances(), lifted.covariances()
    near = np.abs(lifted.positions[:, 2] - np.median(lifted.positions[:, 2])) < 3
    np.testing.assert_allclose(changed.scales[near, :2], lifted.scales[near, :2], rtol=0.05)
    size = np.linalg.norm(b, axis=(1, 2))
    assert np.median(np.linalg.norm(a - b, axis=(1, 2)) / size) < 0.02


def test_without_a_shift_it_is_a_mere_scaling():
    cloud = _cloud(_slanted_depth())
    doubled = change_inverse_depth(cloud, 0.5, 0.0)
    np.testing.assert_allclose(doubled.positions, 2 * cloud.positions, rtol=1e-6)
    np.testing.assert_allclose(doubled.scales, 2 * cloud.scales, rtol=1e-6)
    np.testing.assert_array_equal(doubled.rotations, cloud.rotations)


def test_the_record_of_a_and_b_stays_true():
    affine = AffineInverseDepth(0.05, 0.1, 50.0, "a guess")
    disparity = affine.disparity(_slanted_depth())
    changed = change_inverse_depth(_cloud(_slanted_depth(), affine), 1.3, 0.02, assumption="")
    record = affine_of(changed)
    assert record is not None
    assert changed.provenance.metric
    np.testing.assert_allclose(record.depth(disparity), changed.depth_image(), rtol=1e-4)


def test_what_would_lie_beyond_infinity_is_left_out():
    cloud = _cloud(_slanted_depth())
    changed = change_inverse_depth(cloud, 1.0, -0.2)
    assert 0 < len(changed) < len(cloud)
    assert (changed.positions[:, 2] > 0).all()
    with pytest.raises(ValueError, match="in front"):
        change_inverse_depth(cloud, 1.0, -100.0)


@pytest.fixture(scope="module")
def room(request) -> tuple[np.ndarray, Intrinsics, dict]:
    sample, truth = request.getfixturevalue("sample"), request.getfixturevalue("truth")
    depth = load_depth(sample / "depth_mm.png")
    return depth, load_photo(sample / "photo.jpg").intrinsics, truth


def test_two_known_lengths_make_relative_depth_metric(room):
    depth, intrinsics, truth = room
    disparity = 140.0 / depth + 23.0  # whatever a perfect network could answer
    affine = assume_typical_distance(disparity)
    z = affine.depth(disparity)
    assert np.nanmax(np.abs(z / depth - 1)) > 0.2  # the assumption is wrong for this room

    def ends(measurement: dict, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        uv = np.array(measurement["uv"])
        p, q = intrinsics.unproject(uv, np.array([z[int(v), int(u)] for u, v in uv]))
        return p, q

    lengths = truth["measurements"]
    known = [(*ends(length, z), length["length_m"]) for length in lengths[:2]]
    solved = calibrate_disparity(1.0 / z, known)
    metric = change_inverse_depth(lift_points(z, intrinsics), solved.a, solved.b).depth_image()
    assert len(lengths) >= 8
    for length in lengths[2:]:
        p, q = ends(length, metric)
        assert np.linalg.norm(p - q) == pytest.approx(length["length_m"], rel=0.01), length["name"]


def lift_points(z: np.ndarray, intrinsics: Intrinsics) -> GaussianCloud:
    return lift(np.zeros((*z.shape, 3), np.uint8), z, intrinsics, provenance=Provenance("midas-small", False))


def test_right_angles_and_floor_of_the_sample_room_leave_only_the_camera_height_to_chance(room):
    depth, intrinsics, truth = room
    disparity = 140.0 / np.nan_to_num(depth, nan=50.0) + 23.0
    affine = assume(disparity, intrinsics)
    assert (
        affine.assumption == f"walls are at right angles, the camera is {TYPICAL_CAMERA_HEIGHT_M:g} m above the floor"
    )
    ratio = affine.depth(disparity)[np.isfinite(depth)] / depth[np.isfinite(depth)]
    wanted = TYPICAL_CAMERA_HEIGHT_M / truth["camera"]["height_above_floor_m"]
    np.testing.assert_allclose(np.quantile(ratio, [0.05, 0.5, 0.95]), wanted, rtol=0.03)


def test_a_wall_without_floor_is_at_the_typical_distance():
    affine = assume(np.full((48, 64), 2.0), K)
    assert "middle" in affine.assumption


@given(z=st.floats(0.1, 100), shift=st.floats(-2, 2), alpha=st.floats(0.1, 10))
def test_the_divisor_gives_the_inverse_depth_that_was_asked_for(z: float, shift: float, alpha: float) -> None:
    divisor = float(inverse_depth_divisor(np.array(z), shift, alpha))
    wanted = alpha / z + shift
    if wanted > 0.002 * alpha / z:
        assert z / divisor == pytest.approx(1 / wanted)
    elif wanted <= 0:
        assert np.isnan(divisor), "at infinity, or beyond"


def test_points_and_their_grid_shift_alike() -> None:
    depth = _slanted_depth()
    cloud, grid = shift_cloud(_cloud(depth), -0.1), shift_grid(SurfaceGrid.from_cloud(_cloud(depth)), -0.1)
    np.testing.assert_allclose(cloud.depth_image(), grid.depth, rtol=1e-5)
