"""The sample room, levelled; a ruler drawn with the mouse along the door is read in and calibrates the photo."""

from __future__ import annotations

import json
from collections.abc import Iterator

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

import window

_OTHER_PANELS = ("settings", "result", "recipe", "edit", "crop", "selection", "queue", "film", "preview", "backend")
"""Not registered here, so that Measure is on the screen without scrolling."""


def _make(addon) -> Iterator[float]:
    recipe, session = bpy.context.scene.image_to_3d.recipe, addon.session.current()
    recipe.photo_path, recipe.depth_path = str(window.SAMPLE / "photo.jpg"), str(window.SAMPLE / "depth_mm.png")
    recipe.engine, recipe.density = "depth-map", "QUARTER"
    bpy.ops.image_to_3d.generate()
    bpy.ops.ed.undo_push(message="Settings")
    while session.busy:
        yield 0.05
    if session.failure is not None:
        raise session.failure
    bpy.ops.image_to_3d.level(align=True)
    while session.busy:
        yield 0.05
    if session.failure is not None:
        raise session.failure


def _ends(addon, root) -> list[Vector]:
    """The ends of the door's height on the surface, in the world."""
    truth = json.loads((window.SAMPLE / "truth.json").read_text())
    door = next(length for length in truth["measurements"] if length["name"] == "door_height")
    k = addon.measuring.cloud.intrinsics(root)
    matrix = root.matrix_world
    rays = [matrix.to_3x3() @ Vector(((u - k.cx) / k.fx, 1.0, -(v - k.cy) / k.fy)) for u, v in door["uv"]]
    return [addon.measuring.picking.hit(root, matrix.translation, ray) for ray in rays]


def _on_screen(point: Vector) -> list[float]:
    area, region = window.view_area(), window.region("WINDOW")
    at = location_3d_to_region_2d(region, area.spaces.active.region_3d, point)
    height = bpy.context.window_manager.windows[0].height
    return [region.x + at.x, height - 1 - (region.y + at.y)]


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    for cls in bpy.types.Panel.__subclasses__():
        if cls.__name__.startswith("IMAGE_TO_3D_PT_") and cls.__name__.rsplit("_", 1)[1] in _OTHER_PANELS:
            bpy.utils.unregister_class(cls)
    yield 0.5
    window.open_tab()
    yield from window.show("empty")
    yield from _make(addon)
    root = bpy.data.objects[addon.session.current().last_root]
    root.image_to_3d.display = "SURFACE"
    window.look_through_camera("SOLID")
    window.view_area().spaces.active.shading.color_type = "TEXTURE"
    settings = bpy.context.scene.tool_settings
    settings.use_snap, settings.snap_elements = True, {"FACE"}
    shown = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=shown, area=window.view_area(), region=window.region("WINDOW")):
        bpy.ops.wm.tool_set_by_id(name="builtin.measure")
    yield 3.0
    true_ends = _ends(addon, root)
    yield from window.show("before", ends=[_on_screen(end) for end in true_ends])

    rulers = addon.measuring.rulers
    while not rulers.all_of(bpy.context.scene):
        yield 0.1
    (ruler,) = rulers.all_of(bpy.context.scene)
    off = []
    surface = addon.scene.build.find(root).surface
    for end in ruler.ends:
        local = surface.matrix_world.inverted() @ end
        _, where, _, _ = surface.closest_point_on_mesh(local)
        off.append((where - local).length)
    true_length = (true_ends[1] - true_ends[0]).length
    while addon.measuring.analysis.known(root) is None:  # the panel has asked for it
        yield 0.2
    window.redraw()
    yield 1.0
    measured = rulers.measure(bpy.context.scene, root, ruler, addon.measuring.analysis.known(root))
    yield from window.show(
        "drawn",
        length=ruler.length,
        true_length=true_length,
        off_surface=off,
        text=addon.measuring.scale.length_text(bpy.context, measured),
    )

    bpy.ops.image_to_3d.calibrate(ruler=0, length=2.01)
    while addon.session.current().busy:
        yield 0.05
    (ruler,) = rulers.all_of(bpy.context.scene)
    while addon.measuring.analysis.known(root) is None:
        yield 0.2
    window.redraw()
    yield 2.0
    vertical = np.array(ruler.ends[1] - ruler.ends[0])
    yield from window.show("calibrated", length=ruler.length, leaning=float(np.hypot(*vertical[:2]) / abs(vertical[2])))
