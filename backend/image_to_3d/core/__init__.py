"""The formulas of the project, in numpy only: no files, no network, no torch, no Blender."""

from .cameras.camera import Camera, CameraPath
from .cameras.intrinsics import FocalLength, Intrinsics
from .cloud.gaussians import GaussianCloud, Grid, Provenance
from .errors import Cancelled, ErrorCode, ImageTo3DError

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
