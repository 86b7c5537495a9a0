"""Depths and heat as colours."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.core.depth.colourmaps import apply_colour_map, depth_colours, film_farthest


def test_ends_are_the_published_colours():
    ends = np.array([0.0, 1.0])
    assert apply_colour_map(ends, "turbo").tolist() == [[48, 18, 59], [122, 4, 3]]
    assert apply_colour_map(ends, "inferno").tolist() == [[0, 0, 4], [252, 255, 164]]


@pytest.mark.parametrize("name", ["turbo", "inferno"])
def test_maps_are_smooth_and_clamped(name):
    ramp = apply_colour_map(np.linspace(0, 1, 2000), name).astype(int)
    assert np.abs(np.diff(ramp, axis=0)).max() <= 3
    assert len(np.unique(ramp, axis=0)) > 200
    assert np.array_equal(apply_colour_map(np.array([-5.0, 7.0]), name), ramp[[0, -1]])
    assert apply_colour_map(np.full((2, 3), np.nan), name).tolist() == np.zeros((2, 3, 3), int).tolist()


def test_inferno_grows_lighter_all_the_way():
    luma = apply_colour_map(np.linspace(0, 1, 65), "inferno") @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luma) > 0).all()


def test_unknown_depth_is_black_and_known_depth_is_scaled():
    depth = np.array([[1.0, 3.0, np.nan]])
    assert np.array_equal(depth_colours(depth, 1.0, 3.0)[0, :2], apply_colour_map(np.array([0.0, 1.0]), "turbo"))
    assert depth_colours(depth, 1.0, 3.0)[0, 2].tolist() == [0, 0, 0]


def test_scale_of_a_film_ends_where_most_depths_do():
    depth = np.full((10, 100), 4.0)
    depth[0, :20] = 400.0
    assert film_farthest(depth) == 4.0
    assert film_farthest(np.full((2, 2), 400.0)) == 50.0
    assert film_farthest(np.full((2, 2), np.nan)) == 50.0
