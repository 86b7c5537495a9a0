"""A first photo: empty panel, errors, button, progress, room, undo; at last the panel in Chinese."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

import window
from running_extension import RunningExtension


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    yield 0.5
    window.open_tab()
    session, recipe = RunningExtension(addon), bpy.context.scene.image_to_3d.recipe
    yield from window.show("empty")

    photo, letter = window.SAMPLE / "photo.jpg", window.SAMPLE / "letter.jpg"
    letter.write_text("This is a letter.")
    for step, path, engine in (
        ("missing", window.SAMPLE / "nothing.jpg", "auto"),
        ("unreadable", letter, "lite"),
        ("weights", photo, "sharp"),
    ):
        recipe.photo_path, recipe.engine = str(path), engine
        session.failure = None
        bpy.ops.image_to_3d.generate()
        while session.failure is None:
            yield 0.05
        window.redraw()
        yield 1.5
        yield from window.show(step, message=str(session.failure))

    session.failure = None
    session.failed.clear()
    recipe.depth_path, recipe.engine = str(window.SAMPLE / "depth_mm.png"), "depth-map"
    bpy.ops.ed.undo_push(message="Settings")
    window.redraw()
    yield 0.5
    yield from window.show("before")
    while session.job is None:  # pressed by the mouse of the other side
        yield 0.02
    while session.job is not None and session.job.stage not in {"lift", "pack"}:
        yield 0.02
    yield from window.show("progress", running=session.job is not None)
    while session.busy:
        yield 0.05
    if session.failure is not None:
        raise session.failure

    window.look_from_beside("SOLID")
    yield 2.0
    yield from window.show("solid", longest_pause=window.longest_pause(), root=session.last_root)
    window.look_from_beside("MATERIAL")
    yield 2.0
    yield from window.show("material")
    window.look_through_camera("MATERIAL")
    yield 2.0
    yield from window.show("camera")
    language = bpy.context.preferences.view
    language.language = "zh_HANS"
    language.use_translate_interface = True
    window.look_through_camera("SOLID")
    yield 2.0
    yield from window.show("chinese", language=language.language)
    language.language = "en_US"
    bpy.ops.ed.undo()
    yield 1.0
    yield from window.show("undone", objects=len(bpy.data.objects))
