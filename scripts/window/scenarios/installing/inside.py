"""The backend's life in the panel: tested, gone, asked to be installed, being installed, failed for lack of a network."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

import window


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    panel = addon.backend_panel.IMAGE_TO_3D_PT_backend
    bpy.utils.unregister_class(panel)
    panel.bl_options = set()  # open, so that it is on the pictures
    bpy.utils.register_class(panel)
    bpy.context.preferences.system.use_online_access = True
    yield 0.5
    window.open_tab()
    session = addon.session.current()
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
    addon.backend_panel.look_again()
    window.redraw()
    yield 1.5
    yield from window.show("missing")

    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=window.view_area(), region=window.region("WINDOW")
    ):
        bpy.ops.image_to_3d.install_backend("INVOKE_DEFAULT")
    yield 3.0
    yield from window.show("question")
    while addon.tasks.current() is None:  # the other side presses Return
        yield 0.05
    while addon.tasks.current() is not None and addon.tasks.current().fraction < 0.02:
        yield 0.05
    yield 0.5
    yield from window.show("installing", running=addon.tasks.current() is not None)
    while addon.tasks.current() is not None:
        yield 0.1
    window.redraw()
    yield 0.5
    failed = addon.tasks.last()
    yield from window.show("failed", message=str(failed.failure) if failed else "", pause=window.longest_pause())
