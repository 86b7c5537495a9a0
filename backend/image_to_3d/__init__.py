"""Image to 3D: one photograph to a metric 3D scene.

>>> import image_to_3d as i3d
>>> scene = i3d.predict("room.jpg")
>>> scene.save("room.ply")
>>> scene.measure(between=[((320, 410), (980, 400))]).lengths[0].interval_m

Importing this package, :mod:`image_to_3d.core` or :mod:`image_to_3d.protocol` loads neither torch nor Pillow nor bpy: the Blender
extension bundles them. The names of the Python interface (:mod:`image_to_3d.api`) are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Scene, estimate_depth, list_engines, load, predict, unload
    from .core import Cancelled, ErrorCode, FocalLength, GaussianCloud, ImageTo3DError
    from .measuring import Measurements
    from .pipeline import DepthEstimate

__version__ = "0.1.0"

__all__ = [
    "Cancelled",
    "DepthEstimate",
    "ErrorCode",
    "FocalLength",
    "GaussianCloud",
    "ImageTo3DError",
    "Measurements",
    "Scene",
    "__version__",
    "estimate_depth",
    "list_engines",
    "load",
    "predict",
    "unload",
]

_MODULES = {
    **dict.fromkeys(("Scene", "estimate_depth", "list_engines", "load", "predict", "unload"), "api"),
    **dict.fromkeys(("Cancelled", "ErrorCode", "FocalLength", "GaussianCloud", "ImageTo3DError"), "core"),
    "Measurements": "measuring",
    "DepthEstimate": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
