"""Small scenes made from a seed."""

from __future__ import annotations

import numpy as np

from image_to_3d.core import Camera, GaussianCloud, Intrinsics
from image_to_3d.core.cameras.trajectories import look_at


def random_cloud(seed: int, count: int = 300, opaque: float = 0.0) -> GaussianCloud:
    """Gaussians of many shapes between 1 and 5 m in front of the origin, some beside the picture."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(1.0, 5.0, count)
    xy = rng.uniform(-0.8, 0.8, (count, 2)) * z[:, None]
    rotations = rng.standard_normal((count, 4))
    return GaussianCloud(
        positions=np.column_stack([xy, z]),
        scales=np.exp(rng.uniform(np.log(0.004), np.log(0.3), (count, 3))),
        rotations=rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        colours=rng.uniform(0, 1.2, (count, 3)),
        opacities=np.clip(rng.uniform(0, 1, count) + opaque, 0, 1),
    )


def random_camera(seed: int, width: int = 83, height: int = 61) -> Camera:
    """Off-centre principal point, fx ≠ fy, turned and moved a little, a size that is no multiple of anything."""
    rng = np.random.default_rng(seed)
    fx, fy = rng.uniform(50, 90, 2)
    k = Intrinsics(fx, fy, width * rng.uniform(0.3, 0.7), height * rng.uniform(0.3, 0.7), width, height)
    return Camera(k, look_at(rng.uniform(-0.3, 0.3, 3), [0, 0, 3.0], [0.2, -1, 0.1]))
