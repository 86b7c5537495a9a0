"""Places found again, known lengths solved again, levelled again; the root's transform in Blender."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from image_to_3d.blender.levelling import levelled_transform, matrix_of
from image_to_3d.blender.points import Similarity
from image_to_3d.core import ImageTo3DError, Intrinsics, Provenance
from image_to_3d.core.cameras.axes import points_to_blender
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.depth.relative_depth import AffineInverseDepth
from image_to_3d.core.lengths.anchors import Anchor, anchor
from image_to_3d.core.lengths.known_lengths import shift_grid
from image_to_3d.core.lengths.measuring import point_at, point_near
from image_to_3d.core.lengths.reapply import AnchoredLength, LevelRequest, MeasurementState, reapply_measurements
from image_to_3d.core.surfaces.levelling import find_gravity, level, level_from_points
from image_to_3d.core.surfaces.planes import find_planes
from image_to_3d.core.surfaces.surface import SurfaceGrid
from rooms import Camera, Room, structured_light

CAMERA = Camera((2.0, 0.4, 1.5), heading_deg=12, pitch_deg=-8, roll_deg=3, focal_mm35=20, size=(320, 240))
ROOM = Room((4.0, 5.0, 2.6))


@pytest.fixture(scope="module")
def grid() -> SurfaceGrid:
    return SurfaceGrid(ROOM.depth(CAMERA), CAMERA.intrinsics)


def cloud_of(grid: SurfaceGrid, provenance: Provenance):
    pixels = np.full((grid.rows, grid.cols, 3), 128, np.uint8)
    return lift(pixels, grid.depth, grid.intrinsics, provenance=provenance)


def test_a_picked_point_stays_and_knows_its_surface(grid: SurfaceGrid) -> None:
    point = point_at(grid, (100, 200))
    again = point_near(grid, point.position)
    np.testing.assert_allclose(again.position, point.position, rtol=1e-12)
    np.testing.assert_allclose(again.covariance, point.covariance, rtol=1e-3)
    assert again.uv == pytest.approx((100, 200))
    with pytest.raises(ImageTo3DError, match="does not lie on the surface"):
        point_near(grid, point.position * 0.8)
    with pytest.raises(ImageTo3DError, match="outside"):
        point_near(grid, -point.position)


def test_beside_a_depth_edge_the_depth_tells_which_side_was_meant() -> None:
    depth = np.full((60, 80), 4.0)
    depth[:, 40:] = 2.0
    grid = SurfaceGrid(depth, Intrinsics.centred(60.0, 80, 60))
    for z in (4.0, 2.0):
        ray = np.array([(40.0 - 40) / 60, 0.1, 1.0])
        place = anchor(grid, ray * z)
        assert place.on(grid).position[2] == pytest.approx(z)
        assert place.on(grid.scaled(1.7)).position[2] == pytest.approx(1.7 * z)


def test_an_anchor_is_exact_on_its_own_surface(grid: SurfaceGrid) -> None:
    rng = np.random.default_rng(0)
    noisy = SurfaceGrid(structured_light(grid.depth, rng), grid.intrinsics)
    rows, cols = np.nonzero(np.isfinite(noisy.depth))
    for k in rng.integers(0, len(rows), 20):
        position = noisy.points[rows[k], cols[k]] * 1.001
        np.testing.assert_allclose(anchor(noisy, position).on(noisy).position, position, rtol=1e-9)


def known(grid: SurfaceGrid, true: SurfaceGrid, a, b) -> AnchoredLength:
    metres = float(np.linalg.norm(point_at(true, a).position - point_at(true, b).position))
    return AnchoredLength(anchor(grid, point_at(grid, a).position), anchor(grid, point_at(grid, b).position), metres)


def test_relative_depth_is_solved_again_and_bent(grid: SurfaceGrid) -> None:
    affine = AffineInverseDepth(0.9, -0.05)
    wrong = SurfaceGrid(affine.depth(2.0 * grid.w + 0.1), grid.intrinsics)
    lengths = (known(wrong, grid, (40, 150), (40, 220)), known(wrong, grid, (150, 110), (190, 110)))
    provenance = Provenance("midas-small", False, "user", "", {"inverse_depth": affine.to_details()})
    cloud, reapplied = reapply_measurements(
        cloud_of(wrong, provenance), MeasurementState(lengths, level=LevelRequest("FLOOR", True)), 0.5
    )
    assert not reapplied.warnings
    factor = reapplied.solution.scale.factor
    np.testing.assert_allclose(np.nanmedian(cloud.depth_image() * factor / grid.depth), 1.0, atol=0.01)
    assert reapplied.levelling.camera_height_m * factor == pytest.approx(1.5, rel=0.01)
    np.testing.assert_allclose(
        shift_grid(wrong, reapplied.solution.inverse_depth_shift).depth * factor,
        cloud.depth_image() * factor,
        rtol=1e-5,
    )

    # The ends are gone: the inverse depth of before holds, whatever the engine assumes now.
    gone = tuple(replace(k, start=Anchor((1e4, 1e4), 1.0)) for k in lengths)
    before = MeasurementState(gone, reapplied.solution.inverse_depth_shift, factor, affine)
    other = AffineInverseDepth(1.7, 0.2)
    moved = replace(provenance, details={"inverse_depth": other.to_details()})
    other_grid = SurfaceGrid(other.depth(affine.disparity(wrong.depth)), grid.intrinsics)
    cloud2, again2 = reapply_measurements(cloud_of(other_grid, moved), before, 0.5)
    assert "scale is that of before" in again2.warnings[0]
    depth = cloud2.depth_image() * again2.solution.scale.factor
    np.testing.assert_allclose(depth, cloud.depth_image() * factor, rtol=1e-4)


def test_what_the_picture_no_longer_tells_is_said(grid: SurfaceGrid) -> None:
    wall = SurfaceGrid(np.full((60, 80), 2.5), Intrinsics.centred(70.0, 80, 60))
    cloud, reapplied = reapply_measurements(
        cloud_of(wall, Provenance("depth-map", True, "user")), MeasurementState(level=LevelRequest("FLOOR")), 0.03
    )
    assert reapplied.levelling is None and "could not be levelled again" in reapplied.warnings[0] and len(cloud) == 4800


def world_of(levelled: Similarity, camera_points: np.ndarray) -> np.ndarray:
    matrix = matrix_of(levelled)
    return points_to_blender(camera_points) @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("heading_deg", [0.0, 70.0])
def test_a_levelled_root_stands_on_its_floor(grid: SurfaceGrid, align: bool, heading_deg: float) -> None:
    gravity = find_gravity(find_planes(grid), grid)
    levelling = level(gravity, gravity.walls[0] if align else None)
    t = np.radians(heading_deg)
    turned = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1.0]])
    levelled = levelled_transform(levelling, Similarity(2.0, turned, np.array([5.0, 6.0, 7.0])), 100.0)
    assert levelled.scale == 2.0 and levelled.translation == pytest.approx([5.0, 6.0, 300.0], rel=1e-3)
    floor = grid.points[gravity.floor.mask][::50]
    np.testing.assert_allclose(world_of(levelled, floor * 100)[:, 2], 0.0, atol=1.0)
    ahead = levelled.rotation @ [0, 1, 0]
    if align:
        normal = levelled.rotation @ points_to_blender(gravity.walls[0].normal)
        assert np.abs(normal).max() == pytest.approx(1.0, abs=1e-6)
    else:
        assert np.degrees(np.arctan2(-ahead[0], ahead[1])) == pytest.approx(heading_deg, abs=0.01)


def test_three_points_tell_how_sure_they_are(grid: SurfaceGrid) -> None:
    points = [point_at(grid, uv) for uv in ((40, 230), (280, 230), (160, 190))]
    places, covariances = np.array([p.position for p in points]), np.array([p.covariance for p in points])
    exact = level_from_points(places)
    unsure = level_from_points(places, None, covariances + 1e-4 * np.eye(3))
    assert exact.sd_deg == 0 and 0.3 < unsure.sd_deg < 3 and unsure.camera_height_sd_m >= 0.01
    assert exact.camera_height_m == pytest.approx(1.5, rel=1e-3)


def test_levelling_again_weighs_the_lines_of_the_photo(grid: SurfaceGrid) -> None:
    measured = MeasurementState(level=LevelRequest("FLOOR"))
    up = find_gravity(find_planes(grid), grid).up

    def levelled(degrees: float):
        lines = {"up": list(turned(up, degrees)), "up_sd_deg": 1e-4}
        provenance = Provenance("depth-map", details={"camera_lines": lines})
        return reapply_measurements(cloud_of(grid, provenance), measured, 0.03)[1], lines["up"]

    reapplied, lines = levelled(2.0)
    np.testing.assert_allclose(-reapplied.levelling.rotation[1], lines, atol=1e-3)
    reapplied, _ = levelled(20.0)
    assert reapplied.levelling is None and "20° apart" in str(reapplied.warnings[0])


def turned(up: np.ndarray, degrees: float) -> np.ndarray:
    """A direction, the given angle beside another."""
    beside = np.cross(up, (0.0, 0.0, 1.0))
    return up * np.cos(np.radians(degrees)) + beside / np.linalg.norm(beside) * np.sin(np.radians(degrees))
