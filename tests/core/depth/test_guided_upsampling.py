"""Coarse disparity on the photo's grid: planes exact, depth edges sharp and where the photo has them."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.core.depth.guided_upsampling import sharpen_edges, upsample_to_photo

H, W, FACTOR = 40, 60, 5
ROWS, COLS = H * FACTOR, W * FACTOR


def _plane(rows: int, cols: int) -> np.ndarray:
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(cols) + 0.5) / cols
    return 1.0 + 2.0 * y[:, None] + 0.5 * x[None, :]


def _disc(rows: int, cols: int) -> np.ndarray:
    y, x = (np.arange(rows) + 0.5) * H / rows, (np.arange(cols) + 0.5) * W / cols
    return np.hypot(y[:, None] - 20, x[None, :] - 30) < 9.3


def _blur(w: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        w = 0.25 * np.roll(w, 1, axis) + 0.5 * w + 0.25 * np.roll(w, -1, axis)
    return w


def _photo(disc: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).integers(-8, 9, (*disc.shape, 3))
    return (np.where(disc[..., None], (200, 120, 60), (60, 80, 110)) + noise).astype(np.uint8)


def test_a_plane_stays_the_same_plane():
    photo = np.random.default_rng(1).integers(0, 255, (ROWS, COLS, 3), dtype=np.uint8)
    up = upsample_to_photo(_plane(H, W), photo, ROWS, COLS)
    np.testing.assert_allclose(up, _plane(ROWS, COLS), atol=1e-9)


def test_an_edge_is_sharp_and_where_the_photo_has_it():
    fine = np.where(_disc(ROWS, COLS), 4.0, 1.0)
    coarse = _blur(fine.reshape(H, FACTOR, W, FACTOR).mean((1, 3)))
    up = upsample_to_photo(coarse, _photo(_disc(ROWS, COLS)), ROWS, COLS)
    between = (up > 1.3) & (up < 3.7)
    assert between.mean() < 0.002
    assert (np.abs(up - fine) > 0.3).mean() < 0.01
    bilinear = np.repeat(np.repeat(coarse, FACTOR, 0), FACTOR, 1)
    assert np.abs(up - fine).mean() < 0.2 * np.abs(bilinear - fine).mean()


def test_scale_and_shift_pass_through():
    disc = _disc(ROWS, COLS)
    coarse = _blur(np.where(_disc(H, W), 4.0, _plane(H, W)))
    plain = upsample_to_photo(coarse, _photo(disc), ROWS, COLS)
    other = upsample_to_photo(37.0 * coarse - 11.0, _photo(disc), ROWS, COLS)
    np.testing.assert_allclose(other, 37.0 * plain - 11.0, atol=1e-9)


def test_sharpening_leaves_planes_and_creases_alone():
    plane = _plane(H, W)
    crease = np.maximum(plane, _plane(H, W)[::-1])
    for w in (plane, crease):
        np.testing.assert_allclose(sharpen_edges(w, 0.03 * np.ptp(w)), w, rtol=1e-12)


@pytest.mark.parametrize("size", [(8, 12), (40, 60), (41, 61), (1, 1)])
def test_any_size_of_photo_gives_finite_values_of_the_grid(size):
    rows, cols = size
    photo = np.random.default_rng(2).integers(0, 255, (rows, cols, 3), dtype=np.uint8)
    up = upsample_to_photo(_plane(H, W), photo, rows, cols)
    assert up.shape == size
    assert np.isfinite(up).all()


def test_a_constant_map_stays_constant():
    photo = np.zeros((ROWS, COLS, 3), np.uint8)
    np.testing.assert_allclose(upsample_to_photo(np.full((H, W), 2.0), photo, ROWS, COLS), 2.0)
