"""The camera from the straight lines of a photo: attitude, the room's axes, and the focal length, each as sure as it is.

In a room or before a house most straight edges run along three perpendicular directions. Where they meet in the picture tells how
the camera is turned, and how they meet together tells the focal length. Both are found as a posterior, not as a best fit: for
every focal length of a grid all ways to lay three perpendicular axes into the segments are searched exhaustively (no random
numbers), refined, and weighed by how well they explain the segments (robust mixture, Laplace's approximation over the rotation)
times a prior of what cameras people use and how they hold them. The width of that posterior is the standard deviation; where it
is wide or has several humps, the answer is "not sure".

Axes of a :class:`LineCamera` are columns of a rotation in the OpenCV camera frame: x across, y down along gravity, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .intrinsics import DIAGONAL_35MM

Float64 = NDArray[np.float64]
Reason = Literal[
    "too_few_lines",
    "no_right_angles",
    "ill_conditioned",
    "ambiguous",
    "no_upright_lines",
    "attitude_ambiguous",
    "attitude_unsure",
    "contradiction",
]

REASONS: dict[Reason, str] = {
    "too_few_lines": "Too few straight lines are in view.",
    "no_right_angles": "The lines do not run along perpendicular directions.",
    "ill_conditioned": "The lines leave the focal length open (a frontal view, or one direction only).",
    "ambiguous": "Several cameras explain the lines equally well.",
    "no_upright_lines": "No upright lines are in view, so it is not known what is level.",
    "attitude_ambiguous": "It is not clear which of the directions is upright.",
    "attitude_unsure": "The lines leave the attitude of the camera open.",
    "contradiction": "The lines contradict the focal length that is given (a cropped photo can cause that).",
}
"""What is missing, in words for a person."""

FOCAL_PRIOR: tuple[tuple[float, float, float], ...] = (
    (0.50, 26.5, 0.10),
    (0.25, 32.0, 0.25),
    (0.10, 16.0, 0.20),
    (0.15, 50.0, 0.45),
)
"""What cameras people use, as a mixture (weight, millimetres of 35 mm equivalent, sd of its logarithm).

Main cameras of phones have 23 to 29 mm; compact cameras, webcams and depth cameras 26 to 38 mm (the nominal cameras of the
public indoor sets: 28.1, 28.4 and 30.9 mm); wide cameras of phones and action cameras 13 to 18 mm; standard and portrait lenses
beyond. The widths are chosen so that no focal length from 12 to 100 mm is unlikely by more than a factor of about 20.
"""
_PITCH_PRIOR = ((0.75, -3.0, 12.0), (0.25, -8.0, 30.0))
_ROLL_PRIOR = ((0.65, 0.0, 1.6), (0.30, 0.0, 5.0), (0.05, 0.0, 20.0))
"""How cameras are held (weight, mean, sd), degrees."""

_SHORTEST = 0.022
"""Segments shorter than this share of the picture's diagonal say nothing."""
_MOST = 220
"""Longest segments that are used; more tell no more."""
_FEWEST = 10
_END_SD = 0.27
"""Standard deviation of the ends of a segment across it, in thousandths of the diagonal."""
_TURN_SD = np.radians(0.05)
"""Of a long segment's direction in the picture."""
_AXIS_SD = np.radians(0.12)
"""How well edges of a room are parallel, and lenses straight."""
_LOOSE, _WIDE = 0.25, 4.0
"""Share of segments along an axis that are less exact, and how much less."""
_OUTLIERS = 0.45
"""Share of segments that follow no axis."""
_TEMPER = 1.5
"""Segments are not independent, and what follows no axis is not random: this many tell as much as one should."""

_CENTRE_SD = 0.004
"""How far the principal point of a camera is from the middle of its picture, as a share of the diagonal."""
_BEND_SD = 0.015
"""Radial distortion that is left in pictures: 0.015 moves the corners by 0.4 % of their distance from the middle."""

_SHORTEST_MM, _LONGEST_MM = 11.0, 130.0
_COARSE_NODES = 11
_FINE_STEP = 0.04
_PEAKS, _TRIPLES, _MODES = 12, 14, 4
_STEP = 1e-5
_HOPELESS = 12.0
"""Focal lengths whose best axes are less probable by e to this power are not looked at again."""
_SAME = np.cos(np.radians(1.2))


