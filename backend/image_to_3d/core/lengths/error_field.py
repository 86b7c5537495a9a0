"""How wrong the depth of a photo may be, as a correlated field over the picture, and what known lengths say about it.

An engine's depth is not wrong by one factor. The error e = ln(z of the engine / true z) is a Gaussian field: neighbouring
pixels err together, the far end of the room errs otherwise, and where the engine is unsure it errs more. With h its standard
deviation at a pixel and d the distance of two pixels,

    cov(e₁, e₂) = scale_sd² + h₁ h₂ exp(−d / length),      h = gain · sᵖ · (z / median z)ᵍ

s is what the engine itself says about its relative error there (1 where it says nothing), d is measured in diagonals of the picture
and counts a step in depth too. The parameters are measured on pictures with known depth (``scripts/measure_engine.py``) and
travel with the cloud, so that a file says how good its lengths are whatever becomes of the engine.

A length L between two points moves by d(ln L) = w₁ e₁ + w₂ e₂ with w₁ = u · p₁ / L, w₂ = −u · p₂ / L, and u the unit vector from p₂
to p₁: a plain factor gives w₁ + w₂ = 1. Lengths are therefore linear in the field, and known ones condition it as Gaussian process
regression does (Rasmussen & Williams 2006, eq. 2.23–2.24). Real errors have longer tails than normal ones, so the process is a
Student's t one (Shah, Wilson & Ghahramani 2014, eq. 6): known lengths that fit badly make every interval wider, not only theirs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from ..cameras.intrinsics import Intrinsics
from ..surfaces.surface import Array, Float64

MAP_CELLS = 48
"""Cells along the longer side of the stored map of the engine's own estimate."""
_LOG_RANGE = (np.log(1e-3), np.log(10.0))
_JITTER = 1e-9


@dataclass(frozen=True)
class DepthErrorModel:
    """Parameters of the error field of an engine, without units unless said.

    Attributes:
        scale_sd: standard deviation of what is common to the whole picture, of ln z.
        gain, exponent: sd of ln z = gain · (engine's own relative error)^exponent.
        growth: and that times (z / median z)^growth.
        length: over which the error changes, in diagonals of the picture.
        depth_weight: a step of 1 in ln z counts as so many diagonals.
        floor_sd: of ln L, beside the field: what is wrong with a single length only.
        bias: mean of the error.
        tails: degrees of freedom of the t process.
        stretch: standard deviations are multiplied with it, so that ± 1.96 of them hold 95 %.
        source: ``measured``, ``published`` or ``assumed``.
    """

    scale_sd: float
    gain: float
    exponent: float = 0.0
    growth: float = 0.0
    length: float = 0.5
    depth_weight: float = 0.5
    floor_sd: float = 0.0
    bias: float = 0.0
    tails: float = 5.0
    stretch: float = 1.0
    source: str = "assumed"

    def __post_init__(self) -> None:
        numbers = [value for value in asdict(self).values() if isinstance(value, int | float)]
        positive = (self.gain, self.length, self.stretch, self.tails - 2)
        if not np.isfinite(numbers).all() or min(positive) <= 0 or min(self.scale_sd, self.floor_sd) < 0:
            raise ValueError("parameters of an error field are finite, and sizes are positive")


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """What an engine says about its own relative error, coarsely.

    Attributes:
        values: (rows, cols) relative error, > 0.
    """

    values: Float64

    @classmethod
    def of(cls, relative_error: Array) -> ErrorMap:
        """The means, in the logarithm, of a map (h, w) over at most :data:`MAP_CELLS` cells on its longer side."""
        e = np.asarray(relative_error, np.float64)
        height, width = e.shape
        cells = min(1.0, MAP_CELLS / max(height, width))
        rows, cols = max(1, round(height * cells)), max(1, round(width * cells))
        usable = np.isfinite(e) & (e > 0)
        logs = np.log(np.where(usable, np.clip(e, *np.exp(_LOG_RANGE)), 1.0))
        middle = float(np.mean(logs[usable])) if usable.any() else 0.0
        logs = np.where(usable, logs, middle)
        row, col = np.arange(height) * rows // height, np.arange(width) * cols // width
        cell = row[:, None] * cols + col
        sums = np.bincount(cell.ravel(), logs.ravel(), rows * cols)
        return cls(np.exp(sums / np.bincount(cell.ravel(), minlength=rows * cols)).reshape(rows, cols))

    def at(self, u: Array, v: Array) -> Float64:
        """Relative error at places in the picture, 0 … 1 from its upper left corner; bilinear between the middles of cells."""
        rows, cols = self.values.shape
        x = np.clip(np.asarray(u, np.float64) * cols - 0.5, 0, cols - 1)
        y = np.clip(np.asarray(v, np.float64) * rows - 0.5, 0, rows - 1)
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        right, down = np.minimum(left + 1, cols - 1), np.minimum(top + 1, rows - 1)
        fx, fy = x - left, y - top
        e = np.log(self.values)
        upper = e[top, left] * (1 - fx) + e[top, right] * fx
        lower = e[down, left] * (1 - fx) + e[down, right] * fx
        return np.asarray(np.exp(upper * (1 - fy) + lower * fy), np.float64)

    def to_plain(self) -> dict[str, Any]:
        """For files and the wire: a byte a cell, in steps of 3.7 %."""
        low, high = _LOG_RANGE
        code = np.rint((np.log(np.clip(self.values, np.exp(low), np.exp(high))) - low) / (high - low) * 255)
        rows, cols = self.values.shape
        return {"rows": rows, "cols": cols, "values": base64.b64encode(code.astype(np.uint8).tobytes()).decode("ascii")}

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any]) -> ErrorMap:
        """Inverse of :meth:`to_plain`.

        Raises:
            ValueError: it is no such map.
        """
        try:
            rows, cols = int(stored["rows"]), int(stored["cols"])
            code = np.frombuffer(base64.b64decode(str(stored["values"]), validate=True), np.uint8)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"no map of errors: {error}") from None
        if not (0 < rows <= MAP_CELLS and 0 < cols <= MAP_CELLS) or len(code) != rows * cols:
            raise ValueError("no map of errors: its size is wrong")
        low, high = _LOG_RANGE
        return cls(np.exp(low + code.reshape(rows, cols) / 255 * (high - low)))


