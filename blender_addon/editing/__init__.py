"""Editing what came of a photo: crop, select and remove points, floaters, far things and sky. Nothing is lost.

``scene/edits`` marks the points; here are the buttons and what is stored in the file.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_PARTS = ("operators", "gesture", "panels")
"""In the order of registration. ``state`` is registered by ``properties``, because its group hangs on objects; that is also why the
parts are imported only here, when ``properties`` is there."""


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
