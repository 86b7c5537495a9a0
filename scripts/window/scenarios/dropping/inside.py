"""A photo dropped into the viewport: Blender asks what to do with it, and the add-on is one of the answers.

A drop by the mouse comes from another program. What Blender does with one is an operator of its own, which is called here.
"""

from __future__ import annotations

from collections.abc import Iterator

import bpy

import window


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    yield 0.5
    window.open_tab()
    session = addon.session.current()
    bpy.context.scene.image_to_3d.recipe.engine = "lite"
    yield from window.show("empty")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=window.view_area(), region=window.region("WINDOW")
    ):
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(window.SAMPLE) + "/", files=[{"name": "photo.jpg"}])
    yield 2.0
    yield from window.show("menu")
    while session.job is None:  # chosen by the other side
        yield 0.05
    name = session.job.source.name
    while session.busy:
        yield 0.05
    if session.failure is not None:
        raise session.failure
    yield from window.show("made", name=name, root=session.last_root)