@dataclass(frozen=True)
class LimitsOfTrust:
    """From which standard deviations and probabilities on an answer counts as one.

    Attributes:
        focal_sd: relative, of a focal length.
        attitude_sd_deg: of the vertical.
        probability: that the truth is the hump of the posterior that is answered.
        lines: independent lines along the second best axis, and along the upright one for an attitude: a roof has edges at right
            angles, but none of them is upright.
        inliers: share of the lines (by weight) that follow an axis.
    """

    focal_sd: float = 0.060
    attitude_sd_deg: float = 0.40
    probability: float = 0.93
    lines: float = 2.5
    inliers: float = 0.30


LIMITS = LimitsOfTrust()


@dataclass(frozen=True, eq=False)
class KnownFocal:
    """A focal length that is known beforehand: pixels, and its relative standard deviation."""

    px: float
    relative_sd: float


@dataclass(frozen=True, eq=False)
class Attitude:
    """How the camera is held.

    Attributes:
        pitch_deg: positive when it looks up; roll_deg: positive when it is turned clockwise.
        sd_deg: standard deviation of the vertical in its least certain direction.
        up: (3,) against gravity, OpenCV camera frame.
        covariance: (3, 3) of ``up``.
        axes: (3, 3), columns: the room's directions across, down and ahead in the camera frame.
    """

    pitch_deg: float
    roll_deg: float
    sd_deg: float
    up: Float64
    covariance: Float64
    axes: Float64


@dataclass(frozen=True, eq=False)
class FocalEstimate:
    """A focal length from lines: pixels, relative standard deviation, 95 % interval in pixels."""

    px: float
    relative_sd: float
    interval_px: tuple[float, float]


@dataclass(frozen=True, eq=False)
class LineCamera:
    """What the lines of a photo tell.

    Attributes:
        focal: None where they do not tell it well enough; not set if it was known beforehand with less doubt.
        attitude: None likewise.
        counts: independent lines along x (across), y (upright), z (ahead); a share of a line where it could follow two.
        labels: (n,) for every segment that was given: 0, 1, 2 for x, y, z, −1 for none.
        reasons: why something is missing.
        profile: (m, 2) focal length in pixels and its posterior density (largest = 1); empty without lines.
    """

    focal: FocalEstimate | None
    attitude: Attitude | None
    counts: tuple[float, float, float]
    labels: NDArray[np.int8]
    reasons: tuple[Reason, ...]
    profile: Float64 = field(default_factory=lambda: np.zeros((0, 2)))

    def sentences(self) -> tuple[str, ...]:
        """:attr:`reasons` in words."""
        return tuple(REASONS[reason] for reason in self.reasons)


def camera_from_lines(
    segments: NDArray[np.floating],
    width: int,
    height: int,
    known: KnownFocal | None = None,
    principal_point: tuple[float, float] | None = None,
    limits: LimitsOfTrust = LIMITS,
) -> LineCamera:
    """The camera from line segments.

    Args:
        segments: (n, 4) x0, y0, x1, y1 in pixels, the centre of the first pixel at (0.5, 0.5); in any order, ends in any order.
        width, height: of the picture.
        known: the focal length where it is known; the attitude is found with it, and the focal length weighed with it.
        principal_point: pixels; the middle of the picture if None.
        limits: from when on an answer is one.
    """
    segments = np.asarray(segments, np.float64).reshape(-1, 4)
    lines = _Lines.of(segments, width, height, principal_point)
    nothing = np.full(len(segments), -1, np.int8)
    if lines is None:
        return LineCamera(None, None, (0.0, 0.0, 0.0), nothing, ("too_few_lines",))
    diagonal = float(np.hypot(width, height))
    known_log = None if known is None else (float(np.log(known.px / diagonal)), max(known.relative_sd, 1e-3))
    posterior = _posterior(lines, known_log)
    return _answer(posterior, lines, nothing, diagonal, known_log, limits)


