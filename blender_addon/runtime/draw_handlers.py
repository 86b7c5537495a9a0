"""Functions that draw in every 3D viewport for as long as the extension is on: a module lists its own, as with other handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bpy

DrawHandler = tuple[str, Callable[[], None]]
"""(``POST_VIEW`` or ``POST_PIXEL``, function)."""


class _Added:
    handles: dict[Callable[[], None], Any] = {}  # what Blender wants back to take a function out


def add(handlers: Iterable[DrawHandler]) -> None:
    """Have Blender call the functions from now on."""
    for when, function in handlers:
        _Added.handles[function] = bpy.types.SpaceView3D.draw_handler_add(function, (), "WINDOW", when)


def remove(handlers: Iterable[DrawHandler]) -> None:
    """Undo :func:`add`."""
    for _, function in handlers:
        handle = _Added.handles.pop(function, None)
        if handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
