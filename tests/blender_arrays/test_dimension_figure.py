"""The figure of a dimension: solid, where it belongs, and readable."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.blender.dimension_figure import dimension_figure, reading_axes

UP = np.array([0.0, 0.0, 1.0])
EYE = np.zeros(3)  # Blender's frame: the photo's camera looks along +Y


def random_ends(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform((-2, 2, -1), (2, 5, 1)), rng.uniform((-2, 2, -1), (2, 5, 1))


def signed_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c, d = (vertices[faces[:, i]] for i in range(4))
    return float(np.sum(np.einsum("ij,ij->i", a, np.cross(b, c)) + np.einsum("ij,ij->i", a, np.cross(c, d)))) / 6


@pytest.mark.parametrize("seed", range(8))
def test_every_rod_is_a_closed_solid_with_its_faces_outside(seed: int) -> None:
    a, b = random_ends(seed)
    figure = dimension_figure(a, b, EYE, UP, offset=np.array([0.0, -0.1, 0.0]))
    assert len(figure.vertices) == 5 * 8 and len(figure.faces) == 5 * 6
    for rod in range(5):
        faces = figure.faces[6 * rod : 6 * rod + 6]
        edges = np.stack([faces, np.roll(faces, -1, axis=1)], axis=-1).reshape(-1, 2)
        assert {tuple(e) for e in edges} == {tuple(e[::-1]) for e in edges}, "each edge is walked once each way"
        assert signed_volume(figure.vertices, faces) > 0


@pytest.mark.parametrize("seed", range(8))
def test_it_spans_exactly_the_length_and_the_text_stands_above_its_middle(seed: int) -> None:
    a, b = random_ends(seed)
    figure = dimension_figure(a, b, EYE, UP)
    line, along = figure.vertices[:8], (b - a) / np.linalg.norm(b - a)
    assert np.allclose([np.min(line @ along), np.max(line @ along)], [a @ along, b @ along])
    x, y, z = figure.text_axes.T
    assert np.allclose(figure.text_axes.T @ figure.text_axes, np.eye(3)) and np.linalg.det(figure.text_axes) > 0
    assert abs(abs(x @ along) - 1) < 1e-9
    above = figure.text_origin - 0.5 * (a + b)
    assert above @ y > 0 and abs(above @ x) < 1e-9 and abs(above @ z) < 1e-9


@pytest.mark.parametrize("seed", range(20))
def test_texts_read_from_below_or_from_the_right_never_upside_down_or_mirrored(seed: int) -> None:
    a, b = random_ends(seed)
    x, y, z = reading_axes(a, b, EYE, UP).T
    assert z @ (EYE - 0.5 * (a + b)) > 0, "its front faces the reader"

    def pixel(p: np.ndarray) -> np.ndarray:
        return np.array([p[0] / p[1], p[2] / p[1]])  # right and up, for an eye that looks along +Y

    middle = 0.5 * (a + b)
    right, top = (pixel(middle + 0.01 * v) - pixel(middle) for v in (x, y))
    assert right[0] * top[1] - right[1] * top[0] > 0, "not mirrored"
    angle = np.degrees(np.arctan2(right[1], right[0]))
    assert -90 < angle <= 111, "turned at most a quarter anticlockwise, or a little to the right"
    assert np.allclose(reading_axes(b, a, EYE, UP), reading_axes(a, b, EYE, UP)), "whichever end is first"


def test_a_line_seen_end_on_and_the_same_point_twice() -> None:
    axes = reading_axes(np.array([0, 2, 0.0]), np.array([0, 4, 0.0]), EYE, UP)
    assert np.isfinite(axes).all() and np.isclose(np.linalg.det(axes), 1)
    with pytest.raises(ValueError, match="different points"):
        dimension_figure(np.ones(3), np.ones(3), EYE, UP)


def test_a_text_on_a_wall_lies_in_it_and_reads_from_the_room() -> None:
    normal = np.array([1.0, 0, 0])  # of the wall on the left
    a, b = np.array([-2.0, 3, -1]), np.array([-2.0, 3, 1])
    x, _, z = reading_axes(a, b, EYE, UP, facing=normal).T
    assert np.allclose(z, normal) and np.allclose(x, UP), "from the floor upwards"
    figure = dimension_figure(a, b, EYE, UP, offset=0.05 * normal, facing=normal)
    assert figure.text_origin[0] == pytest.approx(-1.95)