# --- segments ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Lines:
    """Segments in units of the diagonal about the principal point.

    Attributes:
        ends: (n, 2, 2); middle: (n, 2); normal: (n, 3) with normal · (x, y, 1) = 0 on the segment; sd2: (n,) variance of the
        direction; weight: (n,) share of an independent line; index: (n,) which of the given segments.
    """

    ends: Float64
    middle: Float64
    normal: Float64
    sd2: Float64
    weight: Float64
    index: NDArray[np.intp]

    @classmethod
    def of(
        cls, segments: Float64, width: int, height: int, principal_point: tuple[float, float] | None
    ) -> _Lines | None:
        """None if there are too few."""
        diagonal = float(np.hypot(width, height))
        centre = np.array(principal_point or (width / 2, height / 2))
        a, b = (segments[:, :2] - centre) / diagonal, (segments[:, 2:] - centre) / diagonal
        length = np.linalg.norm(b - a, axis=1)
        usable = np.isfinite(length) & (length > _SHORTEST)
        # A fixed order: by length, then by place. The answer must not depend on the order of the segments.
        middle = (a + b) / 2
        order = np.lexsort((middle[:, 1], middle[:, 0], -length))
        order = order[usable[order]][:_MOST]
        if len(order) < _FEWEST:
            return None
        ends = np.stack([a[order], b[order]], axis=1)
        # Ends in a fixed order, too.
        back = (ends[:, 1, 0] < ends[:, 0, 0]) | ((ends[:, 1, 0] == ends[:, 0, 0]) & (ends[:, 1, 1] < ends[:, 0, 1]))
        ends[back] = ends[back, ::-1]
        middle, normal = _line_through(ends)
        sd2 = _TURN_SD**2 + (1e-3 * _END_SD * np.sqrt(2) / length[order]) ** 2
        return cls(ends, middle, normal, sd2, _independence(middle, normal), order)

    def first(self, count: int) -> _Lines:
        """The longest ones."""
        return _Lines(*(getattr(self, part)[:count] for part in self.__dataclass_fields__))

    def moved(self, ends: Float64) -> _Lines:
        """The same with other ends."""
        return replace(self, ends=ends, middle=_line_through(ends)[0], normal=_line_through(ends)[1])


def _line_through(ends: Float64) -> tuple[Float64, Float64]:
    """Middles (n, 2) and normals (n, 3), unit in their first two components, of lines through (n, 2, 2)."""
    middle = ends.mean(axis=1)
    t = ends[:, 1] - ends[:, 0]
    t = t / np.linalg.norm(t, axis=1, keepdims=True)
    return middle, np.stack([-t[:, 1], t[:, 0], t[:, 1] * middle[:, 0] - t[:, 0] * middle[:, 1]], axis=1)


def _independence(middle: Float64, normal: Float64) -> Float64:
    """(n,) one over the number of segments on the same straight line or hard beside it: edges of a frame, boards of a floor."""
    t = np.stack([normal[:, 1], -normal[:, 0]], axis=1)
    between = middle[:, None] - middle[None]
    across = between[..., 0] * t[None, :, 1] - between[..., 1] * t[None, :, 0]
    turned = t[:, None, 0] * t[None, :, 1] - t[:, None, 1] * t[None, :, 0]
    same = np.exp(-0.5 * (turned / np.radians(2.0)) ** 2 - 0.25 * ((across**2 + across.T**2) / 0.010**2))
    return 1.0 / same.sum(axis=1)


# --- likelihood --------------------------------------------------------------------------------------------------------------


def _sines(lines: _Lines, direction: Float64, f: Float64, extra: float = 0.0) -> tuple[Float64, Float64, Float64]:
    """How segments miss vanishing points.

    Args:
        lines: n segments.
        direction: (..., 3) unit vectors in the camera frame.
        f: (...) focal length in diagonals.
        extra: a further standard deviation, radians.

    Returns:
        Sine of the angle between segment and the line from its middle to the vanishing point (..., n), its variance, and the
        length of that line times |z| of the direction.
    """
    image = direction * np.stack([f, f, np.ones_like(f)], axis=-1)
    miss = image @ lines.normal.T
    z = image[..., 2:]
    xy2 = (image[..., :2] ** 2).sum(axis=-1, keepdims=True)
    reach2 = xy2 - 2 * z * (image[..., :2] @ lines.middle.T) + z**2 * (lines.middle**2).sum(axis=1)
    reach2 = np.maximum(reach2, 1e-8)
    # A direction that is off by an angle moves its vanishing point; near it that turns the segments by more than the angle.
    n_xy2 = (lines.normal[:, :2] ** 2).sum(axis=1)
    spread2 = (f[..., None] ** 2 * n_xy2 + lines.normal[:, 2] ** 2) * (_AXIS_SD**2 + extra**2)
    spread2 = spread2 + (1e-3 * _END_SD * 0.7 * z) ** 2
    return miss / np.sqrt(reach2), lines.sd2 + spread2 / reach2, np.sqrt(reach2)


_BACKGROUND = _OUTLIERS / np.pi
_SHARE = (1 - _OUTLIERS) / 3


