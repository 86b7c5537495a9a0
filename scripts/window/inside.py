"""Runs inside Blender: what every scenario needs there. ``runner`` copies it beside the scenario as ``window.py``."""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
import traceback
from collections.abc import Generator, Iterator
from math import radians
from pathlib import Path
from types import ModuleType

import bpy
from mathutils import Euler, Vector

from running_extension import RunningExtension

FOLDER = Path(os.environ["IMAGE_TO_3D_WINDOW"])
SAMPLE = FOLDER / "living_a"
"""The sample room: ``photo.jpg`` and ``depth_mm.png``."""

heartbeats: list[float] = []
"""When Blender's main thread was free: every run of the scenario's timer."""


def show(step: str, **facts: object) -> Iterator[float]:
    """Tell the other side, with where things are in the window, then wait for it."""
    window = bpy.context.window_manager.windows[0]
    facts |= {"window_height": window.height, "blender": bpy.app.version_string}
    if any(area.type == "VIEW_3D" for area in window.screen.areas):
        area, sidebar = view_area(), region("UI")
        facts["sidebar"] = [sidebar.x, sidebar.y, sidebar.width, sidebar.height]
        facts["area"] = [area.x, area.y, area.width, area.height]
    temporary = FOLDER / f"{step}.part"
    temporary.write_text(json.dumps(facts))
    temporary.rename(FOLDER / f"{step}.json")
    while not (FOLDER / f"{step}.done").exists():
        yield 0.05


def install(thinned: bool = False) -> ModuleType:
    """The extension, enabled; in an empty scene, with its tab open once Blender has drawn the sidebar.

    Args:
        thinned: show as few points as it does where software draws; else all of them, as with a graphics card.
    """
    bpy.ops.extensions.package_install_files(
        filepath=str(FOLDER / "extension.zip"), repo="user_default", enable_on_install=True
    )
    import bl_ext.user_default.image_to_3d as addon

    if not thinned:
        addon.scene.display.SOFTWARE_POINTS = sys.maxsize
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    view_area().spaces.active.show_region_ui = True
    return addon


def make_sample(addon: ModuleType, density: str = "FULL") -> Generator[float, None, bpy.types.Object]:
    """The sample room with its depth, made by the button; gives its root."""
    recipe = bpy.context.scene.image_to_3d.recipe
    recipe.photo_path, recipe.depth_path = str(SAMPLE / "photo.jpg"), str(SAMPLE / "depth_mm.png")
    recipe.engine, recipe.density = "depth-map", density
    bpy.ops.image_to_3d.generate()
    bpy.ops.ed.undo_push(message="Settings")
    yield from finished(addon)
    return bpy.data.objects[RunningExtension(addon).last_root]


def finished(addon: ModuleType) -> Iterator[float]:
    """Until the add-on has nothing under way."""
    session = RunningExtension(addon)
    while session.busy:
        yield 0.05
    if session.failure is not None:
        raise session.failure


def open_tab() -> None:
    """Bring the add-on's tab to the front; the sidebar must have been drawn before."""
    region("UI").active_panel_category = "Image to 3D"
    redraw()


def redraw() -> None:
    """Draw the viewport and its sidebar anew."""
    view_area().tag_redraw()


def longest_pause(since: float = 0.0) -> float:
    """Seconds that the main thread was not free at a stretch, after the time ``since`` (``time.monotonic``)."""
    beats = [beat for beat in heartbeats if beat >= since]
    return max((b - a for a, b in itertools.pairwise(beats)), default=0.0)


def view_area() -> bpy.types.Area:
    """The 3D viewport."""
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")


def region(kind: str) -> bpy.types.Region:
    """A region of the 3D viewport: WINDOW, UI …"""
    return next(r for r in view_area().regions if r.type == kind)


def look_through_camera(shading: str) -> None:
    """The view of the scene's camera."""
    space = view_area().spaces.active
    space.shading.type = shading
    space.region_3d.view_perspective = "CAMERA"
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=view_area(), region=region("WINDOW")
    ):
        bpy.ops.view3d.view_center_camera()
    redraw()


def look_from_beside(shading: str) -> None:
    """A view of the sample room from beside the photo's camera: it is a scene, not a picture."""
    space = view_area().spaces.active
    space.shading.type = shading
    space.clip_end = 200
    view = space.region_3d
    view.view_perspective = "PERSP"
    view.view_location = Vector((0.2, 4.2, -0.3))
    view.view_rotation = Euler((radians(74), 0, radians(-22))).to_quaternion()
    view.view_distance = 6.3
    redraw()


def run(steps: Iterator[float]) -> None:
    """Carry a scenario out, one piece at every timer event, then quit Blender."""

    def tick() -> float | None:
        heartbeats.append(time.monotonic())
        try:
            return next(steps)
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
