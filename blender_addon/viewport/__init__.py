"""The streamed overlay of 3D viewports."""

from __future__ import annotations

from typing import Any

from bpy.app.handlers import persistent

from .. import handlers
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


_HANDLERS = (
    ("load_pre", _before_load),
    ("save_pre", _before_save),
    ("save_post", _after_save),
)


def register() -> None:
    """Make the preview, off at first, with its panel and switch."""
    live.start()
    panels.register()
    handlers.add(_HANDLERS)


def unregister() -> None:
    """Stop it and leave nothing behind."""
    handlers.remove(_HANDLERS)
    panels.unregister()
    live.stop()
