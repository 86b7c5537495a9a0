"""The sample room, levelled; with the mouse: a ruler along the door, the laser, a box and a lasso; the ruler then calibrates."""

from __future__ import annotations

import json
from collections.abc import Iterator

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector

import window
from running_extension import RunningExtension

_OTHER_PANELS = ("settings", "result", "recipe", "edit", "crop", "selection", "queue", "film", "preview", "backend")
"""Not registered here, so that Measure is on the screen without scrolling."""

_DOOR = [[60, 215], [125, 445]]
"""Corners of a box on the door, pixels of the photo."""
_TABLE = [[395, 470], [470, 476], [470, 494], [390, 488]]
"""Corners of a part of the table's top."""


def _make(addon) -> Iterator[float]:
    yield from window.make_sample(addon, "QUARTER")
    bpy.ops.image_to_3d.level(align=True)
    yield from window.finished(addon)


def _door() -> dict:
    """What is known about the height of the door."""
    truth = json.loads((window.SAMPLE / "truth.json").read_text())
    return next(length for length in truth["measurements"] if length["name"] == "door_height")


def _rays(addon, root, pixels: list[list[float]]) -> list[Vector]:
    """Directions in which pixels of the photo look, in the world."""
    k = addon.measuring.stored_cloud.intrinsics(root)
    turn = root.matrix_world.to_3x3()
    return [turn @ Vector(((u - k.cx) / k.fx, 1.0, -(v - k.cy) / k.fy)) for u, v in pixels]


def _on_surface(addon, root, pixels: list[list[float]]) -> list[Vector]:
    """What pixels of the photo show, in the world."""
    at = root.matrix_world.translation
    return [addon.measuring.picking.hit(root, at, ray) for ray in _rays(addon, root, pixels)]


def _by_mouse(addon, root) -> Iterator[float]:
    """The laser from the door, a box over the door, a lasso around the table's top."""
    pressed = {
        "window": bpy.context.window_manager.windows[0],
        "area": window.view_area(),
        "region": window.region("UI"),
    }
    objects = addon.measuring.lengths.dimension_objects
    (u0, v0), (u1, v1) = _door()["uv"]
    with bpy.context.temp_override(**pressed):
        bpy.ops.image_to_3d.laser("INVOKE_DEFAULT", directions="NORMAL")
    middle = _on_surface(addon, root, [[(u0 + u1) / 2, (v0 + v1) / 2]])
    yield from window.show("laser", at=_on_screen(middle[0]))
    while not (lines := [o for o in objects.of(root) if o.image_to_3d.dimension.kind == "LASER"]):
        yield 0.1
    window.redraw()
    yield from window.show("laser shown", length=lines[0].image_to_3d.dimension.metres)
    planes = root.image_to_3d.inspection.planes
    for n, (shape, outline) in enumerate((("BOX", _DOOR), ("LASSO", _TABLE))):
        with bpy.context.temp_override(**pressed):
            bpy.ops.image_to_3d.report_plane("INVOKE_DEFAULT", by=shape)
        corners = [_on_screen(root.matrix_world.translation + ray) for ray in _rays(addon, root, outline)]
        yield from window.show(shape.lower(), corners=corners)
        while len(planes) <= n:
            yield 0.1
        window.redraw()
        yield 1.0
        yield from window.show(f"{shape.lower()} shown", tilt=planes[n].tilt_deg, square_m=planes[n].area_m2)


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
    root = bpy.data.objects[RunningExtension(addon).last_root]
    root.image_to_3d.display = "SURFACE"
    window.look_through_camera("SOLID")
    window.view_area().spaces.active.shading.color_type = "TEXTURE"
    settings = bpy.context.scene.tool_settings
    settings.use_snap, settings.snap_elements = True, {"FACE"}
    shown = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=shown, area=window.view_area(), region=window.region("WINDOW")):
        bpy.ops.wm.tool_set_by_id(name="builtin.measure")
    yield 3.0
    true_ends = _on_surface(addon, root, _door()["uv"])
    yield from window.show("before", ends=[_on_screen(end) for end in true_ends])

    rulers = addon.measuring.lengths.rulers
    while not rulers.all_of(bpy.context.scene):
        yield 0.1
    (ruler,) = rulers.all_of(bpy.context.scene)
    off = []
    surface = addon.scene.roles.find(root).surface
    for end in ruler.ends:
        local = surface.matrix_world.inverted() @ end
        _, where, _, _ = surface.closest_point_on_mesh(local)
        off.append((where - local).length)
    true_length = _door()["length_m"]
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

    yield from _by_mouse(addon, root)
    bpy.ops.image_to_3d.calibrate(ruler=0, length=2.01)
    while RunningExtension(addon).busy:
        yield 0.05
    (ruler,) = rulers.all_of(bpy.context.scene)
    while addon.measuring.analysis.known(root) is None:
        yield 0.2
    window.redraw()
    yield 2.0
    vertical = np.array(ruler.ends[1] - ruler.ends[0])
    yield from window.show("calibrated", length=ruler.length, leaning=float(np.hypot(*vertical[:2]) / abs(vertical[2])))
