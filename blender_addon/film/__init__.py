"""Filming a photo: camera moves, how far they may go, and cameras in and out as camera paths."""

from __future__ import annotations

import bpy

from . import moves, panels, paths, safe_zone

_CLASSES = (*moves.CLASSES, *paths.CLASSES, *safe_zone.CLASSES, *panels.CLASSES)


def register() -> None:
    """Register operators and panels, and have the safe zone watched while the animation plays."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    safe_zone.watch()


def unregister() -> None:
    """Undo :func:`register`."""
    safe_zone.stop_watching()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
