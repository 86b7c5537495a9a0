"""Functions that Blender calls when something happens: a module lists its own, adds them once and takes them out whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import bpy

Handler = tuple[str, Callable[..., None]]
"""(name of a list in ``bpy.app.handlers``, function that is ``persistent`` if it outlives the file)."""


def add(handlers: Iterable[Handler]) -> None:
    """Have Blender call the functions from now on."""
    for name, function in handlers:
        getattr(bpy.app.handlers, name).append(function)


def remove(handlers: Iterable[Handler]) -> None:
    """Undo :func:`add`; what is no longer there is no fault."""
    for name, function in handlers:
        functions = getattr(bpy.app.handlers, name)
        if function in functions:
            functions.remove(function)
