"""The surface of a photo's grid: normals, depth edges, mesh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.core import GaussianCloud, Grid, Intrinsics
from image_to_3d.core.depth.depth_maps import fit_local_planes, inverse_depth, inverse_depth_gradient
from image_to_3d.core.surfaces.surface import SurfaceGrid, label_regions, mesh_from_grid, normals, same_surface
from rooms import Box, Camera, Room, structured_light

K = Intrinsics(300.0, 310.0, 78.0, 61.0, 160, 120)


def plane_depth(normal: np.ndarray, offset: float, k: Intrinsics = K) -> np.ndarray:
    x, y = k.pixel_rays()
    rays = np.stack(np.broadcast_arrays(x, y[:, None], 1.0), axis=-1)
    return offset / (rays @ normal)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 20))
@settings(max_examples=30, deadline=None)
def test_normals_of_a_plane_are_exact_up_to_its_rim(nx: float, ny: float, distance: float) -> None:
    normal = np.array([nx, ny, -1.0]) / np.linalg.norm([nx, ny, -1.0])
    found = normals(plane_depth(normal, -distance), K)
    assert np.abs(found - normal).max() < 1e-6


def test_gradient_is_that_of_the_inverse_depth() -> None:
    depth = plane_depth(np.array([0.3, -0.5, -0.8]), -2.0)
    expected = np.stack(np.gradient(1 / depth)[::-1], axis=-1)
    assert np.allclose(inverse_depth_gradient(depth), expected, atol=1e-9)


def test_normals_beside_a_depth_edge_and_a_crease_are_those_of_their_own_side() -> None:
    near, far = plane_depth(np.array([0.2, 0.1, -1.0]), -1.5), plane_depth(np.array([-0.3, 0.2, -1.0]), -4.0)
    step = np.where(np.arange(160) < 80, near, far)
    found = normals(step, K)
    a, b = normals(near, K)[60, 80], normals(far, K)[60, 80]
    assert np.abs(found[:, :80] - a).max() < 1e-6
    assert np.abs(found[:, 80:] - b).max() < 1e-6

    room = Room(furniture=())
    camera = Camera((2.1, 0.3, 1.5), size=(160, 120))
    found = room.grid(camera).normals @ camera.world_from_camera().T
    axis_aligned = np.abs(found).max(axis=-1)
    assert np.mean(axis_aligned > 0.9999) > 0.98


def test_unknown_depth_has_no_normal_and_no_links() -> None:
    depth = plane_depth(np.array([0.0, 0.0, -1.0]), -2.0)
    depth[40:50, 60:80] = np.nan
    depth[0, 0], depth[1, 1], depth[2, 2] = 0.0, np.inf, -1.0
    grid = SurfaceGrid(depth, K)
    assert np.isnan(inverse_depth(depth)[[0, 1, 2], [0, 1, 2]]).all()
    assert not grid.links.right[44, 60:79].any() and not grid.links.right[44, 59]
    assert grid.links.right[20:30, 20:30].all()


def test_links_break_at_depth_edges_and_hold_on_grazing_floors_and_creases() -> None:
    camera = Camera((2.1, 0.3, 1.5), pitch_deg=-3, size=(320, 240))
    empty = Room(size=(4.2, 12.0, 2.6)).grid(camera)
    assert empty.links.right.mean() > 0.995 and empty.links.down.mean() > 0.995
    labels = label_regions(np.isfinite(empty.w), empty.links)
    assert np.mean(labels == 0) > 0.999

    hanging = Room(size=(4.2, 12.0, 2.6), furniture=(Box((2.1, 3.0, 1.6), (0.8, 0.1, 0.5)),)).grid(camera)
    labels = label_regions(np.isfinite(hanging.w), hanging.links)
    box = np.abs(hanging.depth - 2.65) < 0.1
    box &= hanging.points[..., 1] < 0.5
    inside, outside = (
        np.bincount(labels[box & (labels >= 0)]).argmax(),
        np.bincount(labels[~box & (labels >= 0)]).argmax(),
    )
    assert inside != outside


def test_local_planes_match_a_slow_fit_of_every_window() -> None:
    rng = np.random.default_rng(3)
    w = rng.uniform(0.2, 0.4, (9, 11))
    w[2, 3] = np.nan
    local = fit_local_planes(w, radius=2)

    def window(row: int, col: int) -> tuple[np.ndarray, float] | None:
        rows, cols = np.mgrid[max(0, row - 2) : min(9, row + 3), max(0, col - 2) : min(11, col + 3)]
        values = w[rows, cols]
        known = np.isfinite(values)
        if known.sum() < 8:
            return None
        A = np.stack([np.ones(known.sum()), cols[known] - col, rows[known] - row], -1)
        c, *_ = np.linalg.lstsq(A, values[known], rcond=None)
        return c, float(np.sum((values[known] - A @ c) ** 2) / (known.sum() - 3))

    for row, col in ((4, 5), (0, 0), (3, 4), (8, 10)):
        best = (np.inf, 0.0)
        for dy in (-2, 0, 2):
            for dx in (-2, 0, 2):
                if not (0 <= row + dy < 9 and 0 <= col + dx < 11) or (fit := window(row + dy, col + dx)) is None:
                    continue
                value = float(fit[0] @ (1.0, -dx, -dy))
                cost = (fit[1] + 0.5 * (w[row, col] - value) ** 2) * (0.5 if dx == dy == 0 else 1.0)
                best = min(best, (cost, value))
        assert local.value[row, col] == pytest.approx(best[1], abs=1e-9)


def test_labels_are_connected_regions_by_decreasing_size() -> None:
    mask = np.array([[1, 1, 0, 0, 1], [0, 1, 0, 0, 1], [0, 1, 1, 0, 0], [1, 0, 0, 0, 1]], bool)
    assert label_regions(mask).tolist() == [
        [0, 0, -1, -1, 1],
        [-1, 0, -1, -1, 1],
        [-1, 0, 0, -1, -1],
        [2, -1, -1, -1, 3],
    ]


def test_mesh_lies_on_the_points_and_never_bridges_a_depth_edge() -> None:
    camera = Camera((2.1, 0.3, 1.5), pitch_deg=-8, size=(320, 240))
    boxes = (Box((2.6, 2.6, 0.6), (0.7, 0.5, 1.2), 20), Box((1.2, 3.0, 1.7), (0.5, 0.05, 0.4)))
    grid = Room(furniture=boxes, windows=((1.4, 2.6, 0.9, 2.0),)).grid(camera)
    for limit in (80_000, 5_000):
        mesh = mesh_from_grid(grid, limit)
        assert 0 < len(mesh.vertices) <= limit
        row, col = np.divmod(mesh.cells, grid.cols)
        assert np.allclose(mesh.vertices, grid.points[row, col], atol=1e-6)
        assert np.allclose(mesh.uvs * (320, 240), np.stack([col + 0.5, 240 - row - 0.5], -1), atol=1e-3)
        corners = mesh.vertices[mesh.faces].astype(float)
        # Where the middle of a face projects to, the surface is where the face is.
        middle = corners.mean(axis=1)
        pixel = np.floor(grid.intrinsics.project(middle)).astype(int)
        assert np.nanmax(np.abs(grid.depth[pixel[:, 1], pixel[:, 0]] / middle[:, 2] - 1)) < 0.05
        front = np.einsum("ij,ij->i", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]), middle)
        assert (front < 0).all()


def test_mesh_covers_a_plain_wall_whole_at_every_decimation() -> None:
    grid = SurfaceGrid(plane_depth(np.array([0.0, 0.0, -1.0]), -2.0), K)
    for limit in (4, 10, 500, 100_000):
        mesh = mesh_from_grid(grid, limit)
        assert np.ptp(mesh.uvs[:, 0]) == pytest.approx(159 / 160) and np.ptp(mesh.uvs[:, 1]) == pytest.approx(119 / 120)
    with pytest.raises(ValueError):
        mesh_from_grid(grid, 3)


def test_surface_of_a_cloud_uses_its_grid_and_its_holes() -> None:
    depth = plane_depth(np.array([0.1, 0.0, -1.0]), -2.0)
    known = np.ones(depth.size, bool)
    known[1000:1100] = False
    index = np.flatnonzero(known).astype(np.int32)
    points = SurfaceGrid(depth, K).points.reshape(-1, 3)[index]
    n = len(index)
    cloud = GaussianCloud(
        points,
        np.full((n, 3), 0.01),
        np.tile([1.0, 0, 0, 0], (n, 1)),
        np.ones((n, 3)),
        np.ones(n),
        K,
        Grid(1, 120, 160),
        index,
    )
    grid = SurfaceGrid.from_cloud(cloud)
    assert np.isnan(grid.depth.ravel()[1000:1100]).all()
    assert np.allclose(grid.depth.ravel()[index], depth.ravel()[index], atol=1e-5)


def test_noise_level_is_the_noise_and_rounding_is_noticed() -> None:
    rng = np.random.default_rng(0)
    depth = plane_depth(np.array([0.0, -0.3, -1.0]), -2.0)
    noisy = SurfaceGrid(1 / (1 / depth + rng.normal(0, 0.002, depth.shape)), K)
    assert 0.0012 < np.median(noisy.noise) < 0.0025
    rounded = SurfaceGrid(np.round(plane_depth(np.array([0.0, -0.02, -1.0]), -2.0), 2), K)
    assert np.median(rounded.noise) == pytest.approx(0.01 / 4 / np.sqrt(12), rel=0.3)


def test_links_survive_the_noise_of_a_depth_camera() -> None:
    camera = Camera((2.1, 0.3, 1.5), pitch_deg=-8, size=(320, 240))
    depth = structured_light(Room().depth(camera), np.random.default_rng(1))
    grid = SurfaceGrid(depth, camera.intrinsics)
    known = np.isfinite(depth)
    both = known[:, 1:] & known[:, :-1]
    assert same_surface(grid.w, grid.local, grid.noise).right[both].mean() > 0.95


def test_a_thinned_grid_shows_the_same_points() -> None:
    grid = Room().grid(Camera((2.1, 0.3, 1.5), heading_deg=10, size=(320, 240)))
    thin = grid.thinned(100)
    assert thin.cols <= 100
    assert np.allclose(thin.points[5, 7], grid.points[2 + 4 * 5, 2 + 4 * 7])
