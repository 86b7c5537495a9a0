"""Measuring in Blender: levelling, rulers, calibration, dimensions, planes.

The arithmetic is the core's; here are the buttons, what is stored in the file, and the way between Blender's frame and the
camera frame of the photo.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_PARTS = (
    "analysis",
    "levelling",
    "calibrating",
    "dimensions",
    "laser",
    "plane_report",
    "panels",
    "dimension_panels",
    "plane_panels",
)
"""In the order of registration: panels after the panels that they hang below. ``state`` is registered by ``properties``, because
its groups hang on objects; that is also why the parts are imported only here, when ``properties`` is there."""


def _parts() -> list[ModuleType]:
    return [import_module(f".{name}", __name__) for name in _PARTS]


def register() -> None:
    """Register the parts."""
    for part in _parts():
        part.register()


def unregister() -> None:
    """Undo :func:`register`."""
    for part in reversed(_parts()):
        part.unregister()
