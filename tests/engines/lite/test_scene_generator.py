"""The generator of training scenes: exact depth, and the same scene for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from train_lite import dataset, raycast, scenes
from train_lite.raycast import Camera

UPRIGHT = scenes.look(np.zeros(3), np.pi / 2, 0.0, 0.0)
"""Looks along +y, z up."""


def a_scene(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> raycast.Scene:
    builder = scenes.Builder(np.random.default_rng(0))
    grey = builder.mat(raycast.PLAIN, np.full(3, 0.5))
    for centre, size in boxes:
        builder.at(0, 0)
        builder.box(*centre, *size, grey)
    return builder.build()


def depth_of(scene: raycast.Scene, camera: Camera) -> np.ndarray:
    return raycast.render(scene, camera)[1]


def test_camera_axes_are_right_handed_opencv():
    rotation = scenes.look(np.zeros(3), 0.3, -0.2, 0.1)
    assert np.allclose(rotation.T @ rotation, np.eye(3)) and np.linalg.det(rotation) == pytest.approx(1)
    assert pytest.approx([0, 1, 0]) == UPRIGHT @ [0, 0, 1] and pytest.approx([0, 0, -1]) == UPRIGHT @ [0, 1, 0]


def test_a_wall_has_its_distance_in_every_pixel_and_the_rest_is_sky():
    camera = Camera(np.array([0.0, 0, 1.5]), UPRIGHT, 60.0, 64, 48)
    depth = depth_of(a_scene(((0, 3.1, 1.5), (2.0, 0.2, 10))), camera)
    columns = (np.arange(64) + 0.5 - 32) / 60.0
    on_wall = np.abs(columns) * 3.0 < 1.0
    assert depth[:, on_wall] == pytest.approx(3.0, rel=1e-6)
    assert np.isinf(depth[:, ~on_wall]).all()


def test_the_floor_has_the_depth_of_similar_triangles():
    camera = Camera(np.array([0.3, 0, 1.6]), UPRIGHT, 70.0, 64, 48)
    depth = depth_of(a_scene(((0, 0, -0.5), (500, 500, 1.0))), camera)
    below = (np.arange(48) + 0.5 - 24) / 70.0
    expected = np.where(below > 0, 1.6 / np.maximum(below, 1e-9), np.inf)
    near = below > 0.02
    assert depth[near] == pytest.approx(np.repeat(expected[near, None], 64, 1), rel=1e-5)


def test_groups_and_tiles_hide_nothing():
    rng = np.random.default_rng(4)
    boxes = [(tuple(rng.uniform([-2, 2, 0], [2, 6, 3])), tuple(rng.uniform(0.1, 0.8, 3))) for _ in range(25)]
    camera = Camera(np.array([0.0, 0, 1.5]), scenes.look(np.zeros(3), 1.4, -0.1, 0.2), 50.0, 80, 64)
    together = scenes.Builder(np.random.default_rng(0))
    grey = together.mat(raycast.PLAIN, np.full(3, 0.5))
    together.at(0, 0)
    for centre, size in boxes:
        together.box(*centre, *size, grey)
    assert np.array_equal(depth_of(a_scene(*boxes), camera), depth_of(together.build(), camera))


@pytest.mark.parametrize("kind", list(scenes.KINDS))
def test_a_seed_is_a_picture(kind: str):
    first, second = (dataset.example(11, 96, 64, kind) for _ in range(2))
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1]) and first[2:] == second[2:]
    photo, depth, focal, _ = first
    assert photo.shape == (64, 96, 3) and photo.dtype == np.uint8 and photo.std() > 5
    assert (depth > 0).all() and 14 <= focal * scenes.DIAGONAL_35MM / np.hypot(96, 64) <= 85.01
    assert not np.array_equal(photo, dataset.example(12, 96, 64, kind)[0])


def test_stored_depth_is_within_a_tenth_of_a_thousandth():
    depth = np.array([0.06, 1.0, 2.345, 499.0, np.inf], np.float32)
    again = dataset.decode_depth(dataset.encode_depth(depth))
    assert np.isinf(again[-1]) and again[:-1] == pytest.approx(depth[:-1], rel=1e-4)
