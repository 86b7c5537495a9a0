"""What lies behind depth edges is filled from the background, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.core import GaussianCloud, Intrinsics
from image_to_3d.core.cloud.background_fill import fill_behind_edges, invented, with_fill
from image_to_3d.core.cloud.filtering import merged
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.io.ply import read_ply, write_ply
from image_to_3d.protocol.messages import Result, cloud_fields

ROWS, COLS, F = 60, 90, 70.0
K = Intrinsics.centred(F, COLS, ROWS)
BOX = (slice(20, 40), slice(35, 60))
BOX_DEPTH = 1.5


def _wall(tilt: float = 0.1) -> np.ndarray:
    """Depth of a slanted wall about 3 m away."""
    x, y = K.pixel_rays()
    return 3.0 / (1 + tilt * x[None, :] + 0.05 * y[:, None])


def _scene() -> np.ndarray:
    depth = _wall()
    depth[BOX] = BOX_DEPTH
    return depth


def _cloud(depth: np.ndarray) -> GaussianCloud:
    pixels = np.full((ROWS, COLS, 3), (40, 90, 160), np.uint8)
    pixels[BOX] = (250, 10, 10)
    return lift(pixels, depth, K)


def _hidden(cloud: GaussianCloud) -> np.ndarray:
    return cloud.cells() >= ROWS * COLS


def test_the_first_layer_is_unchanged():
    front = _cloud(_scene())
    both = fill_behind_edges(front)
    first = both.select(~_hidden(both))
    for name in ("positions", "scales", "rotations", "colours", "opacities"):
        np.testing.assert_array_equal(getattr(first, name), getattr(front, name))
    np.testing.assert_array_equal(both.depth_image(0), front.depth_image(0))


def test_the_second_layer_lies_on_the_background_plane_behind_the_box_and_is_marked():
    both = fill_behind_edges(_cloud(_scene()))
    filled = np.isfinite(both.depth_image(1))
    assert filled.any()
    outside = np.ones((ROWS, COLS), bool)
    outside[BOX] = False
    assert not filled[outside].any()
    np.testing.assert_allclose(both.depth_image(1)[filled], _wall()[filled], rtol=2e-3)
    assert both.provenance.details["invented_layers"] == [1]
    np.testing.assert_allclose(both.colours[_hidden(both)], both.colours[0][None].repeat(filled.sum(), 0), atol=1e-6)


@pytest.mark.parametrize("reach", [0.05, 0.1, 0.2])
def test_the_width_of_the_fill_is_what_a_move_of_that_reach_uncovers(reach):
    filled = np.isfinite(fill_behind_edges(_cloud(_scene()), reach).depth_image(1))[BOX]
    wanted = reach * F * (1 / BOX_DEPTH - 1 / _wall()[30, 35])
    from_left = np.argmin(filled[10]) if not filled[10].all() else filled.shape[1]
    assert from_left == pytest.approx(wanted, abs=1.0)


@settings(deadline=None, max_examples=15)
@given(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_a_camera_moved_within_the_reach_sees_no_gap_beside_the_box(right, down):
    both = fill_behind_edges(_cloud(_scene()), 0.22)
    moved = both.positions.astype(np.float64) - [right, down, 0.0]
    uv = K.project(moved)
    covered = np.zeros((ROWS, COLS), bool)
    col, row = np.floor(uv).astype(int).T
    # A cell covers its own width wherever it lands: mark the pixel and its neighbours.
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            inside = (row + i >= 0) & (row + i < ROWS) & (col + j >= 0) & (col + j < COLS)
            covered[row[inside] + i, col[inside] + j] = True
    assert covered[12:48, 15:75].all()


def test_without_depth_edges_nothing_is_invented():
    floor = 1.5 / np.maximum(K.pixel_rays()[1], 0.02)[:, None].repeat(COLS, 1)  # steep towards the horizon
    for depth in (_wall(), floor, np.full((ROWS, COLS), 2.0)):
        both = fill_behind_edges(_cloud(depth))
        assert both.grid is not None
        assert both.grid.layers == 2
        assert not _hidden(both).any()


def test_holes_in_the_depth_stay_holes():
    depth = _scene()
    depth[:, 10:20] = np.nan
    both = fill_behind_edges(_cloud(depth))
    assert np.isnan(both.depth_image(1)[:, 10:20]).all()
    assert np.isnan(both.depth_image(0)[:, 10:20]).all()


def test_no_reach_no_second_layer():
    assert not _hidden(fill_behind_edges(_cloud(_scene()), 0.0)).sum() > 2 * (20 + 25)


@pytest.mark.parametrize("reach", [-0.1, float("nan"), float("inf")])
def test_an_impossible_reach_is_refused(reach):
    with pytest.raises(ValueError, match="cannot move"):
        fill_behind_edges(_cloud(_scene()), reach)


def test_clouds_of_two_layers_are_refused():
    both = fill_behind_edges(_cloud(_scene()))
    with pytest.raises(ValueError, match="one grid layer"):
        fill_behind_edges(both)


def test_both_layers_and_the_mark_survive_a_file(tmp_path):
    both = fill_behind_edges(_cloud(_scene()))
    write_ply(tmp_path / "two.ply", both)
    again = read_ply(tmp_path / "two.ply")
    assert again.grid == both.grid
    np.testing.assert_array_equal(again.cells(), both.cells())
    assert again.provenance.details["invented_layers"] == [1]


def test_what_is_invented_is_known_after_merging_a_file_and_the_wire(tmp_path):
    both = with_fill(_cloud(_scene()), True)
    hidden = invented(both)
    assert 0 < hidden.sum() < len(both)
    np.testing.assert_array_equal(hidden, _hidden(both))
    write_ply(tmp_path / "two.ply", both)
    np.testing.assert_array_equal(invented(read_ply(tmp_path / "two.ply")), hidden)
    received = Result(**cloud_fields(both)).to_cloud()
    np.testing.assert_array_equal(invented(received), hidden)
    few = merged(both, len(both) // 3)
    assert few.provenance.details["invented_layers"] == [2, 3]
    behind = invented(few)
    assert 0 < behind.sum() < hidden.sum()
    seen = few.select(~behind)
    assert seen.positions[:, 2].max() <= _wall().max() + 1e-3 and (seen.positions[:, 2] < BOX_DEPTH + 0.01).any()


def test_fill_is_for_clouds_of_one_layer_and_can_be_taken_away_again():
    front = _cloud(_scene())
    both = with_fill(front, True)
    assert with_fill(front, None) is front and with_fill(front, False) is front
    assert with_fill(both, None) is both and with_fill(both, True) is both
    again = with_fill(both, False)
    assert again.grid == front.grid and "invented_layers" not in again.provenance.details
    np.testing.assert_array_equal(again.positions, front.positions)
    np.testing.assert_array_equal(again.cells(), front.cells())
    assert not invented(front).any()
    without_grid = replace(front, grid=None, grid_index=None)
    assert with_fill(without_grid, True) is without_grid and not invented(without_grid).any()
