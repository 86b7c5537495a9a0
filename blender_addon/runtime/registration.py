"""Registering: a module says what it brings, this file hands it to Blender and takes it back.

A module may have any of these names:

- ``CLASSES``: classes for ``bpy.utils.register_class``, in order.
- ``HANDLERS``: pairs for :mod:`.app_handlers`.
- ``DRAW_HANDLERS``: pairs for :mod:`.draw_handlers`.
- ``on_register()``: called after its classes and handlers are in place.
- ``on_unregister()``: undoes that; called before they go.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import bpy

from . import app_handlers, draw_handlers, objects


def register(modules: Sequence[ModuleType]) -> None:
    """Make the runtime and hand everything to Blender, in the order of the modules."""
    objects.start()
    for module in modules:
        for cls in getattr(module, "CLASSES", ()):
            bpy.utils.register_class(cls)
        app_handlers.add(getattr(module, "HANDLERS", ()))
        draw_handlers.add(getattr(module, "DRAW_HANDLERS", ()))
        if hasattr(module, "on_register"):
            module.on_register()


def unregister(modules: Sequence[ModuleType]) -> None:
    """Undo :func:`register`, in the opposite order."""
    for module in reversed(modules):
        if hasattr(module, "on_unregister"):
            module.on_unregister()
        draw_handlers.remove(getattr(module, "DRAW_HANDLERS", ()))
        app_handlers.remove(getattr(module, "HANDLERS", ()))
        for cls in reversed(getattr(module, "CLASSES", ())):
            bpy.utils.unregister_class(cls)
    objects.stop()
