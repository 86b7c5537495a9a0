"""The camera from line segments: laws, exact answers, refusals, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.core.cameras.intrinsics import DIAGONAL_35MM
from image_to_3d.core.cameras.vanishing_points import KnownFocal, camera_from_lines, log_focal_prior
from image_to_3d.core.surfaces.levelling import up_from_angles

WIDTH, HEIGHT = 1200, 900
DIAGONAL = float(np.hypot(WIDTH, HEIGHT))


def room_axes(pitch: float, roll: float, heading: float) -> np.ndarray:
    """(3, 3), columns: the room's directions in the camera frame; ``heading`` turns the camera, degrees."""
    down = -up_from_angles(pitch, roll)
    ahead = np.array([0.0, 0.0, 1.0]) - down[2] * down
    ahead /= np.linalg.norm(ahead)
    right = np.cross(down, ahead)
    c, s = np.cos(np.radians(heading)), np.sin(np.radians(heading))
    return np.stack([c * right + s * ahead, down, -s * right + c * ahead], axis=1)


def segments_of(
    axes: np.ndarray,
    focal: float,
    rng: np.random.Generator,
    counts: tuple[int, int, int] = (30, 30, 30),
    clutter: int = 0,
    noise: float = 0.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> np.ndarray:
    """(n, 4) segments of edges along the axes, seen through a pinhole, with clutter in any direction."""
    width, height = size
    found = []
    for axis, count in enumerate(counts):
        while count:
            middle = rng.uniform([0.05, 0.05], [0.95, 0.95]) * [width, height]
            ray = np.array([(middle[0] - width / 2) / focal, (middle[1] - height / 2) / focal, 1.0])
            tip = ray + 0.02 * axes[:, axis]
            direction = tip[:2] / tip[2] * focal + [width / 2, height / 2] - middle
            if np.linalg.norm(direction) < 1e-6:
                continue
            step = direction / np.linalg.norm(direction) * rng.uniform(0.03, 0.12) * np.hypot(width, height)
            found.append(np.concatenate([middle - step, middle + step]))
            count -= 1
    for _ in range(clutter):
        middle, angle = rng.uniform([0, 0], [width, height]), rng.uniform(0, np.pi)
        step = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.01, 0.06) * np.hypot(width, height)
        found.append(np.concatenate([middle - step, middle + step]))
    return np.array(found) + rng.normal(0, noise, (len(found), 4)) if noise else np.array(found)


def vertical_error(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(found @ true, -1, 1))))


@pytest.mark.parametrize(
    ("pitch", "roll", "heading", "mm35"),
    [(-12.0, 2.0, 35.0, 26.0), (8.0, -4.0, -30.0, 20.0), (15.0, 0.5, 50.0, 35.0), (-20.0, 5.0, 25.0, 50.0)],
)
def test_exact_lines_give_the_exact_camera(pitch: float, roll: float, heading: float, mm35: float) -> None:
    focal = mm35 / DIAGONAL_35MM * DIAGONAL
    segments = segments_of(room_axes(pitch, roll, heading), focal, np.random.default_rng(1))
    found = camera_from_lines(segments, WIDTH, HEIGHT)
    assert found.focal is not None
    assert found.attitude is not None
    assert found.focal.px == pytest.approx(focal, rel=0.004)
    assert found.attitude.pitch_deg == pytest.approx(pitch, abs=0.1)
    assert found.attitude.roll_deg == pytest.approx(roll, abs=0.1)
    assert found.reasons == ()
    assert min(found.counts) > 5
    assert np.allclose(found.attitude.axes.T @ found.attitude.axes, np.eye(3), atol=1e-9)
    assert np.linalg.det(found.attitude.axes) > 0


def test_the_axes_are_those_of_the_room_and_the_labels_name_them() -> None:
    axes = room_axes(-10.0, 1.0, 30.0)
    segments = segments_of(axes, 900.0, np.random.default_rng(2))
    found = camera_from_lines(segments, WIDTH, HEIGHT)
    assert found.attitude is not None
    assert np.degrees(np.arccos(np.abs((axes * found.attitude.axes).sum(axis=0)).clip(0, 1))).max() < 0.2
    for axis in range(3):
        labels = found.labels[30 * axis : 30 * (axis + 1)]
        assert np.mean(labels == axis) > 0.8


