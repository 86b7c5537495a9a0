"""The safe zone ends where holes open, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.core import GaussianCloud, Grid, Intrinsics
from image_to_3d.core.cameras.safe_zone import HOLES, SafeZone, grid_directions, safe_zone
from image_to_3d.core.cloud.background_fill import fill_behind_edges
from image_to_3d.core.cloud.lifting import lift

WIDTH, HEIGHT = 320, 240
PHOTO = Intrinsics.centred(250.0, WIDTH, HEIGHT)
INNER = 0.8  # share of the width that is looked at
AHEAD, RIGHT, BACK, LEFT = 0, 3, 6, 9
LEVEL = 3


def points(depth: np.ndarray) -> np.ndarray:
    x, y = PHOTO.pixel_rays(HEIGHT, WIDTH)
    return np.stack([x * depth, y[:, None] * depth, depth], -1).reshape(-1, 3).astype(np.float32)


@pytest.fixture(scope="module")
def step() -> np.ndarray:
    """A near wall on the left half of the picture, a far one on the right half."""
    depth = np.full((HEIGHT, WIDTH), 4.0)
    depth[:, : WIDTH // 2] = 1.5
    return depth


@pytest.fixture(scope="module")
def zone(step) -> SafeZone:
    return safe_zone(points(step), PHOTO)


def test_a_wall_has_no_holes_for_half_a_metre():
    radii = safe_zone(points(np.full((HEIGHT, WIDTH), 4.0)), PHOTO).radii
    assert radii.min() >= 0.5 and radii.max() <= 2.0


def test_the_gap_beside_an_edge_ends_the_zone(zone):
    # A camera that moves right by d sees d · f · (1/near − 1/far) columns between the walls.
    expected = HOLES * INNER * WIDTH / (PHOTO.fx * (1 / 1.5 - 1 / 4.0))
    assert zone.radii[LEVEL, RIGHT] == pytest.approx(expected, abs=0.02)
    assert zone.radii[LEVEL, LEFT] > 5 * zone.radii[LEVEL, RIGHT]


def test_what_an_engine_fills_in_widens_the_zone(step, zone):
    photo = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    cloud = fill_behind_edges(lift(photo, step, PHOTO), reach_m=0.2)
    assert isinstance(cloud, GaussianCloud) and cloud.grid == Grid(2, HEIGHT, WIDTH)
    filled = safe_zone(cloud.positions, PHOTO, cloud.opacities)
    assert filled.radii[LEVEL, RIGHT] > zone.radii[LEVEL, RIGHT] + 0.1


def test_faint_points_fill_nothing(step, zone):
    faint = np.full((HEIGHT, WIDTH), 4.0)
    both = np.concatenate([points(step), points(faint)])
    opacities = np.repeat(np.float32([0.9, 0.01]), HEIGHT * WIDTH)
    assert np.array_equal(safe_zone(both, PHOTO, opacities).radii, zone.radii)


def test_distances_outside_agree_with_the_radii():
    rng = np.random.default_rng(2)
    radii = rng.uniform(0.1, 0.6, (7, 12))
    radii[0], radii[-1] = radii[0, 0], radii[-1, 0]
    zone = SafeZone(radii)
    directions = grid_directions()
    assert np.allclose(np.linalg.norm(directions, axis=-1), 1)
    assert np.allclose(zone.radius(7 * directions), radii)
    assert np.allclose(zone.excess(directions * (radii + 0.05)[..., None]), 0.05)
    between = zone.radius(directions[3, 2] + directions[3, 3])
    assert between == pytest.approx(radii[3, 2:4].mean())
    assert zone.excess(np.zeros(3)) < 0


def test_the_wire_lies_on_the_border():
    zone = SafeZone(np.concatenate([[[0.4] * 12], np.random.default_rng(0).uniform(0.1, 0.5, (5, 12)), [[0.2] * 12]]))
    vertices, edges = zone.wire()
    assert np.allclose(zone.excess(vertices), 0)
    assert np.allclose(SafeZone.from_wire(vertices).radii, zone.radii)
    with pytest.raises(ValueError, match="vertices"):
        SafeZone.from_wire(vertices[1:])
    assert set(edges.ravel()) == set(range(len(vertices))) and (edges[:, 0] != edges[:, 1]).all()


def test_impossible_radii_are_refused():
    for radii in (np.ones((3, 3)), np.full((7, 12), -1.0), np.full((7, 12), np.nan)):
        with pytest.raises(ValueError, match="radii"):
            SafeZone(radii)


def test_a_scene_behind_the_camera_has_no_zone():
    with pytest.raises(ValueError, match="in front"):
        safe_zone(np.float32([[0, 0, -1]]), PHOTO)
