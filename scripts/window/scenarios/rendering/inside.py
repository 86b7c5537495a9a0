"""F12 and Ctrl-F12 with the splats' engine in a window: a picture, an animation that Escape ends, a backend that is gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import bpy

import window

FRAMES = 250
_ended: list[str] = []
_written: list[int] = []


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    yield 0.5
    window.open_tab()
    scene, root = bpy.context.scene, (yield from window.make_sample(addon))
    bpy.context.view_layer.objects.active = root
    bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=FRAMES)
    scene.render.engine = "IMAGE_TO_3D_SPLATS"
    scene.render.filepath = str(window.FOLDER / "frames") + "/"
    bpy.context.preferences.view.render_display_type = "SCREEN"
    for name in ("render_complete", "render_cancel"):
        getattr(bpy.app.handlers, name).append(_note(name))
    bpy.app.handlers.render_write.append(lambda *_: _written.append(scene.frame_current))
    yield 1.0

    _ended.clear()
    yield from window.show("ready")  # the other side presses F12
    yield from _until("render_complete")
    yield 1.0
    yield from window.show("picture", has=bpy.data.images["Render Result"].has_data)

    yield from window.show("viewport")  # Escape leaves the picture, Ctrl-F12 starts the animation
    while len(_written) < 3:
        yield 0.02
    _ended.clear()
    yield from window.show("animation", written=len(_written))
    yield from _until("render_cancel")  # the other side presses Escape
    yield 1.0
    yield from window.show("stopped", written=len(_written))

    from image_to_3d.protocol import published

    os.kill(published().pid, signal.SIGKILL)
    os.environ["IMAGE_TO_3D_BACKEND"] = "/nowhere/image-to-3d"
    _ended.clear()
    yield from window.show("lost")  # F12 once more
    yield from _until("render_cancel", "render_complete")
    yield 1.0
    yield from window.show("said")


def _note(name: str) -> Any:
    return lambda *_: _ended.append(name)


def _until(*names: str) -> Iterator[float]:
    end = time.monotonic() + 180
    while not set(names) & set(_ended):
        if time.monotonic() > end:
            raise TimeoutError(f"none of {names} came, but {_ended}")
        yield 0.02
