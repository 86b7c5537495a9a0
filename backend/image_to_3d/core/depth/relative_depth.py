"""Relative inverse depth, and how it becomes metres.

Networks trained on pictures of unknown scale give a disparity d (larger is nearer) of which only differences and their ratios
mean something: true inverse depth is 1/z = a · d + b with unknown a > 0 and b (Ranftl et al., "Towards Robust Monocular Depth
Estimation", TPAMI 2020, section 5). The scale a alone stretches a scene; the shift b also bends it: planes stay planes, but right
angles do not stay right.

Here a and b come from a stated assumption. Lengths that a person knows replace it: going from one pair (a, b) to another is
1/z' = α / z + β, a projective map of the points that needs neither the photo nor the disparity (:func:`change_inverse_depth`).
To calibrate, take the cloud's own 1/z for the disparity: :func:`~..lengths.calibration.calibrate_disparity` with points of
the cloud answers α and β as its a and b.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cameras.intrinsics import Intrinsics
from ..cloud import quaternion
from ..cloud.gaussians import GaussianCloud
from ..errors import ImageTo3DError
from ..lengths.calibration import calibrate_disparity
from ..surfaces.levelling import find_gravity, level
from ..surfaces.planes import find_planes
from ..surfaces.surface import SurfaceGrid

Array = NDArray[np.floating]

TYPICAL_DISTANCE_M = 3.0
"""Assumed depth in the middle of the picture's depths: what most photos of rooms show."""
FAR_TO_NEAR = 4.0
"""Assumed ratio between the depths that 2 % of the picture lie beyond and before: about 1.5 m to 6 m in a room."""
TYPICAL_CAMERA_HEIGHT_M = 1.5
"""Assumed height of the camera above the floor: a photo taken while standing."""
_TAIL = 0.02
_FARTHEST = 4.0  # nothing lies farther than so many times the far quantile: sky ends there instead of at infinity
_PLANE_COLS = 128  # columns of the grid in which planes are looked for
_MOST_PLANES = 8
_BELIEVABLE_MIDDLE_M = (0.7, 15.0)
_BELIEVABLE_FAR_TO_NEAR = (1.2, 30.0)
_CHUNK = 100_000
_NEAR_INFINITY = 1e-3  # a thousand times as far as before is as good as infinity

NOT_METRIC = "Not metric: calibrate with one or two known lengths."
"""The sentence for a person that goes with every cloud whose scale is assumed."""


@dataclass(frozen=True)
class AffineInverseDepth:
    """1/z = max(a · d + b, 1 / farthest_m): how a disparity d became depth.

    Attributes:
        a: metres⁻¹ per unit of disparity, positive.
        b: metres⁻¹.
        farthest_m: depth that nothing exceeds, metres; infinite if not bounded.
        assumption: in words what a and b rest on; empty if they are known.
    """

    a: float
    b: float
    farthest_m: float = float("inf")
    assumption: str = ""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.a) and self.a > 0 and np.isfinite(self.b) and self.farthest_m > 0):
            raise ValueError(f"1/z = {self.a} · d + {self.b}, at most {self.farthest_m} m, is no depth")

    def depth(self, disparity: Array) -> NDArray[np.float64]:
        """Planar depth z in metres of disparities, any shape; NaN stays NaN, and so does what lies at or beyond infinity."""
        w = np.maximum(self.a * np.asarray(disparity, np.float64) + self.b, 1.0 / self.farthest_m)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(w > 0, 1.0 / w, np.nan)

    def disparity(self, depth: Array) -> NDArray[np.float64]:
        """The disparity (any shape) of planar depths in metres; that of bounded depths is gone."""
        return (1.0 / np.asarray(depth, np.float64) - self.b) / self.a

    def changed(self, alpha: float, beta: float, assumption: str = "") -> AffineInverseDepth:
        """After 1/z' = alpha / z + beta."""
        bound = alpha / self.farthest_m + beta
        farthest = 1.0 / bound if bound > 0 else float("inf")
        return AffineInverseDepth(alpha * self.a, alpha * self.b + beta, farthest, assumption)

    def to_details(self) -> dict[str, Any]:
        """For :attr:`Provenance.details <image_to_3d.core.cloud.gaussians.Provenance.details>`, under ``inverse_depth``."""
        details: dict[str, Any] = {"a": self.a, "b": self.b, "assumption": self.assumption}
        return details | ({"farthest_m": self.farthest_m} if np.isfinite(self.farthest_m) else {})


