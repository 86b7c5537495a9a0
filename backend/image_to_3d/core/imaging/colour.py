"""Colour: sRGB ↔ linear Rec. 709, and spherical harmonics of degree 0 as PLY files of 3D Gaussians store them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

SH_C0 = 0.28209479177387814
"""Constant of the degree-0 spherical harmonic, sqrt(1 / (4 π))."""


def srgb_to_linear(srgb: Array) -> Array:
    """sRGB values → linear light, element-wise, any shape (IEC 61966-2-1). Not clamped above 1."""
    c = np.asarray(srgb)
    return np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0) + 0.055) / 1.055) ** 2.4).astype(c.dtype, copy=False)


def linear_to_srgb(linear: Array) -> Array:
    """Linear light → sRGB values, element-wise, any shape (IEC 61966-2-1). Not clamped above 1."""
    c = np.asarray(linear)
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * np.maximum(c, 0) ** (1 / 2.4) - 0.055).astype(
        c.dtype, copy=False
    )


def srgb8_to_linear(srgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 sRGB → float32 linear, by table."""
    table = srgb_to_linear(np.arange(256, dtype=np.float64) / 255.0).astype(np.float32)
    return table[srgb]


def linear_to_srgb8(linear: Array) -> NDArray[np.uint8]:
    """Linear → uint8 sRGB, clamped to [0, 1] and rounded to nearest."""
    return np.rint(np.clip(linear_to_srgb(np.asarray(linear, np.float32)), 0.0, 1.0) * 255.0).astype(np.uint8)


def rgb_to_sh0(rgb: Array) -> Array:
    """RGB → degree-0 coefficients ``f_dc`` (Kerbl et al., "3D Gaussian Splatting", 2023)."""
    return (rgb - 0.5) / SH_C0


def sh0_to_rgb(f_dc: Array) -> Array:
    """Degree-0 coefficients ``f_dc`` → RGB."""
    return f_dc * SH_C0 + 0.5
