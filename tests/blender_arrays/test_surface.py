"""The mesh of what a photo sees, as arrays."""

from __future__ import annotations

import numpy as np

from image_to_3d.blender.surface import with_inverse_depth_shift


def test_a_shift_of_inverse_depth_moves_vertices_along_their_rays() -> None:
    vertices = np.random.default_rng(0).uniform((-1, 1, -1), (1, 9, 1), (500, 3)).astype(np.float32)
    moved = with_inverse_depth_shift(vertices, 0.1, 100.0)
    np.testing.assert_allclose(1 / moved[:, 1], 1 / vertices[:, 1] + 0.1, rtol=1e-5)
    np.testing.assert_allclose(moved[:, ::2] / moved[:, 1:2], vertices[:, ::2] / vertices[:, 1:2], rtol=1e-5)
    assert with_inverse_depth_shift(vertices, -1.0, 7.0)[:, 1].max() == np.float32(7.0)
