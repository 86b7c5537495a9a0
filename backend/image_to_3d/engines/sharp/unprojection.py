"""From NDC to metres: positions by the photo's intrinsics, covariances to scales and rotations on the device.

Everything is a structure of arrays, so that the same elementwise operations run on every device without a branch per Gaussian.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.cameras.intrinsics import Intrinsics
from .composer import NdcGaussians

_SWEEPS = 4
_CPU_CHUNK = 1 << 14
"""Gaussians per piece of work on the CPU: its temporaries then stay in the cache."""

Six = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
"""xx, xy, xz, yy, yz, zz of a symmetric 3 × 3 matrix."""


@dataclass(frozen=True, eq=False)
class MetricGaussians:
    """N Gaussians, OpenCV camera frame, metres, float32: positions (N, 3), scales (N, 3) descending, unit quaternions (N, 4)."""

    positions: Tensor
    scales: Tensor
    rotations: Tensor


def unproject(gaussians: NdcGaussians, intrinsics: Intrinsics) -> MetricGaussians:
    """NDC → OpenCV camera frame, metres.

    With the principal point in the middle the inverse of the NDC projection is M = diag(W / 2f, H / 2f, 1): the mean becomes
    M μ, the covariance M Σ M (EWA, Zwicker et al., 2001). Its eigenvectors are the new axes, the square roots of its eigenvalues
    the new scales.

    Args:
        gaussians: from the composer.
        intrinsics: of the photo in its original size.
    """
    device = gaussians.means.device
    aspect = (0.5 * intrinsics.width / intrinsics.fx, 0.5 * intrinsics.height / intrinsics.fy)
    count = gaussians.means.shape[1]
    positions, scales = (torch.empty(count, 3, device=device) for _ in range(2))
    rotations = torch.empty(count, 4, device=device)
    dtype = torch.float32 if device.type == "mps" else torch.float64  # Metal has no float64

    def work(start: int) -> None:
        part = slice(start, start + chunk)
        with torch.inference_mode():  # the mode belongs to a thread
            mean = gaussians.means[:, part]
            positions[part, 0] = mean[0] * aspect[0]
            positions[part, 1] = mean[1] * aspect[1]
            positions[part, 2] = mean[2]
            covariance = stretched_covariance(
                gaussians.quaternions[:, part].to(dtype), gaussians.scales[:, part].to(dtype), aspect
            )
            for target, values in zip((scales, rotations), principal_axes(covariance), strict=True):
                for column, value in enumerate(values):
                    target[part, column] = value

    if device.type == "cpu":
        chunk = _CPU_CHUNK
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(work, range(0, count, chunk)))
    else:
        chunk = max(count, 1)
        work(0)
    return MetricGaussians(positions, scales, rotations)


def stretched_covariance(quaternions: Tensor, scales: Tensor, aspect: tuple[float, float]) -> Six:
    """M R diag(s²) Rᵀ M with M = diag(aspect, 1), from quaternions (4, N) of any length ≠ 0 and scales (3, N).

    A zero quaternion counts as no rotation.
    """
    w, x, y, z = quaternions
    norm2 = w * w + x * x + y * y + z * z
    two = torch.where(norm2 > 0, 2.0 / norm2, 0.0)  # R = 1 − 2/|q|² (…): no square root, no normalised copy
    s0, s1, s2 = scales
    mx, my = aspect
    xy, xz, yz, wx, wy, wz = x * y, x * z, y * z, w * x, w * y, w * z
    xx, yy, zz = x * x, y * y, z * z
    sx0, sx1, sx2 = s0 * mx, s1 * mx, s2 * mx
    sy0, sy1, sy2 = s0 * my, s1 * my, s2 * my
    a00, a01, a02 = (1 - two * (yy + zz)) * sx0, two * (xy - wz) * sx1, two * (xz + wy) * sx2
    a10, a11, a12 = two * (xy + wz) * sy0, (1 - two * (xx + zz)) * sy1, two * (yz - wx) * sy2
    a20, a21, a22 = two * (xz - wy) * s0, two * (yz + wx) * s1, (1 - two * (xx + yy)) * s2

    def dot(u0: Tensor, u1: Tensor, u2: Tensor, v0: Tensor, v1: Tensor, v2: Tensor) -> Tensor:
        return (u0 * v0).addcmul_(u1, v1).addcmul_(u2, v2)

    return (
        dot(a00, a01, a02, a00, a01, a02),
        dot(a00, a01, a02, a10, a11, a12),
        dot(a00, a01, a02, a20, a21, a22),
        dot(a10, a11, a12, a10, a11, a12),
        dot(a10, a11, a12, a20, a21, a22),
        dot(a20, a21, a22, a20, a21, a22),
    )


def principal_axes(covariance: Six) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Standard deviations, descending, and the unit quaternion (w ≥ 0) of right-handed principal axes.

    Cyclic Jacobi (Golub & Van Loan, §8.5) on all matrices at once. The rotations accumulate in a quaternion, as (1, tan θ/2) about
    the axis that a plane rotation leaves alone, and are normalised once (McAdams et al., "Computing the Singular Value
    Decomposition of 3×3 matrices with minimal branching", 2011).

    Args:
        covariance: six tensors of one shape; positive semi-definite up to rounding.
    """
    a00, a01, a02, a11, a12, a22 = covariance
    q: tuple[Tensor, ...] = (torch.ones_like(a00), torch.zeros_like(a00), torch.zeros_like(a00), torch.zeros_like(a00))
    for _ in range(_SWEEPS):
        a00, a11, a01, a02, a12, h = _jacobi_rotation(a00, a11, a01, a02, a12)
        q = _turn(q, h, 3)
        a22, a00, a02, a12, a01, h = _jacobi_rotation(a22, a00, a02, a12, a01)
        q = _turn(q, h, 2)
        a11, a22, a12, a01, a02, h = _jacobi_rotation(a11, a22, a12, a01, a02)
        q = _turn(q, h, 1)

    # Sorting swaps two axes by a quarter turn about the third, which keeps them right-handed.
    a00, a11, h = _descending(a00, a11)
    q = _turn(q, h, 3)
    a11, a22, h = _descending(a11, a22)
    q = _turn(q, h, 1)
    a00, a11, h = _descending(a00, a11)
    q = _turn(q, h, 3)

    w, x, y, z = q
    length = torch.rsqrt((w * w).addcmul_(x, x).addcmul_(y, y).addcmul_(z, z)).copysign_(w)
    return tuple(torch.sqrt_(a.clamp_(min=0)) for a in (a00, a11, a22)), tuple(c * length for c in q)


