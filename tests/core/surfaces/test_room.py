"""Which upright surfaces count as walls, and which surface a length lies on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from image_to_3d.core import Intrinsics
from image_to_3d.core.lengths.measuring import Length, common_normal
from image_to_3d.core.surfaces.inspection import cells_of_points, reach_of
from image_to_3d.core.surfaces.room import RoomReport, WallExtent, main_walls
from image_to_3d.core.surfaces.surface import SurfaceGrid


def upright(depth: float, share: float = 0.2, normal=(0.0, 0.0, -1.0)):
    """A surface that faces the camera, as far as a choice of walls looks at it."""
    normal, centre = np.array(normal), np.array([0.0, 0.0, depth])
    return SimpleNamespace(
        share=share, normal=normal, centre=centre, signed_distance=lambda point: float(normal @ (point - centre))
    )


def chosen(*surfaces) -> list[int]:
    """Indices of the walls among (surface, height in metres)."""
    ends = np.zeros((2, 3))
    extents = [
        WallExtent(i, Length(3.0, 0.0), Length(height, 0.0), ends, ends) for i, (_, height) in enumerate(surfaces)
    ]
    gravity = SimpleNamespace(planes=tuple(surface for surface, _ in surfaces))
    return [extent.wall for extent in main_walls(RoomReport(None, (), tuple(extents)), gravity)]


def test_fronts_of_furniture_and_small_surfaces_are_no_walls() -> None:
    wall = (upright(4.0), 2.5)
    assert chosen(wall, (upright(3.4), 0.9)) == [0], "a chest of drawers before the wall"
    assert chosen(wall, (upright(3.4), 2.4)) == [0, 1], "as high as the wall: a projection of it"
    assert chosen(wall, (upright(4.6), 0.9)) == [0, 1], "behind it, through a door"
    assert chosen(wall, (upright(3.4, normal=(1.0, 0.0, 0.0)), 0.9)) == [0, 1], "another direction"
    assert chosen(wall, (upright(4.0, share=0.01), 2.5)) == [0]


def test_a_length_on_one_surface_has_its_normal() -> None:
    ends = np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 2.0]])
    wall = np.array([0.0, 0.0, -1.0])
    np.testing.assert_allclose(common_normal(wall, wall, ends), wall)
    slanted = np.array([0.1, 0.0, -1.0]) / np.hypot(0.1, 1.0)
    normal = common_normal(slanted, slanted, ends)
    assert normal is not None and abs(normal[0]) < 1e-12 and np.linalg.norm(normal) == pytest.approx(1)
    assert common_normal(wall, np.array([1.0, 0.0, 0.0]), ends) is None, "round a corner"
    assert common_normal(wall, wall, np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 1.0]])) is None, "out of the surface"


def test_marked_vertices_reach_to_their_neighbours() -> None:
    """A mesh of every fourth cell: what is marked has no holes."""
    grid = SurfaceGrid(np.full((40, 60), 2.0), Intrinsics(60, 60, 30, 20, 60, 40))
    v, u = np.mgrid[10:31:4, 20:41:4] + 0.5
    points = np.stack([(u - 30) / 60 * 2, (v - 20) / 60 * 2, np.full(u.shape, 2.0)], axis=-1).reshape(-1, 3)
    mask = cells_of_points(points, grid, reach_of(40 * 60 // 16, grid))
    assert mask[10:31, 20:41].all()
