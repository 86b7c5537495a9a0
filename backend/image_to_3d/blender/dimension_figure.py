"""A dimension as a draughtsman draws it: line, oblique strokes at its ends, leader lines, and where its text goes.

The strokes and their proportions follow ISO 129-1: a dimension line ends in short strokes at 45°, leader (extension) lines start
a little away from what they point at and end a little beyond the dimension line, and text stands above the line, readable from
below or from the right. Everything is thin solid rods, so that every renderer shows them and they print.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Float64 = NDArray[np.float64]

_LINE, _LEADER, _STROKE = 0.07, 0.05, 0.14  # thickness, of the text's height
_STROKE_LENGTH = 1.0
_GAP, _BEYOND = 0.15, 0.5  # of the text's height: where leader lines start, and how far they go beyond the line
_TEXT_ABOVE = 0.35
_TEXT_OF_DISTANCE = 0.03  # height of the text per distance from the eye: a finger's breadth at arm's length
_TEXT_OF_LENGTH = 0.12
_UPRIGHT = np.sin(np.radians(20.0))  # steeper lines in the picture are read from the right

_CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64) / 2
_SIDES = np.array([(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (3, 2, 1, 0), (4, 5, 6, 7)], np.int32)


@dataclass(frozen=True, eq=False)
class DimensionFigure:
    """Solid rods and the place of a text, in the frame and unit of the points they were made from.

    Attributes:
        vertices: (V, 3).
        faces: (F, 4) int32, outside to the front.
        text_origin: (3,) middle of the text's base line.
        text_axes: (3, 3), columns: along the text, up its letters, towards the reader; orthonormal, right-handed.
        text_height: of a line of text.
    """

    vertices: Float64
    faces: NDArray[np.int32]
    text_origin: Float64
    text_axes: Float64
    text_height: float


def reading_axes(a: Array, b: Array, eye: Array, up: Array, facing: Array | None = None) -> Float64:
    """Axes (3, 3), columns, in which a text along a–b stands readable for an eye.

    Args:
        a, b: (3,) ends of the line.
        eye: (3,) where it is read from.
        up: (3,) upwards for that reader.
        facing: (3,) where its front looks, on the reader's side; None: as straight at the reader as the line allows.
    """
    along = _unit(np.asarray(b, np.float64) - a)
    view = 0.5 * (np.asarray(a, np.float64) + b) - eye
    right = _unit(np.cross(view, up))
    top = _unit(np.cross(right, view))
    across, upwards = float(along @ right), float(along @ top)
    forwards = across if abs(across) > _UPRIGHT * float(np.hypot(across, upwards)) else upwards
    x = along if forwards >= 0 else -along
    front = -view if facing is None else np.asarray(facing, np.float64)
    towards = front - (front @ x) * x
    if np.linalg.norm(towards) < 1e-6 * max(float(np.linalg.norm(front)), 1e-9):  # seen end on: any side will do
        towards = np.asarray(up, np.float64) - (up @ x) * x
    z = _unit(towards)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def text_height(a: Array, b: Array, eye: Array) -> float:
    """Height of a text that is legible from the eye and does not dwarf its line, in the unit of the points (3,)."""
    far = float(np.linalg.norm(0.5 * (np.asarray(a, np.float64) + b) - eye))
    length = float(np.linalg.norm(np.asarray(b, np.float64) - a))
    return max(min(_TEXT_OF_DISTANCE * far, _TEXT_OF_LENGTH * length), 0.3 * _TEXT_OF_DISTANCE * far, 1e-6)


def dimension_figure(
    a: Array,
    b: Array,
    eye: Array,
    up: Array,
    offset: Array | None = None,
    height: float | None = None,
    facing: Array | None = None,
) -> DimensionFigure:
    """The figure of the length between two points.

    Args:
        a, b: (3,) the points, not the same; any right-handed frame and unit.
        eye: (3,) where it is to be read from.
        up: (3,) upwards for that reader.
        offset: (3,) from the points to the dimension line, bridged by leader lines; None for a line through the points.
        height: of the text; None: :func:`text_height`.
        facing: see :func:`reading_axes`.

    Raises:
        ValueError: the points are the same or not finite.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if not (np.isfinite(a).all() and np.isfinite(b).all()) or not np.linalg.norm(b - a) > 0:
        raise ValueError("a dimension needs two different points")
    size = text_height(a, b, np.asarray(eye, np.float64)) if height is None else height
    shift = np.zeros(3) if offset is None else np.asarray(offset, np.float64)
    start, end = a + shift, b + shift
    axes = reading_axes(start, end, np.asarray(eye, np.float64), np.asarray(up, np.float64), facing)
    x, y, z = axes.T
    stroke = 0.5 * _STROKE_LENGTH * size * _unit(x + y)
    rods = [(start, end, _LINE), (start - stroke, start + stroke, _STROKE), (end - stroke, end + stroke, _STROKE)]
    far = float(np.linalg.norm(shift))
    if far > 0:
        out = shift / far
        gap = min(_GAP * size, 0.5 * far)
        rods += [(p + gap * out, p + (far + _BEYOND * size) * out, _LEADER) for p in (a, b)]
    vertices = np.concatenate([_rod(p, q, thickness * size, z) for p, q, thickness in rods])
    faces = np.concatenate([_SIDES + 8 * i for i in range(len(rods))]).astype(np.int32)
    middle = 0.5 * (start + end) + _TEXT_ABOVE * size * y
    return DimensionFigure(vertices, faces, middle, axes, size)


def _rod(a: Float64, b: Float64, thickness: float, side: Float64) -> Float64:
    """Corners (8, 3) of a square rod from a to b, two of its sides facing ``side``."""
    along = _unit(b - a)
    v = side - (side @ along) * along
    if np.linalg.norm(v) < 1e-6:
        v = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
    v = _unit(v)
    u = np.cross(v, along)
    ring = thickness * (_CORNERS[:, :1] * u + _CORNERS[:, 1:] * v)
    return np.concatenate([a + ring, b + ring])


def _unit(v: Array) -> Float64:
    length = float(np.linalg.norm(v))
    return np.asarray(v, np.float64) / length if length > 0 else np.array([1.0, 0.0, 0.0])