def _jacobi_rotation(
    app: Tensor, aqq: Tensor, apq: Tensor, arp: Tensor, arq: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The rotation p → q that clears a_pq: the new a_pp, a_qq, a_pq, a_rp, a_rq and the tangent of half the angle.

    t = tan θ is the smaller root of t² + (a_pp − a_qq) / a_pq · t − 1 = 0, so |θ| ≤ 45°.
    """
    difference = app - aqq
    twice = apq + apq
    root = torch.sqrt_((difference * difference).addcmul_(twice, twice)).copysign_(difference)
    denominator = root.add_(difference)
    t = torch.where(denominator != 0, twice / denominator, 0.0)
    c = torch.rsqrt(torch.addcmul(torch.ones_like(t), t, t))
    s = t * c
    shift = t * apq
    half = s / (c + 1.0)
    return (
        app + shift,
        aqq - shift,
        torch.zeros_like(apq),
        (c * arp).addcmul_(s, arq),
        (c * arq).addcmul_(s, arp, value=-1),
        half,
    )


def _turn(q: tuple[Tensor, ...], h: Tensor, axis: int) -> tuple[Tensor, ...]:
    """q ⊗ (1, h · unit vector of ``axis``), axis 1 = x, 2 = y, 3 = z; not normalised."""
    w, own = q[0], q[axis]
    j, k = axis % 3 + 1, (axis + 1) % 3 + 1
    turned = list(q)
    turned[0] = torch.addcmul(w, own, h, value=-1)
    turned[axis] = torch.addcmul(own, w, h)
    turned[j] = torch.addcmul(q[j], q[k], h)
    turned[k] = torch.addcmul(q[k], q[j], h, value=-1)
    return tuple(turned)


def _descending(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.maximum(a, b), torch.minimum(a, b), (a < b).to(a.dtype)