def test_order_and_ends_of_the_segments_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    segments = segments_of(room_axes(-8.0, -2.0, 40.0), 800.0, rng, clutter=40, noise=0.3)
    first = camera_from_lines(segments, WIDTH, HEIGHT)
    order = rng.permutation(len(segments))
    shuffled = segments[order]
    turned = rng.random(len(segments)) < 0.5
    shuffled[turned] = shuffled[turned][:, [2, 3, 0, 1]]
    again = camera_from_lines(shuffled, WIDTH, HEIGHT)
    assert first.focal is not None and again.focal is not None
    assert first.attitude is not None and again.attitude is not None
    assert again.focal.px == pytest.approx(first.focal.px, rel=1e-6)
    assert again.focal.relative_sd == pytest.approx(first.focal.relative_sd, rel=1e-4)
    assert vertical_error(first.attitude.up, again.attitude.up) < 1e-4
    assert (again.labels == first.labels[order]).all()


def test_another_size_of_the_picture_scales_the_focal_length() -> None:
    segments = segments_of(room_axes(5.0, 1.0, 40.0), 1000.0, np.random.default_rng(4), noise=0.3)
    one, three = camera_from_lines(segments, WIDTH, HEIGHT), camera_from_lines(3 * segments, 3 * WIDTH, 3 * HEIGHT)
    assert one.focal is not None and three.focal is not None
    assert one.attitude is not None and three.attitude is not None
    assert three.focal.px == pytest.approx(3 * one.focal.px, rel=1e-6)
    assert three.attitude.pitch_deg == pytest.approx(one.attitude.pitch_deg, abs=1e-6)


def test_a_mirrored_picture_mirrors_the_roll() -> None:
    segments = segments_of(room_axes(-9.0, 3.0, 35.0), 900.0, np.random.default_rng(5), noise=0.3)
    one = camera_from_lines(segments, WIDTH, HEIGHT)
    two = camera_from_lines(segments * [-1, 1, -1, 1] + [WIDTH, 0, WIDTH, 0], WIDTH, HEIGHT)
    assert one.attitude is not None and two.attitude is not None
    assert two.attitude.roll_deg == pytest.approx(-one.attitude.roll_deg, abs=0.02)
    assert two.attitude.pitch_deg == pytest.approx(one.attitude.pitch_deg, abs=0.02)


