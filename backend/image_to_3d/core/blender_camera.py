"""Pinhole intrinsics ↔ the lens settings of a Blender camera.

Blender describes a camera by a focal length and a sensor size in millimetres, a sensor fit, a shift of the picture frame in
units of its fitted side, and the aspect of a pixel (manual, "Cameras" and "Output › Format"). With the sensor fitted to the
width, a frame of ``width`` pixels is ``sensor_width`` wide, so fx = lens / sensor_width · width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .intrinsics import DIAGONAL_35MM, Intrinsics

SensorFit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]


@dataclass(frozen=True)
class BlenderLens:
    """The settings of a Blender camera and of the render output that make up its projection.

    Attributes:
        lens: focal length, millimetres.
        sensor_width, sensor_height: millimetres.
        sensor_fit: which side of the picture the sensor is fitted to; ``AUTO`` takes the longer one and ``sensor_width``.
        shift_x, shift_y: movement of the frame to the right and up, as a fraction of the fitted side.
        width, height: of the picture, pixels.
        pixel_aspect_x, pixel_aspect_y: width and height of a pixel, only their ratio counts.
    """

    lens: float
    sensor_width: float
    sensor_height: float
    sensor_fit: SensorFit
    shift_x: float
    shift_y: float
    width: int
    height: int
    pixel_aspect_x: float = 1.0
    pixel_aspect_y: float = 1.0


def lens_from_intrinsics(k: Intrinsics) -> BlenderLens:
    """Blender's settings for a photo, exact for any principal point and for fx ≠ fy.

    The sensor gets the diagonal of the 35 mm format, so ``lens`` is the 35 mm equivalent that people know their camera by.
    """
    # fy = lens / sensor_width · width · aspect_x / aspect_y; Blender accepts aspects ≥ 1.
    aspect_x, aspect_y = (k.fy / k.fx, 1.0) if k.fy > k.fx else (1.0, k.fx / k.fy)
    to_mm = DIAGONAL_35MM / float(np.hypot(k.width * aspect_x, k.height * aspect_y))
    return BlenderLens(
        lens=k.fx * aspect_x * to_mm,
        sensor_width=k.width * aspect_x * to_mm,
        sensor_height=k.height * aspect_y * to_mm,
        sensor_fit="HORIZONTAL",
        shift_x=(k.width / 2 - k.cx) / k.width,
        shift_y=(k.cy - k.height / 2) * aspect_y / (k.width * aspect_x),
        width=k.width,
        height=k.height,
        pixel_aspect_x=aspect_x,
        pixel_aspect_y=aspect_y,
    )


def intrinsics_from_lens(b: BlenderLens) -> Intrinsics:
    """The pinhole camera of any perspective Blender camera. Inverse of :func:`lens_from_intrinsics`."""
    wide, high = b.width * b.pixel_aspect_x, b.height * b.pixel_aspect_y
    if b.sensor_fit == "VERTICAL" or (b.sensor_fit == "AUTO" and high > wide):
        fitted = high
        sensor = b.sensor_height if b.sensor_fit == "VERTICAL" else b.sensor_width
    else:
        fitted, sensor = wide, b.sensor_width
    focal = b.lens / sensor * fitted
    return Intrinsics(
        fx=focal / b.pixel_aspect_x,
        fy=focal / b.pixel_aspect_y,
        cx=b.width / 2 - b.shift_x * fitted / b.pixel_aspect_x,
        cy=b.height / 2 + b.shift_y * fitted / b.pixel_aspect_y,
        width=b.width,
        height=b.height,
    )