def affine_of(cloud: GaussianCloud) -> AffineInverseDepth | None:
    """How the depths of a cloud came from a disparity; None if they did not, or nobody wrote it down."""
    details = cloud.provenance.details.get("inverse_depth")
    if not isinstance(details, dict):
        return None
    farthest = float(details.get("farthest_m", float("inf")))
    return AffineInverseDepth(float(details["a"]), float(details["b"]), farthest, str(details.get("assumption", "")))


def assume_typical_distance(
    disparity: Array, distance_m: float = TYPICAL_DISTANCE_M, far_to_near: float = FAR_TO_NEAR
) -> AffineInverseDepth:
    """a and b by assumption: the middle depth is ``distance_m``, and the far depths are ``far_to_near`` times the near ones.

    Near and far are the depths that 2 % of the picture lie before and beyond. The answer does not depend on scale and shift of
    the disparity, which mean nothing.

    Args:
        disparity: any shape; NaN is unknown.
        distance_m: metres, positive.
        far_to_near: more than 1.

    Raises:
        ValueError: no disparity is known, or an argument is out of range.
    """
    if not (distance_m > 0 and far_to_near > 1):
        raise ValueError(f"no depth has a middle of {distance_m} m and a ratio of {far_to_near}")
    known = disparity[np.isfinite(disparity)].astype(np.float64)
    if not known.size:
        raise ValueError("no disparity is known")
    far, middle, near = (float(q) for q in np.quantile(known, [_TAIL, 0.5, 1 - _TAIL]))
    spread = near - far
    assumption = (
        f"the middle of the picture's depths is {distance_m:g} m, the far ones are {far_to_near:g} times the near ones"
    )
    if spread <= 1e-6 * max(abs(near), abs(far)):  # a flat picture: all at one distance
        a = 1.0 / (distance_m * max(abs(middle), 1e-12))
        return AffineInverseDepth(a, 1.0 / distance_m - a * middle, _FARTHEST * distance_m, assumption)
    # w = s (d − far + c) with w(near) = far_to_near · w(far), hence c; the middle then fixes s.
    c = spread / (far_to_near - 1.0)
    s = 1.0 / (distance_m * (middle - far + c))
    return AffineInverseDepth(s, s * (c - far), _FARTHEST / (s * c), assumption)


def assume(disparity: Array, intrinsics: Intrinsics) -> AffineInverseDepth:
    """a and b by assumption: walls are at right angles to floor and to each other, and the camera is held as people hold it.

    Right angles between the planes of the picture tell b / a (:func:`~..lengths.calibration.calibrate_disparity`), the
    floor tells a: the camera is :data:`TYPICAL_CAMERA_HEIGHT_M` above it. What the picture does not tell, or tells unbelievably,
    stays as :func:`assume_typical_distance` has it.

    Args:
        disparity: (rows, cols); NaN is unknown.
        intrinsics: of the photo that the map covers.

    Raises:
        ValueError: no disparity is known.
    """
    affine = assume_typical_distance(disparity)
    grid = SurfaceGrid(affine.depth(disparity), intrinsics).thinned(_PLANE_COLS)
    planes = find_planes(grid, _MOST_PLANES)
    squared = _squared(affine, grid, [plane.m for plane in planes])
    if squared is not None:
        affine = squared
        grid = SurfaceGrid(affine.depth(disparity), intrinsics).thinned(_PLANE_COLS)
        planes = find_planes(grid, _MOST_PLANES)
    try:
        height = level(find_gravity(planes, grid, metric=False)).camera_height_m
    except ImageTo3DError:  # no floor, or none that can be told
        return affine
    middle = float(np.nanmedian(grid.depth)) * TYPICAL_CAMERA_HEIGHT_M / max(height, 1e-6)
    return at_camera_height(affine, height) if _between(middle, _BELIEVABLE_MIDDLE_M) else affine


def _squared(affine: AffineInverseDepth, grid: SurfaceGrid, planes: list[Array]) -> AffineInverseDepth | None:
    """The same distance of the middle, with b / a as right angles between planes want it; None if they do not tell."""
    middle = float(np.nanmedian(grid.depth))
    across = (np.array([-0.5, 0.0, 1.0]) * middle, np.array([0.5, 0.0, 1.0]) * middle, middle)
    try:
        solved = calibrate_disparity(grid.w, [across], planes)
    except ImageTo3DError:
        return None
    near, far = np.nanquantile(solved.a * grid.w + solved.b, [1 - _TAIL, _TAIL])
    if not (far > 0 and _between(near / far, _BELIEVABLE_FAR_TO_NEAR)):
        return None
    changed = affine.changed(solved.a, solved.b)
    words = f"walls are at right angles, the middle of the picture's depths is {TYPICAL_DISTANCE_M:g} m"
    return AffineInverseDepth(changed.a, changed.b, _FARTHEST / float(far), words)


