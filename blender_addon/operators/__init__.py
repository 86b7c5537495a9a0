"""What the buttons do."""

from __future__ import annotations

import bpy

from . import connection, generate

_CLASSES = (*generate.CLASSES, *connection.CLASSES)


def register() -> None:
    """Register the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Unregister the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