def test_turning_the_camera_about_its_axis_turns_the_answer() -> None:
    axes, focal, rng = room_axes(-10.0, 0.0, 35.0), 900.0, np.random.default_rng(6)
    segments = segments_of(axes, focal, rng, size=(1000, 1000))
    angle = np.radians(3.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = ((segments.reshape(-1, 2) - 500) @ turn.T + 500).reshape(-1, 4)
    one, two = camera_from_lines(segments, 1000, 1000), camera_from_lines(turned, 1000, 1000)
    assert one.attitude is not None and two.attitude is not None
    # What is in the picture turns clockwise: the camera has turned the other way.
    assert two.attitude.roll_deg - one.attitude.roll_deg == pytest.approx(-3.0, abs=0.1)
    assert two.attitude.pitch_deg == pytest.approx(one.attitude.pitch_deg, abs=0.1)


def test_a_known_focal_length_is_kept_and_sharpens_the_attitude() -> None:
    segments = segments_of(room_axes(-6.0, 1.0, 4.0), 900.0, np.random.default_rng(7), noise=0.3)
    found = camera_from_lines(segments, WIDTH, HEIGHT, KnownFocal(900.0, 0.01))
    assert found.attitude is not None
    assert found.attitude.pitch_deg == pytest.approx(-6.0, abs=0.3)
    assert "ill_conditioned" not in found.reasons


def test_a_principal_point_off_the_middle_is_taken_into_account() -> None:
    segments = segments_of(room_axes(-10.0, 2.0, 35.0), 900.0, np.random.default_rng(8))
    moved = segments + np.array([120.0, -60.0, 120.0, -60.0])
    middle = (WIDTH / 2 + 120.0, HEIGHT / 2 - 60.0)
    one = camera_from_lines(segments, WIDTH, HEIGHT)
    two = camera_from_lines(moved, WIDTH, HEIGHT, principal_point=middle)
    assert one.focal is not None and two.focal is not None
    assert two.focal.px == pytest.approx(one.focal.px, rel=1e-3)


def test_few_segments_are_refused() -> None:
    found = camera_from_lines(np.zeros((0, 4)), WIDTH, HEIGHT)
    assert (found.focal, found.attitude, found.reasons) == (None, None, ("too_few_lines",))
    short = np.random.default_rng(9).uniform(0, 1000, (200, 2))
    assert camera_from_lines(np.hstack([short, short + 3]), WIDTH, HEIGHT).reasons == ("too_few_lines",)


@pytest.mark.parametrize("seed", range(4))
def test_lines_in_any_direction_are_refused(seed: int) -> None:
    rng = np.random.default_rng([10, seed])
    found = camera_from_lines(segments_of(np.eye(3), 900.0, rng, counts=(0, 0, 0), clutter=150), WIDTH, HEIGHT)
    assert found.focal is None
    assert found.attitude is None
    assert found.reasons


def test_a_frontal_view_does_not_tell_the_focal_length_but_the_attitude() -> None:
    segments = segments_of(room_axes(0.0, 0.0, 0.0), 900.0, np.random.default_rng(11), noise=0.4)
    found = camera_from_lines(segments, WIDTH, HEIGHT)
    assert found.focal is None
    assert found.reasons
    assert found.attitude is not None
    assert found.attitude.pitch_deg == pytest.approx(0.0, abs=0.5)
    assert found.attitude.roll_deg == pytest.approx(0.0, abs=0.5)


def test_one_direction_only_is_refused() -> None:
    segments = segments_of(room_axes(-10.0, 0.0, 30.0), 900.0, np.random.default_rng(12), counts=(0, 60, 0), noise=0.3)
    found = camera_from_lines(segments, WIDTH, HEIGHT)
    assert found.focal is None
    assert found.reasons


def test_many_pieces_of_one_edge_count_once() -> None:
    rng = np.random.default_rng(13)
    segments = segments_of(room_axes(-10.0, 2.0, 35.0), 900.0, rng, counts=(8, 8, 8), noise=0.4)
    pieces = np.concatenate([segments + rng.normal(0, 0.1, segments.shape) for _ in range(6)])
    one, many = camera_from_lines(segments, WIDTH, HEIGHT), camera_from_lines(pieces, WIDTH, HEIGHT)
    assert sum(many.counts) < 1.3 * sum(one.counts)


def test_intervals_hold() -> None:
    rng, held, answers = np.random.default_rng(14), 0, 0
    for _ in range(24):
        focal = float(np.exp(rng.uniform(np.log(18), np.log(50)))) / DIAGONAL_35MM * DIAGONAL
        axes = room_axes(rng.uniform(-20, 20), rng.uniform(-5, 5), rng.uniform(15, 75))
        segments = segments_of(axes, focal, rng, counts=(12, 15, 12), clutter=30, noise=0.5)
        found = camera_from_lines(segments, WIDTH, HEIGHT)
        if found.focal is not None:
            answers += 1
            held += found.focal.interval_px[0] <= focal <= found.focal.interval_px[1]
    assert answers >= 10
    assert held >= answers - 2


def test_the_prior_knows_phones_and_denies_nothing() -> None:
    prior = log_focal_prior(np.array([26.0, 12.0, 100.0, 50.0]))
    assert prior.argmax() == 0
    assert prior.max() - prior.min() < 5


def test_without_upright_lines_the_attitude_is_refused() -> None:
    axes = room_axes(-12.0, 2.0, 35.0)
    segments = segments_of(axes, 900.0, np.random.default_rng(15), counts=(40, 0, 40), noise=0.3)
    found = camera_from_lines(segments, WIDTH, HEIGHT)
    assert found.attitude is None
    assert found.reasons