def _densities(
    lines: _Lines, axes: Float64, f: Float64, extra: float = 0.0
) -> tuple[Float64, Float64, Float64, Float64]:
    """For m cameras: residual, variance, reach and density × share of n segments under each axis, all (m, 3, n)."""
    sine, var, reach = _sines(lines, np.swapaxes(axes, 1, 2), np.repeat(f[:, None], 3, axis=1), extra)
    wide = _WIDE**2
    chi2 = sine**2 / var
    near = (1 - _LOOSE) * np.exp(-0.5 * np.minimum(chi2, 80.0))
    far = _LOOSE / _WIDE * np.exp(-0.5 * np.minimum(chi2 / wide, 80.0))
    density = near + far
    # Of a segment in the wide tail the residual counts as if it were so much less exact.
    var_seen = var * density / (near + far / wide)
    return sine, var_seen, reach, _SHARE * density / np.sqrt(2 * np.pi * var)


def _log_likelihood(lines: _Lines, density: Float64) -> Float64:
    """(m,) of cameras, tempered, against no structure at all."""
    return np.log1p(density.sum(axis=1) / _BACKGROUND) @ lines.weight / _TEMPER


def _refine(lines: _Lines, axes: Float64, f: Float64, extras: tuple[float, ...]) -> tuple[Float64, Float64, Float64]:
    """The best rotations near m ones, focal length fixed.

    Returns:
        (m, 3, 3) axes, (m,) log likelihood, (m, 3, 3) information of a small rotation in the camera frame.
    """
    for extra in extras:
        gradient, information = _normal_equations(lines, axes, f, extra)
        damping = 1e-3 * np.trace(information, axis1=1, axis2=2)[:, None, None] * np.eye(3) + 1e-3 * np.eye(3)
        step = -np.linalg.solve(information + damping, gradient[..., None])[..., 0]
        size = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, np.radians(4.0) / np.maximum(size, 1e-12))
        axes = _rotations(step) @ axes
    density = _densities(lines, axes, f)[3]
    return axes, _log_likelihood(lines, density), _normal_equations(lines, axes, f, 0.0)[1]


def _normal_equations(lines: _Lines, axes: Float64, f: Float64, extra: float) -> tuple[Float64, Float64]:
    """Gradient (m, 3) and information (m, 3, 3) of the tempered −log likelihood in a small rotation ω (axes → exp(ω) axes)."""
    sine, var, reach, density = _densities(lines, axes, f, extra)
    claim = density / (_BACKGROUND + density.sum(axis=1, keepdims=True))
    claim *= lines.weight / _TEMPER / var
    scaled = lines.normal * np.stack([f, f, np.ones_like(f)], axis=-1)[:, None, :]  # (m, n, 3)
    slope = np.cross(np.swapaxes(axes, 1, 2)[:, :, None, :], scaled[:, None]) / reach[..., None]  # (m, 3, n, 3)
    gradient = np.einsum("man,manj->mj", claim * sine, slope)
    weighted = (claim[..., None] * slope).reshape(len(f), -1, 3)
    return gradient, np.swapaxes(weighted, 1, 2) @ slope.reshape(len(f), -1, 3)


