"""Editing with the mouse: a lasso around the armchair, removed, undone; a crop box."""

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
    session, edits, roles = RunningExtension(addon), addon.scene.edits, addon.scene.roles
    root = yield from window.make_sample(addon, "QUARTER")
    points, surface = roles.points_of(root), roles.surface_of(root)
    surface.hide_set(True)
    window.look_from_beside("SOLID")
    yield 2.0

    pressed = {
        "window": bpy.context.window_manager.windows[0],
        "area": window.view_area(),
        "region": window.region("UI"),
    }
    with bpy.context.temp_override(**pressed):
        bpy.ops.image_to_3d.select_points("INVOKE_DEFAULT", shape="LASSO")
    yield from window.show("lasso")
    while not edits.selection(points).any():
        yield 0.05
    yield 2.0
    yield from window.show("selected", count=int(edits.selection(points).sum()))
    with bpy.context.temp_override(**pressed):
        bpy.ops.image_to_3d.remove_points()
    yield 2.0
    yield from window.show("removed", count=root.image_to_3d.editing.removed)
    with bpy.context.temp_override(**pressed):
        bpy.ops.ed.undo()
    yield 1.0
    root = bpy.data.objects[session.last_root]
    yield from window.show("undone", count=root.image_to_3d.editing.removed)
    with bpy.context.temp_override(**pressed):
        bpy.ops.image_to_3d.add_crop_box()
    box = root.image_to_3d.editing.crop_box
    box.location, box.scale = (0.2, 3.2, -0.2), (1.6, 1.5, 0.9)
    yield 3.0
    yield from window.show("cropped", count=int(edits.kept(roles.points_of(root)).sum()))
