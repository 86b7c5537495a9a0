"""What an engine's metres are worth, and how known lengths correct them.

A metric engine or depth camera leaves one unknown, a factor. An engine with relative inverse depth d leaves two, 1/z = a d + b.
Planes stay planes for every a and b (both keep inverse depth affine in the picture), so planarity alone cannot tell b; the
*angles* between planes can: with t = b / a a plane m of the relative picture becomes m + t (0, 0, 1), and floor and walls that
should be perpendicular are so for one t only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..cameras.intrinsics import Intrinsics, focal_sd
from ..cloud.gaussians import Provenance
from ..errors import ErrorCode, ImageTo3DError
from ..surfaces.plumb_lines import focal_sd_of
from ..surfaces.surface import Array, Float64
from .error_field import ErrorField, KnownDistance

ScaleState = Literal["engine", "assumed", "calibrated"]

_SQUARE_SD_DEG = 1.5
_SQUARE_LIMIT_DEG = 10.0


@dataclass(frozen=True)
class Scale:
    """What lengths of an engine have to be multiplied with, and how sure that is.

    Attributes:
        state: ``engine`` (its own claim), ``assumed`` (focal length assumed, or an engine without metres), ``calibrated``.
        relative_sd: relative standard deviation of the scale.
        focal_sd: relative standard deviation of the focal length.
        factor: true length = factor · engine's length.
        lateral_share: share of the calibrating lengths that lies across the line of sight; 0 if not calibrated.
        residuals_m: true − calibrated length of each known length, metres.
        field: how the error of the depth varies over the picture, conditioned on the known lengths; None where nothing is known of
            it. Where it is there, ``relative_sd`` is that of a typical length.
    """

    state: ScaleState
    relative_sd: float
    focal_sd: float
    factor: float = 1.0
    lateral_share: float = 0.0
    residuals_m: tuple[float, ...] = ()
    field: ErrorField | None = None

    def error_of(self, ends: Array) -> tuple[float, float]:
        """Mean and standard deviation of ln(shown length / true length) between two places, without the focal length's share.

        Args:
            ends: (2, 3) OpenCV camera frame, metres of the engine.
        """
        return (0.0, self.relative_sd) if self.field is None else self.field.error(ends, self.factor)


def error_field_of(provenance: Provenance, intrinsics: Intrinsics) -> ErrorField | None:
    """The error field that came with a cloud; None where it tells none, or nonsense."""
    stored = provenance.details.get("depth_error")
    if not isinstance(stored, Mapping):
        return None
    try:
        return ErrorField.from_plain(stored, intrinsics)
    except ValueError:
        return None


def engine_scale(
    provenance: Provenance, intrinsics: Intrinsics, prior_sd: float, known_sd: float | None = None
) -> Scale:
    """The scale of a cloud as its engine claims it.

    Args:
        provenance: of the cloud.
        intrinsics: of its photo.
        prior_sd: relative standard deviation of the scale of such engines, as :func:`image_to_3d.catalogue.scale_sd` has it; what
            came with the cloud knows better.
        known_sd: of this scale, where a person knows better still.
    """
    mm35 = intrinsics.fx * float(np.hypot(36.0, 24.0)) / float(np.hypot(intrinsics.width, intrinsics.height))
    sd_f = focal_sd(provenance.focal_source, mm35, focal_sd_of(provenance))
    field = error_field_of(provenance, intrinsics) if known_sd is None else None
    relative_sd = prior_sd if known_sd is None else known_sd
    if field is not None:
        relative_sd = field.typical_sd()
    assumed = provenance.focal_source == "assumed" or not provenance.metric
    return Scale("assumed" if assumed else "engine", relative_sd, sd_f, field=field)


@dataclass(frozen=True, eq=False)
class KnownLength:
    """A length somebody has measured, and what the engine says about it.

    Attributes:
        true_m: the true length, metres.
        measured_m: the engine's, metres.
        measured_sd_m: its standard deviation from its two ends.
        lateral_share: share of it that lies across the line of sight.
        true_sd_m: of the true length; a tape is good to about 2 mm.
        ends: (2, 3) where it was measured, OpenCV camera frame, metres of the engine; None where only the length is known.
    """

    true_m: float
    measured_m: float
    measured_sd_m: float
    lateral_share: float = 1.0
    true_sd_m: float = 0.002
    ends: Float64 | None = None


def calibrate_scale(known: Sequence[KnownLength], scale: Scale) -> Scale:
    """One factor from one or several known lengths by weighted least squares.

    With several the residuals count: where they are larger than the stated uncertainties explain, the result is as uncertain
    as they say. Where the error field of the engine is known, it says how much each length tells, and is conditioned on all.

    Raises:
        ImageTo3DError: ``bad_request`` without known lengths or with one that is not positive, or of no extent in the scene.
    """
    if not known:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.no_known_length")
    true, measured = np.array([k.true_m for k in known]), np.array([k.measured_m for k in known])
    if not (np.isfinite(true) & (true > 0)).all():
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.known_length_not_positive")
    sd = np.array([k.measured_sd_m for k in known])
    if not (measured > 1e-6).all():
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.known_length_without_extent")
    if scale.field is not None and all(k.ends is not None for k in known):
        return _conditioned(known, scale, scale.field)
    factor, weights = float(np.median(true / measured)), np.ones(len(known))
    for _ in range(3):  # the ends' uncertainty is stated in the engine's metres
        weights = 1.0 / (np.array([k.true_sd_m for k in known]) ** 2 + (factor * sd) ** 2 + 1e-12)
        factor = float(np.sum(weights * true * measured) / np.sum(weights * measured**2))
    residuals = true - factor * measured
    relative_sd = 1.0 / (factor * float(np.sqrt(np.sum(weights * measured**2))))
    if len(known) > 1:
        relative_sd *= max(1.0, float(np.sqrt(np.sum(weights * residuals**2) / (len(known) - 1))))
    influence = weights * measured**2
    share = float(np.sum(influence * [k.lateral_share for k in known]) / np.sum(influence))
    return Scale("calibrated", relative_sd, scale.focal_sd, factor, share, tuple(float(r) for r in residuals))


def _conditioned(known: Sequence[KnownLength], scale: Scale, field: ErrorField) -> Scale:
    """:func:`calibrate_scale` where the error of the depth is a known field."""
    rough = float(np.median([k.true_m / k.measured_m for k in known]))
    distances = [
        KnownDistance(np.asarray(k.ends, np.float64), k.true_m, float(np.hypot(k.measured_sd_m, k.true_sd_m / rough)))
        for k in known
    ]
    field = field.with_known(distances)
    factor = field.factor()
    residuals = tuple(k.true_m - factor * k.measured_m for k in known)
    share = float(np.average([k.lateral_share for k in known], weights=[k.measured_m**2 for k in known]))
    return Scale("calibrated", field.typical_sd(factor), scale.focal_sd, factor, share, residuals, field)


@dataclass(frozen=True, eq=False)
class DisparityCalibration:
    """1/z = a · d + b for relative inverse depth d (:class:`~image_to_3d.core.depth.relative_depth.AffineInverseDepth`).

    Attributes:
        a, b: 1/m per unit of d, and 1/m.
        relative_sd: typical relative standard deviation of depths that follow.
        residuals_m: true − calibrated length of each known length, metres.
    """

    a: float
    b: float
    relative_sd: float
    residuals_m: tuple[float, ...]


def calibrate_disparity(
    disparity: Array,
    known: Sequence[tuple[Array, Array, float]],
    planes: Sequence[Array] = (),
) -> DisparityCalibration:
    """Scale and shift of relative inverse depth from known lengths and from right angles between planes.

    Lengths weigh with 1 % of their size, each pair of planes that comes within 10° of perpendicular or parallel with 1.5°; other
    pairs do not count. One length and no such pair is not enough.

    Args:
        disparity: (rows, cols) relative inverse depth d, larger is nearer; NaN is unknown.
        known: (point, point, metres) of known lengths, the points (3,) of the relative picture: ray / d.
        planes: m (3,) of planes of the relative picture, m · ray = d, as ``Plane.m`` of planes found in 1/d.

    Raises:
        ImageTo3DError: ``bad_request`` if there is no known length, or if the shift remains open.
    """
    if not known:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.no_known_length")
    d = np.asarray(disparity, np.float64)
    values = d[np.isfinite(d) & (d > 0)]
    low, middle = (float(x) for x in np.quantile(values, (0.02, 0.5)))
    ends = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b, _ in known]
    true = np.array([metres for *_, metres in known])
    m = np.array([np.asarray(plane, np.float64) for plane in planes]).reshape(-1, 3)

    def lengths(t: float) -> Float64:
        # position = ray / d, so ray / (d + t) = position / (1 + t z).
        return np.array([np.linalg.norm(p / (1 + t * p[2]) - q / (1 + t * q[2])) for p, q in ends])

    def cost(t: float) -> float:
        if any(1 + t * p[2] <= 0 for pair in ends for p in pair):
            return float("inf")
        size = lengths(t)
        factor = float(np.sum(size / true) / np.sum((size / true) ** 2))
        misfit = float(np.sum(((factor * size - true) / (0.01 * true)) ** 2))
        n = m + np.array([0.0, 0.0, t])
        n = n / np.linalg.norm(n, axis=1, keepdims=True)
        angle = np.degrees(np.arccos(np.clip(np.abs(n @ n.T), 0, 1)))[np.triu_indices(len(n), 1)]
        off = np.minimum(np.minimum(angle, 90 - angle), _SQUARE_LIMIT_DEG)
        return misfit + float(np.sum((off / _SQUARE_SD_DEG) ** 2))

    # The farthest ordinary point stays in front of infinity: t > −low.
    candidates = -low + np.geomspace(0.02 * low + 1e-3 * middle, 20 * middle, 400)
    costs = np.array([cost(t) for t in candidates])
    best = int(np.argmin(costs))
    for _ in range(3):
        low_t, high_t = candidates[max(best - 1, 0)], candidates[min(best + 1, len(candidates) - 1)]
        candidates = np.unique(np.append(candidates, np.linspace(low_t, high_t, 21)))
        costs = np.array([cost(t) for t in candidates])
        best = int(np.argmin(costs))
    t = float(candidates[best])
    plausible = candidates[costs <= costs[best] + 1.0]
    spread = float(plausible[-1] - plausible[0]) / 2
    size = lengths(t)
    factor = float(np.sum(size / true) / np.sum((size / true) ** 2))  # length in metres = factor · relative length
    # How much other depths move when t does and the known lengths are held: relative to the lengths' own depth.
    reference = 1.0 / float(np.mean([p[2] for pair in ends for p in pair]))
    moved = spread * np.abs(1.0 / (np.quantile(values, (0.1, 0.9)) + t) - 1.0 / (reference + t))
    if best in (0, len(candidates) - 1) or float(moved.max()) > 0.5:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.shift_undetermined")
    residuals = true - factor * size
    fit_sd = 0.01 / np.sqrt(len(true))
    if len(true) > 1:
        fit_sd *= max(1.0, float(np.sqrt(np.sum((residuals / (0.01 * true)) ** 2) / (len(true) - 1))))
    relative_sd = float(np.hypot(fit_sd, np.sqrt(np.mean(moved**2))))
    return DisparityCalibration(1.0 / factor, t / factor, relative_sd, tuple(float(r) for r in residuals))
