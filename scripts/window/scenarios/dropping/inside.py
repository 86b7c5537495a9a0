"""A photo dropped into the viewport by the mouse: Blender asks what to do with it, and the add-on is one of the answers."""

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
    session = RunningExtension(addon)
    bpy.context.scene.image_to_3d.recipe.engine = "lite"
    yield from window.show("empty")
    while session.job is None:  # dropped, and chosen in the menu, by the other side
        yield 0.05
    name = session.job.source.name
    yield from window.finished(addon)
    yield from window.show("made", name=name, root=session.last_root)
