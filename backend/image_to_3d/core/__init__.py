"""The formulas of the project, in numpy only: no files, no network, no torch, no Blender."""

from .camera import Camera, CameraPath
from .errors import Cancelled, ErrorCode, ImageTo3DError
from .gaussians import GaussianCloud, Grid, Provenance
from .intrinsics import FocalLength, Intrinsics

__all__ = [
    "Camera",
    "CameraPath",
    "Cancelled",
    "ErrorCode",
    "FocalLength",
    "GaussianCloud",
    "Grid",
    "ImageTo3DError",
    "Intrinsics",
    "Provenance",
]
