"""The streamed overlay of 3D viewports."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import live, panels


@persistent
def _before_load(*_: Any) -> None:
    live.current().close_streams()


@persistent
def _before_save(*_: Any) -> None:
    live.current().show_points()  # the file must not hold what is hidden only for the moment


@persistent
def _after_save(*_: Any) -> None:
    live.start_timer()


def _handlers() -> list[tuple[Any, Any]]:
    handlers = bpy.app.handlers
    return [
        (handlers.load_pre, _before_load),
        (handlers.save_pre, _before_save),
        (handlers.save_post, _after_save),
    ]


def register() -> None:
    """Make the preview, off at first, with its panel and switch."""
    live.start()
    panels.register()
    for handlers, function in _handlers():
        handlers.append(function)


def unregister() -> None:
    """Stop it and leave nothing behind."""
    for handlers, function in _handlers():
        if function in handlers:
            handlers.remove(function)
    panels.unregister()
    live.stop()
