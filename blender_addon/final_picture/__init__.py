"""Furniture and splats in one picture: Cycles or EEVEE renders the objects, the engine of this add-on the photo, and the
compositor merges both by depth and lays the objects' shadows and light upon the photo."""

from __future__ import annotations

import bpy

from . import operators, setup

CLASSES = operators.CLASSES


def register() -> None:
    """Register operators and panel, and have the scenes kept alike while rendering."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    setup.watch()


def unregister() -> None:
    """Undo :func:`register`; what was set up stays in the file."""
    setup.stop_watching()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
