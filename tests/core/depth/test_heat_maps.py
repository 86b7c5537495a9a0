"""Heat maps: near is bright, far is dark, unknown is black; the legend tells the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_to_3d.core import Intrinsics
from image_to_3d.core.cloud.background_fill import fill_behind_edges
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.depth.heat_maps import HeatScale, cloud_heat_map, depth_marks, heat_map, heat_scale
from image_to_3d.io.heat_map_pictures import side_by_side, with_legend


def _brightness(picture: np.ndarray) -> np.ndarray:
    return picture @ np.array([0.2126, 0.7152, 0.0722])


def test_nearer_is_brighter_and_unknown_is_black():
    w = np.linspace(0.1, 1.0, 200)[None, :].repeat(20, 0)
    w[:5] = np.nan
    picture = heat_map(w)
    assert (picture[:5] == 0).all()
    inner = _brightness(picture[10])
    assert (np.diff(inner) >= -0.5).all()
    assert inner[-1] > 200 > 20 > inner[0]


@given(st.floats(0.01, 1000), st.floats(-500, 500))
def test_colours_do_not_depend_on_scale_and_shift(scale, shift):
    w = np.linspace(0, 1, 300).reshape(15, 20)
    difference = np.abs(heat_map(scale * w + shift).astype(int) - heat_map(w))
    assert difference.max() <= 4  # a value on the border of two colours may change sides


def test_one_pixel_does_not_set_the_scale():
    w = np.full((50, 50), 0.5)
    w[:25] = 0.25
    w[0, 0] = 1e6
    assert heat_scale(w) == HeatScale(0.25, 0.5)


def test_a_flat_map_is_no_division_by_zero():
    assert len(np.unique(heat_map(np.full((4, 4), 0.3)).reshape(-1, 3), axis=0)) == 1
    with pytest.raises(ValueError, match="no known"):
        heat_scale(np.full((4, 4), np.nan))


@given(st.floats(0.2, 50), st.floats(1.2, 100))
def test_marks_are_round_depths_on_the_scale_nearest_first(near, ratio):
    scale = HeatScale(1 / (near * ratio), 1 / near)
    marks = depth_marks(scale)
    assert len(marks) <= 8
    assert marks == sorted(marks)
    assert all(near * 0.999 <= z <= near * ratio * 1.001 for z in marks)
    if ratio > 2:
        assert marks


def test_the_legend_stands_beside_the_picture_and_leaves_it_alone():
    w = np.linspace(0.1, 1.0, 300 * 200).reshape(200, 300)
    scale = heat_scale(w)
    picture = heat_map(w, scale)
    for metric in (True, False):
        legend = with_legend(picture, scale, metric)
        assert legend.shape[0] == 200
        assert 300 < legend.shape[1] < 400
        np.testing.assert_array_equal(legend[:, :300], picture)
        bar = legend[100, 300:]
        assert (
            np.abs(bar.astype(int) - heat_map(np.array([[(scale.near + scale.far) / 2]]), scale)[0, 0]).max(1) < 12
        ).any()


def test_tiny_pictures_get_a_legend_too():
    picture = np.zeros((3, 2, 3), np.uint8)
    assert with_legend(picture, HeatScale(0.1, 1.0), True).shape[0] == 3
    assert side_by_side(picture, picture).shape == (3, 6, 3)


def test_the_heat_map_of_a_cloud_is_that_of_its_visible_layer():
    intrinsics = Intrinsics.centred(60.0, 80, 40)
    depth = np.full((40, 80), 4.0, np.float32)
    depth[10:30, 20:50] = 1.0
    cloud = lift(np.zeros((40, 80, 3), np.uint8), depth, intrinsics)
    picture, scale = cloud_heat_map(cloud)
    assert (1 / scale.near, 1 / scale.far) == pytest.approx((1.0, 4.0))
    np.testing.assert_array_equal(picture, heat_map(1 / depth))
    np.testing.assert_array_equal(cloud_heat_map(fill_behind_edges(cloud))[0], picture)
    assert cloud_heat_map(cloud, longest=20)[0].shape == (10, 20, 3)
    with pytest.raises(ValueError, match="grid"):
        cloud_heat_map(replace(cloud, grid=None, grid_index=None))