def _rotations(omega: Float64) -> Float64:
    """(m, 3, 3) rotations of rotation vectors (m, 3)."""
    angle = np.linalg.norm(omega, axis=1)[:, None, None]
    k = np.zeros((len(omega), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -omega[:, 2], omega[:, 1], -omega[:, 0]
    k = k - np.swapaxes(k, 1, 2)
    small = np.maximum(angle, 1e-9)
    return np.eye(3) + np.sin(angle) / small * k + (1 - np.cos(angle)) / small**2 * (k @ k)


# --- search ------------------------------------------------------------------------------------------------------------------


def _half_sphere(count: int) -> Float64:
    """(count, 3) directions, evenly spread over half of the sphere (z ≥ 0), by Fibonacci's spiral."""
    i = np.arange(count) + 0.5
    z = 1 - i / count
    phi = i * np.pi * (1 + np.sqrt(5.0))
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=1)


_SPHERE = _half_sphere(900)
_TURNS = np.radians(np.arange(0.0, 90.0, 3.0))
_SEARCH_SD = np.radians(1.8)


def _search(lines: _Lines, f: float) -> Float64:
    """(k, 3, 3) promising axes for one focal length: every direction of a grid, and every turn about the best of them."""
    few = lines.first(140)
    flat = np.full(len(_SPHERE), f)

    def rise(direction: Float64, focal: Float64) -> Float64:
        sine, var, _ = _sines(few, direction, focal, _SEARCH_SD)
        return _SHARE * np.exp(-0.5 * np.minimum(sine**2 / var, 60.0)) / np.sqrt(2 * np.pi * var) / _BACKGROUND

    score = np.log1p(rise(_SPHERE, flat)) @ few.weight
    peaks: list[Float64] = []
    for i in np.argsort(-score, kind="stable"):
        if all(abs(float(_SPHERE[i] @ p)) < 0.985 for p in peaks):
            peaks.append(_SPHERE[i])
            if len(peaks) == _PEAKS:
                break
    first = np.stack(peaks)
    helper = np.eye(3)[np.argmin(np.abs(first), axis=1)]
    e1 = np.cross(first, helper)
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(first, e1)
    turn = np.concatenate([_TURNS, _TURNS + np.pi / 2])
    around = np.cos(turn)[None, :, None] * e1[:, None] + np.sin(turn)[None, :, None] * e2[:, None]
    along = rise(first, np.full(len(first), f))[:, None]
    both = rise(around, np.full(around.shape[:2], f))
    half = len(_TURNS)
    total = np.log1p(along + both[:, :half] + both[:, half:]) @ few.weight  # (peaks, half)
    # Local maxima over the turn only: neighbours lead to the same place.
    keep = (total >= np.roll(total, 1, axis=1)) & (total >= np.roll(total, -1, axis=1))
    ranked = np.argsort(-np.where(keep, total, -np.inf), axis=None, kind="stable")[:_TRIPLES]
    p, a = np.unravel_index(ranked, total.shape)
    axes = np.stack([first[p], around[p, a], around[p, a + half]], axis=2)
    axes[:, :, 2] *= np.sign(np.linalg.det(axes))[:, None]
    return axes


def _distinct(axes: Float64, value: Float64, most: int) -> list[int]:
    """Indices of the best different axes, up to their names and signs."""
    chosen: list[int] = []
    for i in np.argsort(-value, kind="stable"):
        if all(np.abs(axes[i].T @ axes[j]).max(axis=1).min() < _SAME for j in chosen):
            chosen.append(int(i))
            if len(chosen) == most:
                break
    return chosen


# --- posterior ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Posterior:
    """Cameras (focal length × axes × which axis is upright) with their probabilities.

    Attributes:
        log_f: (m,); axes: (m, 3, 3) columns across, down, ahead; probability: (m,) of all, sums to 1;
        covariance: (m, 3, 3) of a small rotation in the camera frame.
        nodes: (k,) ln f of the grid, and log_density (k,) of it.
    """

    log_f: Float64
    axes: Float64
    probability: Float64
    covariance: Float64
    nodes: Float64
    log_density: Float64


def _log_mixture(x: Float64, parts: tuple[tuple[float, float, float], ...]) -> Float64:
    """Logarithm of a mixture of normal densities (weight, mean, sd)."""
    total = sum(w * np.exp(-0.5 * ((x - m) / s) ** 2) / s for w, m, s in parts)
    return np.log(np.maximum(total, 1e-12))


def log_focal_prior(mm35: NDArray[np.floating]) -> Float64:
    """Logarithm of the prior density (per ln f, up to a constant) of focal lengths, see :data:`FOCAL_PRIOR`."""
    parts = tuple((w, float(np.log(m)), s) for w, m, s in FOCAL_PRIOR)
    return _log_mixture(np.log(np.asarray(mm35, np.float64)), parts)


def _prior(log_f: Float64, known: tuple[float, float] | None) -> Float64:
    if known is None:
        return log_focal_prior(np.exp(log_f) * DIAGONAL_35MM)
    return -0.5 * ((log_f - known[0]) / known[1]) ** 2


def _posterior(lines: _Lines, known: tuple[float, float] | None) -> _Posterior:
    low, high = np.log(_SHORTEST_MM / DIAGONAL_35MM), np.log(_LONGEST_MM / DIAGONAL_35MM)
    coarse = np.linspace(low, high, _COARSE_NODES)
    if known is not None:
        coarse = np.unique(np.append(coarse, np.clip(known[0], low - 1.0, high + 1.0)))
    found = [_search(lines, float(np.exp(x))) for x in coarse]
    node = np.repeat(np.arange(len(coarse)), [len(a) for a in found])
    axes, value, _ = _refine(lines, np.concatenate(found), np.exp(coarse)[node], (0.03, 0.02, 0.012, 0.006, 0.0))
    starts: list[Float64] = []
    tops = np.full(len(coarse), -np.inf)
    for k in range(len(coarse)):
        own = np.flatnonzero(node == k)
        best = own[_distinct(axes[own], value[own], _MODES)]
        starts.append(axes[best])
        tops[k] = value[best].max()
    fine = np.arange(low, high + _FINE_STEP / 2, _FINE_STEP)
    nearest = np.clip(np.searchsorted(coarse, fine), 1, len(coarse) - 1)
    worth = np.zeros(len(coarse), bool)
    for prior in {None, known}:
        total = tops + _prior(coarse, prior)
        worth |= total > total.max() - _HOPELESS
    fine = fine[worth[nearest] | worth[nearest - 1]]
    if known is not None:
        fine = np.unique(np.concatenate([fine, known[0] + known[1] * np.linspace(-4.0, 4.0, 13)]))
    wide = _weigh(lines, fine, coarse, starts, known)
    mean, sd = _moments(wide.nodes, wide.log_density)
    if sd > 2.0 * _FINE_STEP:
        return wide
    # A narrow one: a finer grid where it matters.
    here = wide.log_f == wide.nodes[np.argmin(np.abs(wide.nodes - mean))]
    modes = [wide.axes[here][_distinct(wide.axes[here], wide.probability[here], _MODES)]]
    finer = mean + max(sd, 0.2 * _FINE_STEP) * np.linspace(-5.0, 5.0, 21)
    narrow = _weigh(lines, finer, np.array([mean]), modes, known)
    return narrow if _dies_out(narrow.log_density) else wide


def _dies_out(log_density: Float64) -> bool:
    """Whether a density has died out at both ends of its grid."""
    top = log_density.max()
    return bool(log_density[0] < top - 3.0 and log_density[-1] < top - 3.0)


def _weigh(
    lines: _Lines, nodes: Float64, coarse: Float64, starts: list[Float64], known: tuple[float, float] | None
) -> _Posterior:
    """The posterior on a grid of ln f, starting from the axes found at the nearest coarse nodes."""
    right = np.clip(np.searchsorted(coarse, nodes), 0, len(coarse) - 1)
    left = np.clip(right - 1, 0, len(coarse) - 1)
    begin = [np.concatenate([starts[a], starts[b]]) if a != b else starts[a] for a, b in zip(left, right, strict=True)]
    node = np.repeat(np.arange(len(nodes)), [len(a) for a in begin])
    f = np.exp(nodes)[node]
    axes, value, information = _refine(lines, np.concatenate(begin), f, (0.012, 0.004, 0.0, 0.0))
    keep = np.concatenate(
        [
            own[_distinct(axes[own], value[own], _MODES)]
            for own in (np.flatnonzero(node == k) for k in range(len(nodes)))
        ]
    )
    axes, value, node = axes[keep], value[keep], node[keep]
    information = information[keep] + np.eye(3) / 0.5**2
    covariance = np.linalg.inv(information)
    value = value + 0.5 * np.linalg.slogdet(covariance)[1]
    # Each axis may be the upright one.
    named = np.concatenate([_named(axes, k) for k in range(3)])
    pitch, roll = _angles(-named[:, :, 1])
    logs = np.tile(value, 3) + _log_mixture(pitch, _PITCH_PRIOR) + _log_mixture(roll, _ROLL_PRIOR)
    node, covariance = np.tile(node, 3), np.tile(covariance, (3, 1, 1))
    order = np.lexsort((-logs, node))
    named, logs, node, covariance = named[order], logs[order], node[order], covariance[order]
    log_f = nodes[node]
    evidence = np.full(len(nodes), -np.inf)
    for k in range(len(nodes)):
        own = logs[node == k]
        evidence[k] = own.max() + np.log(np.exp(own - own.max()).sum())
    prior = _prior(nodes, known)
    width = np.gradient(nodes) if len(nodes) > 1 else np.ones(1)
    total = logs + prior[node] + np.log(width)[node]
    probability = np.exp(total - total.max())
    return _Posterior(log_f, named, probability / probability.sum(), covariance, nodes, evidence + prior)


def _named(axes: Float64, upright: int) -> Float64:
    """Axes (m, 3, 3) with column ``upright`` as y (down), the one of the others that points more ahead as z."""
    down = axes[:, :, upright] * np.where(axes[:, 1:2, upright] < 0, -1.0, 1.0)
    a, b = (axes[:, :, k] for k in range(3) if k != upright)
    ahead = np.where(np.abs(a[:, 2:]) >= np.abs(b[:, 2:]), a, b)
    ahead = ahead * np.where(ahead[:, 2:] < 0, -1.0, 1.0)
    return np.stack([np.cross(down, ahead), down, ahead], axis=2)


def _angles(up: Float64) -> tuple[Float64, Float64]:
    """Pitch and roll in degrees, as :func:`image_to_3d.core.surfaces.levelling.camera_angles`, of (m, 3)."""
    pitch = np.degrees(np.arcsin(np.clip(up[:, 2], -1, 1)))
    return pitch, np.degrees(np.arctan2(-up[:, 0], -up[:, 1]))


def _moments(x: Float64, log_density: Float64) -> tuple[float, float]:
    """Mean and standard deviation of a density on a grid."""
    fine, density = _interpolated(x, log_density)
    mean = float((fine * density).sum())
    return mean, float(np.sqrt((((fine - mean) ** 2) * density).sum()))


def _interpolated(x: Float64, log_density: Float64) -> tuple[Float64, Float64]:
    """A fine grid, and the probability of each of its cells; logarithms interpolated by cubics."""
    if len(x) < 3:
        return x, np.full(len(x), 1.0 / len(x))
    fine = np.linspace(x[0], x[-1], max(401, 8 * len(x)))
    slope = np.gradient(log_density, x)
    i = np.clip(np.searchsorted(x, fine, side="right") - 1, 0, len(x) - 2)
    h = x[i + 1] - x[i]
    t = (fine - x[i]) / h
    value = (
        (1 + 2 * t) * (1 - t) ** 2 * log_density[i]
        + t * (1 - t) ** 2 * h * slope[i]
        + t**2 * (3 - 2 * t) * log_density[i + 1]
        + t**2 * (t - 1) * h * slope[i + 1]
    )
    density = np.exp(value - value.max())
    return fine, density / density.sum()


# --- what is wrong with cameras ----------------------------------------------------------------------------------------------


def _of_imperfect_cameras(lines: _Lines, axes: Float64, f: float, focal_sd: float | None) -> tuple[float, Float64]:
    """What a principal point off the middle and a lens that bends lines add to the doubt.

    The attitude is that of the ray through the middle of the picture, so the principal point adds nothing to it.

    Args:
        lines: that were explained.
        axes: (3, 3) and ``f``: by what.
        focal_sd: of a focal length that is known.

    Returns:
        Variance of ln f, and the covariance (3, 3) of a small rotation.
    """
    sine, var, _, density = (part[0] for part in _densities(lines, axes[None], np.array([f])))
    claim = density / (_BACKGROUND + density.sum(axis=0)) * lines.weight / _TEMPER / var

    def change(turn: Float64, log_f: float, shift: Float64, bend: float) -> Float64:
        ends = lines.ends
        moved = lines.moved((ends - shift) * (1 + bend * (ends**2).sum(axis=-1, keepdims=True)))
        turned = _rotations(turn[None])[0] @ axes
        after = _sines(moved, turned.T, np.full(3, f * np.exp(log_f)))[0]
        return np.asarray((after - sine).ravel() / _STEP)

    zero, one = np.zeros(3), np.eye(3) * _STEP
    slopes = [change(one[k], 0.0, zero[:2], 0.0) for k in range(3)]
    slopes.append(change(zero, _STEP, zero[:2], 0.0))
    slopes += [change(zero, 0.0, one[k, :2], 0.0) for k in range(2)]
    slopes.append(change(zero, 0.0, zero[:2], _STEP))
    J = np.stack(slopes, axis=1)
    information = J.T @ (claim.ravel()[:, None] * J)
    known = 1.0 / (focal_sd or 0.5) ** 2
    prior = np.array([4.0, 4.0, 4.0, known, _CENTRE_SD**-2, _CENTRE_SD**-2, _BEND_SD**-2])

    def covariance(parts: list[int]) -> Float64:
        kept = np.ix_(parts, parts)
        return np.asarray(np.linalg.inv(information[kept] + np.diag(prior[parts])))

    camera = [0, 1, 2, 3]
    without, with_bend, with_all = covariance(camera), covariance([*camera, 6]), covariance([*camera, 4, 5, 6])
    return float(max(with_all[3, 3] - without[3, 3], 0.0)), (with_bend[:3, :3] - without[:3, :3])


# --- answer ------------------------------------------------------------------------------------------------------------------


def _answer(
    posterior: _Posterior,
    lines: _Lines,
    labels: NDArray[np.int8],
    diagonal: float,
    known: tuple[float, float] | None,
    limits: LimitsOfTrust,
) -> LineCamera:
    reasons: list[Reason] = []
    best = int(np.argmax(posterior.probability))
    axes, f = posterior.axes[best], float(np.exp(posterior.log_f[best]))
    density = _densities(lines, axes[None], np.array([f]))[3][0]
    claim = density / (_BACKGROUND + density.sum(axis=0))
    counts = claim @ lines.weight
    inliers = float(counts.sum() / lines.weight.sum())
    followed = claim.max(axis=0) > 0.5
    labels = labels.copy()
    labels[lines.index[followed]] = claim.argmax(axis=0)[followed]
    grid, mass = _interpolated(posterior.nodes, posterior.log_density)
    more_focal, more_turn = _of_imperfect_cameras(lines, axes, f, None if known is None else known[1])
    grid, mass = _blurred(grid, mass, more_focal)
    structured = bool(np.sort(counts)[1] >= limits.lines and inliers >= limits.inliers)
    if not structured:
        reasons.append("no_right_angles")

    focal = None
    mean = float((grid * mass).sum())
    sd = float(np.sqrt(((grid - mean) ** 2 * mass).sum()))
    peak = float(grid[np.argmax(mass)])
    near = float(mass[np.abs(grid - peak) < 0.12].sum())
    if structured:
        if near < limits.probability and _humps(posterior.log_density) > 1:
            reasons.append("ambiguous")
        elif sd > limits.focal_sd:
            reasons.append("ill_conditioned")
        else:
            total = np.cumsum(mass)
            low, high = np.interp([0.025, 0.975], total, grid)
            focal = FocalEstimate(
                float(np.exp(mean)) * diagonal, sd, (float(np.exp(low)) * diagonal, float(np.exp(high)) * diagonal)
            )
    attitude = None
    if structured and counts[1] < limits.lines:
        reasons.append("no_upright_lines")
    elif structured:
        attitude = _attitude(posterior, best, more_turn, limits, reasons)
    profile = np.stack([np.exp(grid) * diagonal, mass / mass.max()], axis=1)
    if known is not None:
        reasons = (
            [r for r in reasons if r not in ("ill_conditioned", "ambiguous")]
            if known[1] <= limits.focal_sd
            else reasons
        )
    return LineCamera(focal, attitude, tuple(float(c) for c in counts), labels, tuple(reasons), profile)  # type: ignore[arg-type]


def _blurred(grid: Float64, mass: Float64, variance: float) -> tuple[Float64, Float64]:
    """A density on an even grid after a further error of that variance; the grid grows by what it needs."""
    step = float(grid[1] - grid[0]) if len(grid) > 1 else 1.0
    reach = int(np.ceil(3.5 * np.sqrt(variance) / step))
    if len(grid) < 3 or reach < 1:
        return grid, mass
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step) ** 2 / variance)
    mass = np.convolve(mass, kernel / kernel.sum())
    return grid[0] + step * np.arange(-reach, len(grid) + reach), mass


