"""Runs inside a Blender with a window for ``window_screenshot.py``: sets the scene, says where things are, waits to be told on.

Both sides meet in the folder named by IMAGE_TO_3D_WINDOW: this one writes ``STEP.json`` when a step is on screen, the other one
writes ``STEP.done`` when it has looked at it.
"""

from __future__ import annotations

import itertools
import json
import os
import time
import traceback
from collections.abc import Iterator
from math import radians
from pathlib import Path

import bpy
from mathutils import Euler, Vector

FOLDER = Path(os.environ["IMAGE_TO_3D_WINDOW"])
SAMPLE = Path(os.environ["IMAGE_TO_3D_WINDOW_SAMPLE"])
ADDON = "bl_ext.user_default.image_to_3d"
heartbeats: list[float] = []


def show(step: str, **facts: object) -> Iterator[float]:
    """Tell the other side, then wait for it."""
    window = bpy.context.window_manager.windows[0]
    area, sidebar = view_area(), region("UI")
    facts |= {
        "window_height": window.height,
        "sidebar": [sidebar.x, sidebar.y, sidebar.width, sidebar.height],
        "area": [area.x, area.y, area.width, area.height],
        "blender": bpy.app.version_string,
    }
    temporary = FOLDER / f"{step}.part"
    temporary.write_text(json.dumps(facts))
    temporary.rename(FOLDER / f"{step}.json")
    while not (FOLDER / f"{step}.done").exists():
        yield 0.05


def view_area() -> bpy.types.Area:
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")


def region(kind: str) -> bpy.types.Region:
    return next(r for r in view_area().regions if r.type == kind)


def look_through_camera(shading: str) -> None:
    space = view_area().spaces.active
    space.shading.type = shading
    space.region_3d.view_perspective = "CAMERA"
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=view_area(), region=region("WINDOW")
    ):
        bpy.ops.view3d.view_center_camera()
    view_area().tag_redraw()


def look_from_beside(shading: str) -> None:
    """A view from beside the photo's camera: it is a scene, not a picture."""
    space = view_area().spaces.active
    space.shading.type = shading
    space.clip_end = 200
    view = space.region_3d
    view.view_perspective = "PERSP"
    view.view_location = Vector((0.2, 4.2, -0.3))
    view.view_rotation = Euler((radians(74), 0, radians(-22))).to_quaternion()
    view.view_distance = 6.3
    view_area().tag_redraw()


def steps() -> Iterator[float]:
    bpy.ops.extensions.package_install_files(
        filepath=os.environ["IMAGE_TO_3D_WINDOW_ZIP"], repo="user_default", enable_on_install=True
    )
    import bl_ext.user_default.image_to_3d as addon

    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    view_area().spaces.active.show_region_ui = True
    yield 0.5
    region("UI").active_panel_category = "Image to 3D"
    recipe = bpy.context.scene.image_to_3d.recipe
    yield from show("empty")
    recipe.photo_path = str(SAMPLE / "nothing.jpg")
    bpy.ops.image_to_3d.generate()
    session = addon.session.current()
    while session.failure is None:
        yield 0.05
    yield 0.5
    yield from show("error", message=str(session.failure))
    session.failure = None
    recipe.photo_path, recipe.depth_path = str(SAMPLE / "photo.jpg"), str(SAMPLE / "depth_mm.png")
    recipe.engine = "depth-map"
    bpy.ops.ed.undo_push(message="Settings")
    view_area().tag_redraw()
    yield 0.5
    yield from show("before")
    while session.job is None:  # pressed by the mouse of the other side
        yield 0.02
    while session.job is not None and session.job.stage not in {"lift", "pack"}:
        yield 0.02
    yield from show("progress", running=session.job is not None)
    while session.busy:
        yield 0.05
    if session.failure is not None:
        raise session.failure
    beats = [b - a for a, b in itertools.pairwise(heartbeats)]
    look_from_beside("SOLID")
    yield 2.0
    yield from show("solid", longest_pause=max(beats), root=session.last_root)
    look_from_beside("MATERIAL")
    yield 2.0
    yield from show("material")
    look_through_camera("MATERIAL")
    yield 2.0
    yield from show("camera")
    bpy.ops.ed.undo()
    yield 1.0
    yield from show("undone", objects=len(bpy.data.objects))


running = steps()


def tick() -> float | None:
    heartbeats.append(time.monotonic())
    try:
        return next(running)
    except StopIteration:
        pass
    except Exception:
        (FOLDER / "failed.txt").write_text(traceback.format_exc())
    (FOLDER / "finished").touch()
    bpy.ops.wm.quit_blender()
    return None


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.show_tooltips = False
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
