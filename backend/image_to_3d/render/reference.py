"""The picture by its definition, in numpy and float64: slow, readable, the oracle of the other renderers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.cameras.camera import Camera
from ..core.cloud import quaternion
from .base import (
    DEFAULT_SETTINGS,
    LAYER_THICKNESS,
    MAX_ALPHA,
    MIN_ALPHA,
    MIN_TRANSMITTANCE,
    TILE,
    Frame,
    Instance,
    RenderSettings,
    Splats,
    make_frame,
)

Array = NDArray[np.float64]

FRUSTUM_MARGIN = 0.3
"""The Jacobian is taken no farther outside the picture than this fraction of its half width or height."""

MAX_SIGMAS = 3.33
"""Gaussians end here even where opacity above 1 would let them reach further."""


@dataclass(frozen=True, eq=False)
class Projected:
    """Gaussians as ellipses in the picture, unsorted; rows that cannot be seen are gone.

    Attributes:
        centres: (M, 2) pixels.
        conics: (M, 3) 1/pixels²: a, b, c of the inverse covariance [[a, b], [b, c]], low-pass included.
        radii: (M, 2) whole pixels: half the box outside of which nothing is drawn.
        depths: (M,) camera z, metres.
        opacities: (M,).
        colours: (M, 3) linear RGB.
    """

    centres: Array
    conics: Array
    radii: Array
    depths: Array
    opacities: Array
    colours: Array


def project(splats: Splats, camera_from_object: Array, camera: Camera, eps2d: float) -> Projected:
    """EWA splatting: the projection is replaced by its Jacobian at every Gaussian's centre.

    Args:
        splats: N Gaussians in the object frame.
        camera_from_object: (4, 4) affine, object frame → OpenCV camera frame.
        camera: intrinsics, kind of projection, near and far.
        eps2d: pixels² added to the diagonal of the projected covariance.
    """
    k = camera.intrinsics
    linear, shift = camera_from_object[:3, :3], camera_from_object[:3, 3]
    positions, scales, quats = (np.asarray(a, np.float64) for a in (splats.positions, splats.scales, splats.rotations))
    opacities, colours = np.asarray(splats.opacities, np.float64), np.asarray(splats.colours, np.float64)

    points = positions @ linear.T + shift
    z = points[:, 2]
    keep = (z >= np.float32(camera.near)) & (z <= np.float32(camera.far))
    keep &= np.asarray(splats.opacities, np.float32) >= np.float32(MIN_ALPHA)
    keep &= np.linalg.norm(quats, axis=1) > 0
    for values in (points, scales, quats, opacities[:, None]):
        keep &= np.isfinite(values).all(axis=1)
    points, scales, quats, opacities, colours = (a[keep] for a in (points, scales, quats, opacities, colours))
    x, y, z = points.T

    axes = linear @ quaternion.to_matrix(quaternion.normalise(quats)) * scales[:, None, :]
    J = np.zeros((len(points), 2, 3))
    if camera.orthographic:
        centres = np.stack([k.fx * x + k.cx, k.fy * y + k.cy], -1)
        J[:, 0, 0], J[:, 1, 1] = k.fx, k.fy
    else:
        centres = np.stack([k.fx * x / z + k.cx, k.fy * y / z + k.cy], -1)
        margin_x, margin_y = FRUSTUM_MARGIN * 0.5 * k.width / k.fx, FRUSTUM_MARGIN * 0.5 * k.height / k.fy
        tx = np.clip(x / z, -(k.cx / k.fx + margin_x), (k.width - k.cx) / k.fx + margin_x)
        ty = np.clip(y / z, -(k.cy / k.fy + margin_y), (k.height - k.cy) / k.fy + margin_y)
        J[:, 0, 0], J[:, 0, 2] = k.fx / z, -k.fx * tx / z
        J[:, 1, 1], J[:, 1, 2] = k.fy / z, -k.fy * ty / z
    half = J @ axes
    covariances = half @ np.swapaxes(half, -1, -2) + eps2d * np.eye(2)

    # det(A Aᵀ) as a sum of squared minors (Cauchy–Binet): never negative, exactly 0 for a line
    minors = np.cross(half[:, 0], half[:, 1])
    det = (minors**2).sum(-1) + eps2d * (half**2).sum((-1, -2)) + eps2d**2
    sigmas = np.minimum(MAX_SIGMAS, np.sqrt(2 * np.log(np.maximum(opacities / MIN_ALPHA, 1))))
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    radii = np.ceil(sigmas[:, None] * np.sqrt(variances))
    size = np.array([k.width, k.height])
    inside = ((centres + radii > 0) & (centres - radii < size)).all(-1)
    keep = (det > 0) & (radii > 0).any(-1) & inside & np.isfinite(covariances).all((-1, -2))
    conics = np.stack([covariances[:, 1, 1], -covariances[:, 0, 1], covariances[:, 0, 0]], -1)[keep] / det[keep, None]
    return Projected(centres[keep], conics, radii[keep], z[keep], opacities[keep], colours[keep])


def blend(splats: Projected, width: int, height: int) -> tuple[Array, Array, Array, Array]:
    """Front-to-back blending: premultiplied colour (H, W, 3), alpha, Σ w·z and the surface's depth (H, W)."""
    colour, depth = np.zeros((height, width, 3)), np.zeros((height, width))
    layer_end, layer_weight, layer_depth = np.zeros((3, height, width))
    transmittance, finished = np.ones((height, width)), np.zeros((height, width), bool)
    first = np.clip(np.floor((splats.centres - splats.radii) / TILE) * TILE, 0, [width, height]).astype(int)
    last = np.clip(np.ceil((splats.centres + splats.radii) / TILE) * TILE, 0, [width, height]).astype(int)
    for i in np.argsort(splats.depths.astype(np.float32), kind="stable"):
        box = np.s_[first[i, 1] : last[i, 1], first[i, 0] : last[i, 0]]
        dx = splats.centres[i, 0] - (np.arange(first[i, 0], last[i, 0]) + 0.5)
        dy = splats.centres[i, 1] - (np.arange(first[i, 1], last[i, 1]) + 0.5)[:, None]
        a, b, c = splats.conics[i]
        power = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
        alpha = np.minimum(MAX_ALPHA, splats.opacities[i] * np.exp(-power))
        T = transmittance[box]
        seen = (power >= 0) & (alpha >= MIN_ALPHA) & ~finished[box]
        refused = seen & (T * (1 - alpha) <= MIN_TRANSMITTANCE)
        finished[box] |= refused
        weight = np.where(seen & ~refused, alpha * T, 0.0)
        colour[box] += weight[..., None] * splats.colours[i]
        depth[box] += weight * splats.depths[i]
        beyond = splats.depths[i] > layer_end[box]
        begins = beyond & (T > 0.5) & (weight > 0)
        counted = np.where(begins | ~beyond, weight, 0.0)
        layer_end[box] = np.where(begins, splats.depths[i] * (1 + LAYER_THICKNESS), layer_end[box])
        layer_weight[box] = np.where(begins, 0.0, layer_weight[box]) + counted
        layer_depth[box] = np.where(begins, 0.0, layer_depth[box]) + counted * splats.depths[i]
        transmittance[box] = T - weight
    covered = 1 - transmittance
    with np.errstate(divide="ignore", invalid="ignore"):
        surface = np.where(covered < 0.5, depth / covered, layer_depth / layer_weight)
    return colour, covered, depth, np.where(covered < MIN_ALPHA, np.inf, surface)


class ReferenceRenderer:
    """Renders small scenes exactly; thousands of Gaussians a second."""

    name = "reference"

    def render(
        self, instances: Sequence[Instance], camera: Camera, settings: RenderSettings = DEFAULT_SETTINGS
    ) -> Frame:
        """One picture of all instances together."""
        parts = [
            project(instance.cloud, camera.world_to_camera @ instance.object_to_world, camera, settings.eps2d)
            for instance in instances
        ]
        fields = ("centres", "conics", "radii", "depths", "opacities", "colours")
        if parts:
            merged = Projected(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
            colour, alpha, depth, surface = blend(merged, camera.width, camera.height)
        else:
            shape = camera.height, camera.width
            colour, alpha, depth = np.zeros((*shape, 3)), np.zeros(shape), np.zeros(shape)
            surface = np.full(shape, np.inf)
        colour32, alpha32, depth32, surface32 = (
            picture.astype(np.float32) for picture in (colour, alpha, depth, surface)
        )
        return make_frame(colour32, alpha32, depth32, surface32, settings)