def _between(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def at_camera_height(
    affine: AffineInverseDepth, height: float, wanted_m: float = TYPICAL_CAMERA_HEIGHT_M
) -> AffineInverseDepth:
    """The same shape of scene, scaled so that the camera is ``wanted_m`` above its floor instead of ``height``.

    Raises:
        ValueError: a height is not positive.
    """
    if not (height > 0 and wanted_m > 0):
        raise ValueError(f"a camera is not {height} m or {wanted_m} m above the floor")
    square = "walls are at right angles, " if affine.assumption.startswith("walls") else ""
    return affine.changed(height / wanted_m, 0.0, f"{square}the camera is {wanted_m:g} m above the floor")


def inverse_depth_divisor(depth: NDArray[np.float64], shift: float, alpha: float = 1.0) -> NDArray[np.float64]:
    """What depths (...), and with them places along their rays, are divided by to get 1/z' = alpha / z + shift.

    It is alpha + shift · z; NaN for what would come to lie at infinity, or beyond.

    Args:
        depth: metres, or another unit.
        shift: 1 / that unit.
        alpha: without unit, positive.
    """
    divisor = alpha + shift * depth
    with np.errstate(invalid="ignore"):
        return np.where(divisor > _NEAR_INFINITY * alpha, divisor, np.nan)


def change_inverse_depth(
    cloud: GaussianCloud, alpha: float, beta: float, metric: bool = True, assumption: str = ""
) -> GaussianCloud:
    """The cloud with 1/z' = alpha / z + beta: every Gaussian moves along its ray, X' = X / (alpha + beta · z).

    Shapes follow to first order, by the derivative of that map: J = (I − β X' ezᵀ) / (α + β z), Σ' = J Σ Jᵀ. With β = 0 it is a
    mere scaling and exact. Gaussians that would come to lie at or beyond infinity are left out.

    Args:
        cloud: in the OpenCV camera frame.
        alpha: without unit, positive; 1 / alpha is the scale of all lengths.
        beta: metres⁻¹.
        metric: what the provenance shall say of the new lengths.
        assumption: in words what they rest on; empty if they are known.

    Raises:
        ValueError: ``alpha`` is not positive, a value is not finite, or nothing would be left.
    """
    if not (np.isfinite(alpha) and np.isfinite(beta) and alpha > 0):
        raise ValueError(f"1/z' = {alpha} / z + {beta} turns depth around")
    divisor = inverse_depth_divisor(cloud.positions[:, 2].astype(np.float64), beta, alpha)
    keep = np.isfinite(divisor)
    if not keep.any():
        raise ValueError("nothing would be in front of the camera")
    cloud, divisor = cloud.select(keep), divisor[keep]
    positions = cloud.positions / divisor[:, None]
    if beta == 0:
        scales, rotations = cloud.scales / alpha, cloud.rotations
    else:
        scales, rotations = _transformed_shapes(cloud, positions, divisor, beta)
    details = dict(cloud.provenance.details)
    affine = affine_of(cloud)
    if affine is not None:
        details["inverse_depth"] = affine.changed(alpha, beta, assumption).to_details()
    return replace(
        cloud,
        positions=positions.astype(np.float32),
        scales=scales.astype(np.float32),
        rotations=rotations.astype(np.float32),
        provenance=replace(cloud.provenance, metric=metric, details=details),
    )


def _transformed_shapes(
    cloud: GaussianCloud, positions: NDArray[np.float64], divisor: NDArray[np.float64], beta: float
) -> tuple[Array, Array]:
    """Scales (N, 3), descending, and rotations (N, 4) after the projective map. Σ' = A Aᵀ with A = J R diag(s)."""
    scales, rotations = np.empty((len(cloud), 3)), np.empty((len(cloud), 4))
    for start in range(0, len(cloud), _CHUNK):
        part = slice(start, start + _CHUNK)
        axes = quaternion.to_matrix(cloud.rotations[part].astype(np.float64)) * cloud.scales[part, None, :]
        moved = (axes - beta * positions[part, :, None] * axes[:, 2:3, :]) / divisor[part, None, None]
        variances, vectors = np.linalg.eigh(moved @ np.swapaxes(moved, -1, -2))
        vectors = vectors[..., ::-1].copy()
        vectors[..., 2] *= np.sign(np.linalg.det(vectors))[:, None]  # a rotation, not a reflection
        scales[part] = np.sqrt(np.maximum(variances[:, ::-1], 0.0))
        rotations[part] = quaternion.from_matrix(vectors)
    return scales, rotations