@dataclass(frozen=True, eq=False)
class KnownDistance:
    """A length that is known, between two places.

    Attributes:
        ends: (2, 3) OpenCV camera frame, metres of the engine.
        true_m: true length, metres.
        sd_m: of the engine's length from its ends alone (pointing, noise), metres of the engine.
    """

    ends: Float64
    true_m: float
    sd_m: float = 0.0

    def to_plain(self) -> list[float]:
        """Eight numbers: the ends, the true length, its standard deviation."""
        return [*map(float, self.ends.ravel()), self.true_m, self.sd_m]

    @classmethod
    def from_plain(cls, numbers: Sequence[float]) -> KnownDistance:
        """Inverse of :meth:`to_plain`.

        Raises:
            ValueError: they are no such numbers.
        """
        values = np.asarray(numbers, np.float64)
        if values.shape != (8,) or not np.isfinite(values).all() or values[6] <= 0:
            raise ValueError("no known distance")
        return cls(values[:6].reshape(2, 3), float(values[6]), float(values[7]))

    @property
    def log_ratio(self) -> float:
        """ln(engine's length / true length)."""
        return float(np.log(np.linalg.norm(self.ends[1] - self.ends[0]) / self.true_m))


@dataclass(frozen=True, eq=False)
class ErrorField:
    """The error field of one photo, with what is known of it.

    Attributes:
        model: of the engine.
        intrinsics: of the photo.
        median_depth: of the picture, metres of the engine.
        own: the engine's own estimate, or None.
        known: lengths that condition it.
    """

    model: DepthErrorModel
    intrinsics: Intrinsics
    median_depth: float
    own: ErrorMap | None = None
    known: tuple[KnownDistance, ...] = field(default=())

    def with_known(self, known: Sequence[KnownDistance]) -> ErrorField:
        """The same field, conditioned on these lengths instead."""
        return replace(self, known=tuple(known))

    def factor(self) -> float:
        """What makes the known lengths true on the whole: lengths of the engine times this. 1 without any.

        One known length becomes exact; several are weighed by how much they tell (generalised least squares in the logarithm).
        """
        if not self.known:
            return 1.0
        weights = np.linalg.solve(self._known_covariance(), np.ones(len(self.known)))
        ratios = np.array([k.log_ratio for k in self.known])
        return float(np.exp(-(weights @ ratios) / weights.sum()))

    def error(self, ends: Array, factor: float = 1.0) -> tuple[float, float]:
        """Mean and standard deviation of ln(length · factor / true length).

        The mean is what the known lengths say is still wrong there although the factor has been applied.

        Args:
            ends: (2, 3) of the length, OpenCV camera frame, metres of the engine.
            factor: by which the engine's lengths are multiplied where they are shown.
        """
        points = np.asarray(ends, np.float64)[None]
        variance = float(self._covariance(points, points)[0, 0]) + self.model.floor_sd**2
        mean = self.model.bias * float(self._weights(points).sum())
        if self.known:
            there = np.stack([k.ends for k in self.known])
            across = self._covariance(points, there)[0]
            K = self._known_covariance()
            off = np.array([k.log_ratio for k in self.known]) - self.model.bias * self._weights(there).sum(axis=1)
            gain = np.linalg.solve(K, across)
            mean += float(gain @ off)
            # Student's t: what fits badly widens.
            nu, count = self.model.tails, len(self.known)
            fit = (nu - 2 + float(off @ np.linalg.solve(K, off))) / (nu - 2 + count)
            variance = max(variance - float(gain @ across), 0.0) * max(fit, 1.0)
        return mean + float(np.log(factor)), float(self.model.stretch * np.sqrt(variance))

    def typical_sd(self, factor: float = 1.0) -> float:
        """Median relative error of lengths all over the picture, root of the mean square, for one number about a photo.

        Over pairs of a regular set of places at the median depth.
        """
        k = self.intrinsics
        u, v = (np.array([0.2, 0.5, 0.8]) * side for side in (k.width, k.height))
        rays = np.array([[(x - k.cx) / k.fx, (y - k.cy) / k.fy, 1.0] for y in v for x in u]) * self.median_depth
        errors = [self.error(rays[[i, j]], factor) for i in range(len(rays)) for j in range(i)]
        return float(np.median(np.hypot(*np.array(errors).T)))

    def to_plain(self) -> dict[str, Any]:
        """Model, median depth and map, for :attr:`Provenance.details`; the known lengths are not in it."""
        stored = {**asdict(self.model), "median_depth_m": self.median_depth}
        return stored if self.own is None else {**stored, "map": self.own.to_plain()}

    @classmethod
    def from_plain(cls, stored: Mapping[str, Any], intrinsics: Intrinsics) -> ErrorField:
        """Inverse of :meth:`to_plain`.

        Raises:
            ValueError: it describes no error field.
        """
        try:
            names = {f.name for f in fields(DepthErrorModel)}
            values: dict[str, Any] = {
                key: value if key == "source" else float(value) for key, value in stored.items() if key in names
            }
            model = DepthErrorModel(**values)
            median = float(stored["median_depth_m"])
            own = ErrorMap.from_plain(stored["map"]) if stored.get("map") is not None else None
        except (KeyError, TypeError) as error:
            raise ValueError(f"no error field: {error}") from None
        if not (np.isfinite(median) and median > 0):
            raise ValueError("no error field: its median depth is not positive")
        return cls(model, intrinsics, median, own)

    def _weights(self, ends: Float64) -> Float64:
        """(n, 2): how ln L of lengths (n, 2, 3) moves with the error at each end."""
        between = ends[:, 0] - ends[:, 1]
        squared = np.maximum(np.einsum("ij,ij->i", between, between), 1e-18)
        return np.stack(
            [np.einsum("ij,ij->i", between, ends[:, 0]), -np.einsum("ij,ij->i", between, ends[:, 1])], 1
        ) / squared[:, None]  # fmt: skip

    def _places(self, points: Float64) -> tuple[Float64, Float64]:
        """Points (n, 3) → where they are in the picture and in depth (n, 3), in diagonals; h (n,)."""
        k, model = self.intrinsics, self.model
        z = np.maximum(points[:, 2], 1e-6)
        pixel = k.project(np.column_stack([points[:, :2], z]))
        u, v = np.clip(pixel[:, 0] / k.width, 0, 1), np.clip(pixel[:, 1] / k.height, 0, 1)
        diagonal = float(np.hypot(k.width, k.height))
        place = np.stack([u * k.width / diagonal, v * k.height / diagonal, model.depth_weight * np.log(z)], 1)
        own = np.ones(len(z)) if self.own is None else self.own.at(u, v)
        return place, model.gain * own**model.exponent * (z / self.median_depth) ** model.growth

    def _covariance(self, first: Float64, second: Float64) -> Float64:
        """Covariance (n, m) of ln L of lengths (n, 2, 3) and (m, 2, 3) by the field."""
        (a, ha), (b, hb) = (self._places(ends.reshape(-1, 3)) for ends in (first, second))
        apart = np.linalg.norm(a[:, None] - b[None], axis=-1)
        C = self.model.scale_sd**2 + np.outer(ha, hb) * np.exp(-apart / self.model.length)
        wa, wb = self._weights(first), self._weights(second)
        n, m = len(first), len(second)
        return np.einsum("ni,nimj,mj->nm", wa, C.reshape(n, 2, m, 2), wb)

    def _known_covariance(self) -> Float64:
        ends = np.stack([k.ends for k in self.known])
        sizes = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        own = self.model.floor_sd**2 + (np.array([k.sd_m for k in self.known]) / sizes) ** 2
        return self._covariance(ends, ends) + np.diag(own + _JITTER)
