"""Which points editing takes: masks against slow and obvious ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_to_3d.core.cameras.axes import points_to_blender
from image_to_3d.core.cloud import selecting
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.io.depth import load_depth
from image_to_3d.io.photo import load_photo


def points(count: int = 2000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal((0, 4, 0), 1, (count, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def room():
    """The sample room in the Blender frame."""
    from backend_process import SAMPLE

    photo = load_photo(SAMPLE / "photo.jpg")
    return points_to_blender(lift(photo.pixels, load_depth(SAMPLE / "depth_mm.png"), photo.intrinsics).positions)


def test_a_turned_box():
    rng = np.random.default_rng(1)
    box = np.eye(4)
    box[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * (0.5, 1.5, 2.0)
    box[:3, 3] = 0.3, 4, 0.1
    p = points()
    local = np.array([np.linalg.inv(box) @ (*q, 1) for q in p])[:, :3]
    expected = (np.abs(local) <= 1).all(1)
    assert 100 < expected.sum() < 1900
    assert np.array_equal(selecting.inside_box(p, np.linalg.inv(box)), expected)


PERSPECTIVE = np.array([[2, 0, 0.1, 0], [0, 0.2, 3, 0], [0, 1.002, 0, -0.2], [0, 1, 0, 0.0]])
ORTHOGRAPHIC = np.array([[0.3, 0, 0, 0], [0, 0, 0.4, 0], [0, 0.1, 0, -0.5], [0, 0, 0, 1]])


@pytest.mark.parametrize("projection", [PERSPECTIVE, ORTHOGRAPHIC])
def test_pixels_are_those_of_the_projection(projection):
    p = points()
    pixels, distances = selecting.on_screen(p, projection, 640, 480)
    clip = np.concatenate([p, np.ones((len(p), 1))], 1) @ projection.T
    expected = (clip[:, :2] / clip[:, 3:] + 1) / 2 * (640, 480)
    seen = clip[:, 3] > 0
    assert np.allclose(pixels[seen], expected[seen], atol=0.02) and np.isnan(pixels[~seen]).all()
    nearer = p[:, 1].argsort()
    assert (np.diff(distances[nearer][seen[nearer]]) >= -1e-5).all(), "farther along the view is a larger distance"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-20, 120), st.integers(-20, 90)), min_size=3, max_size=9))
def test_outlines_follow_the_even_odd_rule(corners):
    outline = np.add(corners, (0.2371, 0.1379))  # no line through the centre of a pixel
    rng = np.random.default_rng(0)
    pixels = (rng.integers(0, (100, 70), (120, 2)) + 0.5).astype(np.float32)

    def inside(x: float, y: float) -> bool:
        odd = False
        for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, 0), strict=True):
            if (y0 > y) != (y1 > y) and x > x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                odd = not odd
        return odd

    found = selecting.inside_outline(pixels, outline, 100, 70)
    assert found.tolist() == [inside(x, y) for x, y in pixels]


def test_what_is_off_the_screen_is_outside_the_outline():
    pixels = np.array([[np.nan, np.nan], [-1, 5], [5, -1], [100, 5], [5, 70], [5, 5]], np.float32)
    everything = [(-10, -10), (200, -10), (200, 200), (-10, 200)]
    assert selecting.inside_outline(pixels, everything, 100, 70).tolist() == [False] * 5 + [True]
    assert not selecting.inside_outline(pixels, [(5, 5)], 100, 70).any()


def test_the_foremost_hide_what_is_behind():
    pixels = np.array([[10, 10], [11, 11], [10.5, 10], [50, 50], [np.nan, 0]], np.float32)
    front = selecting.foremost(pixels, np.array([2, 2.1, 4, 9, 1], np.float32), 100, 70)
    assert front.tolist() == [True, True, False, True, False]


def test_floaters_are_isolated_and_a_room_is_not(room):
    rng = np.random.default_rng(3)
    at = room[rng.integers(0, len(room), 300)] * rng.uniform(0.3, 0.7, (300, 1)).astype(np.float32)
    alone = selecting.isolated(np.concatenate([room, at]), 10, True)
    print(f"{alone[: len(room)].mean():.3%} of the room, {alone[len(room) :].mean():.1%} of the floaters")
    assert alone[len(room) :].mean() > 0.9 and alone[: len(room)].mean() < 0.01


def test_floaters_of_a_cloud_without_a_camera():
    rng = np.random.default_rng(4)
    ball = rng.normal(size=(20_000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    far = rng.uniform(-5, 5, (100, 3))
    far = far[np.abs(np.linalg.norm(far, axis=1) - 1) > 0.3]
    alone = selecting.isolated(np.concatenate([ball, far]).astype(np.float32), 3, False)
    assert alone[20_000:].mean() > 0.95 and alone[:20_000].mean() < 0.01
    assert selecting.isolated(np.zeros((0, 3), np.float32), 3, False).shape == (0,)


def test_the_sky_is_found_and_a_room_has_none(room):
    through_window = np.linalg.norm(room, axis=1) > 8
    assert 0 < selecting.sky(room, (0, 0, 1)).sum() <= through_window.sum() < 0.03 * len(room)
    assert not selecting.sky(room, (0, 0, 1))[~through_window].any()
    room = room[~through_window]
    assert not selecting.sky(room, (0, 0, 1)).any()
    rng = np.random.default_rng(5)
    directions = rng.normal((0, 1, 0.4), (0.3, 0.1, 0.1), (5000, 3))
    dome = (directions / np.linalg.norm(directions, axis=1, keepdims=True) * rng.uniform(80, 120, (5000, 1))).astype(
        "f4"
    )
    both = np.concatenate([room, dome])
    found = selecting.sky(both, (0, 0, 1))
    assert not found[: len(room)].any()
    assert np.array_equal(found[len(room) :], dome[:, 2] > 0)
    assert not selecting.sky(both, (0, 0, -1))[len(room) :][dome[:, 2] > 0].any(), "below the horizon nothing is sky"
    assert not selecting.sky(both[:1], (0, 0, 1)).any()


def test_what_was_removed_is_found_again_in_other_points():
    """A chair before a wall: the chair is removed, the wall behind it, which another engine also made, stays."""
    rng = np.random.default_rng(6)

    def scene(count: int, scale: float):
        places = rng.random((count, 2)).astype(np.float32)
        chair = (np.abs(places - 0.5) < 0.2).all(1)
        hidden = chair & (rng.random(count) < 0.5)
        depths = np.where(chair & ~hidden, 2.0, 5.0).astype(np.float32) * scale
        return places, depths, chair & ~hidden

    places, depths, chair = scene(20_000, 1.0)
    for count in (20_000, 80_000, 8_000):
        new_places, new_depths, new_chair = scene(count, 1.7)
        again = selecting.carried_over(places, depths, chair, new_places, new_depths)
        assert (again == new_chair).mean() > 0.95, count
    assert not selecting.carried_over(places, depths, np.zeros_like(chair), places, depths).any()
