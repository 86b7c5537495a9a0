"""The backend's life in the panel: tested, gone, asked to be installed, being installed; then a first photo, and removed again.

Without a network it ends with the sentence that says so. The variable IMAGE_TO_3D_WINDOW_PYTHON (``--env``) names a Python
other than Blender's to make it with.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import bpy

import window
from running_extension import RunningExtension


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    times: dict[str, float] = {}
    start = time.monotonic()
    addon = window.install()
    times["extension into Blender"] = time.monotonic() - start
    panel = addon.backend.panel.IMAGE_TO_3D_PT_backend
    bpy.utils.unregister_class(panel)
    panel.bl_options = set()  # open, so that it is on the pictures
    bpy.utils.register_class(panel)
    bpy.context.preferences.system.use_online_access = True
    addon.backend.settings.get().python = os.environ.get("IMAGE_TO_3D_WINDOW_PYTHON", "")
    yield 0.5
    window.open_tab()
    session = RunningExtension(addon)
    tasks, machine = session.tasks, session.of(addon.backend.installation.Machine)
    yield from window.show("empty")

    bpy.ops.image_to_3d.test_connection()
    while session.busy:
        yield 0.05
    window.redraw()
    yield 0.5
    yield from window.show("connected", failure=str(session.failure or ""))

    bpy.ops.image_to_3d.stop_backend()
    while session.busy or session.welcome is not None:
        yield 0.05
    session.forget_backend()
    addon.backend.panel.invalidate()
    window.redraw()
    yield 1.5
    yield from window.show("missing")

    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=window.view_area(), region=window.region("WINDOW")
    ):
        bpy.ops.image_to_3d.install_backend("INVOKE_DEFAULT")
    while machine.survey(look=False) is None:
        yield 0.1
    yield 1.0
    yield from window.show("question")
    while tasks.current is None:  # the other side presses Return
        yield 0.05
    start = time.monotonic()
    while tasks.current is not None and tasks.current.fraction < 0.02:
        yield 0.05
    yield 3.0
    yield from window.show("installing", running=tasks.current is not None)
    while tasks.current is not None:
        yield 0.1
    times["Install Backend"] = time.monotonic() - start
    start = time.monotonic()
    while session.busy:
        yield 0.05
    times["backend started and known"] = time.monotonic() - start
    window.redraw()
    yield 0.5
    failed = tasks.last
    message = str(failed.failure) if failed else str(session.failure or "")
    yield from window.show("ended", message=message, pause=window.longest_pause(), times=times)
    if message:
        return

    recipe = bpy.context.scene.image_to_3d.recipe
    recipe.photo_path, recipe.engine = str(window.SAMPLE / "photo.jpg"), "lite"
    start = time.monotonic()
    bpy.ops.image_to_3d.generate()
    yield from window.finished(addon)
    times["first photo, Lite"] = time.monotonic() - start
    window.look_from_beside("SOLID")
    yield 5.0
    yield from window.show("photo", times=times)

    bpy.ops.image_to_3d.stop_backend()
    while session.busy or session.welcome is not None:
        yield 0.05
    start = time.monotonic()
    bpy.ops.image_to_3d.remove_backend()
    while tasks.current is not None:
        yield 0.1
    times["Remove"] = time.monotonic() - start
    yield from window.show("removed", state=addon.backend.installation.state(), times=times)
