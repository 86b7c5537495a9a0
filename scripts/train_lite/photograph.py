"""From linear light to a photograph: exposure, white balance, lens, sensor, tone curve, JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.float32]


def _blur(picture: Picture, sigma: float) -> Picture:
    """Gaussian blur, separable, borders repeated."""
    radius = max(1, int(2.5 * sigma + 0.5))
    k = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    k /= k.sum()
    height, width = picture.shape[:2]
    p = np.pad(picture, ((radius, radius), (0, 0), (0, 0)), mode="edge")
    rows = sum(k[i] * p[i : i + height] for i in range(2 * radius + 1))
    p = np.pad(rows, ((0, 0), (radius, radius), (0, 0)), mode="edge")
    return sum(k[i] * p[:, i : i + width] for i in range(2 * radius + 1))


def develop(linear: Picture, rng: Generator) -> NDArray[np.uint8]:
    """A linear picture (H, W, 3) of any brightness as an 8-bit sRGB photograph (H, W, 3)."""
    p = np.maximum(linear, 0)
    height, width = p.shape[:2]
    luma = p @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    metered = np.exp(np.mean(np.log(luma + 1e-3)))
    p = p * np.float32(rng.uniform(0.14, 0.26) * np.exp(rng.normal(0, 0.3)) / metered)
    grey = p.reshape(-1, 3).mean(0)
    balance = (grey.mean() / np.maximum(grey, 1e-4)) ** rng.uniform(0, 0.8) * np.exp(rng.normal(0, 0.06, 3))
    p = p * balance.astype(np.float32)
    if rng.random() < 0.4:  # glare around what is overexposed
        bright = np.minimum(np.maximum(p - 0.9, 0), 4)
        p = p + np.float32(rng.uniform(0.05, 0.3)) * _blur(bright, rng.uniform(2, 8))
    if rng.random() < 0.7:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        p = p * (1 - np.float32(rng.uniform(0, 0.35)) * (x * x + y * y) / 2)[..., None]
    if rng.random() < 0.6:
        p = _blur(p, rng.uniform(0.3, 0.9))
    noise = rng.choice([0.0, 0.005, 0.015, 0.04]) * rng.uniform(0.3, 1)
    if noise > 0:
        n = rng.standard_normal(p.shape, dtype=np.float32)
        if rng.random() < 0.4:
            n = _blur(n, 0.7) * 2
        p = p + n * np.float32(noise) * np.sqrt(np.maximum(p, 0) + 0.02)
    shoulder = rng.uniform(0.0, 1.0)  # from clipped to filmic highlights
    p = np.maximum(p, 0)
    p = p * (1 + shoulder * p / 9) / (1 + shoulder * p)
    p = np.clip(p * (1 + 0.5 * shoulder), 0, 1)
    v = np.where(p < 0.0031308, 12.92 * p, 1.055 * p ** (1 / 2.4) - 0.055)
    v = v ** np.float32(np.exp(rng.normal(0, 0.15)))
    v = 0.5 + (v - 0.5) * rng.uniform(0.8, 1.25)
    mean = v.mean(axis=2, keepdims=True)
    v = mean + (v - mean) * (0.0 if rng.random() < 0.02 else rng.uniform(0.6, 1.35))
    if rng.random() < 0.25:
        v = v + rng.uniform(0.3, 1.2) * (v - _blur(v.astype(np.float32), 0.8))
    out = np.rint(np.clip(v, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.7:
        stream = io.BytesIO()
        Image.fromarray(out).save(stream, "JPEG", quality=int(rng.integers(45, 96)))
        out = np.asarray(Image.open(stream))
    return out