def _humps(log_density: Float64) -> int:
    """Local maxima of a density that matter."""
    p = np.concatenate([[-np.inf], log_density, [-np.inf]])
    return int(((p[1:-1] >= p[:-2]) & (p[1:-1] > p[2:]) & (p[1:-1] > p.max() - 4.0)).sum())


def _attitude(
    posterior: _Posterior, best: int, more: Float64, limits: LimitsOfTrust, reasons: list[Reason]
) -> Attitude | None:
    """The vertical of the most probable axes; ``more`` (3, 3): covariance of a small rotation on top."""
    up = -posterior.axes[:, :, 1]
    same = up @ up[best] > np.cos(np.radians(4.0))
    if posterior.probability[same].sum() < limits.probability:
        reasons.append("attitude_ambiguous")
        return None
    p = posterior.probability[same]
    p = p / p.sum()
    mean = p @ up[same]
    mean /= np.linalg.norm(mean)
    off = up[same] - mean
    # up = −axes[:, 1] turns with the small rotation ω as ω × up.
    skew = np.zeros((len(p), 3, 3))
    u = up[same]
    skew[:, 0, 1], skew[:, 0, 2], skew[:, 1, 2] = u[:, 2], -u[:, 1], u[:, 0]
    skew = skew - np.swapaxes(skew, 1, 2)
    covariance = np.einsum("m,mij->ij", p, skew @ (posterior.covariance[same] + more) @ np.swapaxes(skew, 1, 2))
    covariance = covariance + np.einsum("m,mi,mj->ij", p, off, off)
    sd = float(np.degrees(np.sqrt(np.linalg.eigvalsh(covariance)[-1])))
    if sd > limits.attitude_sd_deg:
        reasons.append("attitude_unsure")
        return None
    pitch, roll = _angles(mean[None])
    axes = posterior.axes[best]
    # The axes of the best camera, turned by the least rotation so that its vertical is the mean one.
    turn = np.cross(up[best], mean)
    axes = _rotations(turn[None])[0] @ axes
    return Attitude(float(pitch[0]), float(roll[0]), sd, mean, covariance, axes)
