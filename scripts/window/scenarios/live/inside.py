"""Live Preview in a window: a cube half in a wall, shadings, quad view, a second window, resizes, reload, a lost backend, toggling.

What it holds in memory is noted after each of the parts that are repeated.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bpy

import window

ROUNDS = 5


def settle(addon, seconds: float = 150.0) -> Iterator[float]:
    """Until every viewport shows the picture of what it shows."""
    live = addon.runtime.objects.of(addon.viewport.live.LivePreview)
    end = time.monotonic() + seconds
    yield 0.3
    while True:
        now = addon.viewport.stream.clock()
        streams = list(live.streams.values())
        if streams and all(s.picture is not None and not s.waits(now) for s in streams) and not live.uploading:
            yield 0.3
            return
        if time.monotonic() > end:
            raise TimeoutError(str([(live.sentence(s), s.picture, s.waits(now), s._asked) for s in streams]))
        yield 0.05


def memory_mb() -> float:
    """What this process holds, without what its allocator keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def pictures_held() -> int:
    """Streamed pictures that were not let go."""
    gc.collect()
    return sum(type(found).__name__ == "Picture" for found in gc.get_objects())


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    yield 0.5
    window.open_tab()
    live = addon.runtime.objects.of(addon.viewport.live.LivePreview)
    yield from window.make_sample(addon, os.environ.get("IMAGE_TO_3D_DENSITY", "QUARTER"))
    space = window.view_area().spaces.active
    window.look_from_beside("SOLID")
    yield 2.0
    yield from window.show("points")

    # a cube half in a wall: its centre lies in the wall on the left
    depsgraph = bpy.context.evaluated_depsgraph_get()
    found, where, *_ = bpy.context.scene.ray_cast(depsgraph, (0, 0, 0), (-0.45, 1, -0.06))
    if not found:
        raise AssertionError("there is no wall where the cube was to stand")
    bpy.ops.mesh.primitive_cube_add(size=0.8, location=(0, 0, 0))
    cube = bpy.context.object
    cube.location = where
    cube.color = (1.0, 0.02, 0.02, 1.0)
    space.shading.color_type = "OBJECT"
    bpy.ops.object.select_all(action="DESELECT")
    settings = bpy.context.window_manager.image_to_3d_live
    children = next(obj for obj in bpy.data.objects if obj.image_to_3d.role == "ROOT").children_recursive
    for child in children:
        child.hide_viewport = True
    yield 1.0
    yield from window.show("cube")
    for child in children:
        child.hide_viewport = False
    settings.on = True
    yield from settle(addon)
    yield from window.show("solid", hidden=not space.show_object_viewport_pointcloud)
    space.shading.type = "MATERIAL"
    yield 1.0
    yield from settle(addon)
    yield from window.show("material")
    settings.on = False
    scene, before = bpy.context.scene, bpy.context.scene.render.engine
    scene.render.engine, space.shading.type = "IMAGE_TO_3D_SPLATS", "RENDERED"
    end = time.monotonic() + 60
    while not settings.on:  # the engine switches it on
        if time.monotonic() > end:
            raise TimeoutError("the engine did not switch Live Preview on")
        yield 0.1
    yield from settle(addon)
    yield from window.show("rendered")
    space.shading.type, scene.render.engine = "SOLID", before
    yield from settle(addon)

    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=window.view_area(), region=window.region("WINDOW")
    ):
        bpy.ops.screen.region_quadview()
    yield 1.0
    yield from settle(addon)
    yield from window.show("quad", streams=len(live.streams))
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=window.view_area(), region=window.region("WINDOW")
    ):
        bpy.ops.screen.region_quadview()
    yield 1.0
    yield from settle(addon)
    if len(live.streams) != 1:
        raise AssertionError(f"{len(live.streams)} streams after the quad view")

    bpy.ops.wm.window_new_main()
    yield 1.0
    yield from settle(addon)
    second = len(live.streams)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 1.5
    yield from window.show("windows", streams=second, after=len(live.streams))

    for turn in range(ROUNDS):  # what is kept for later use stops growing after some, what leaks does not
        yield from window.show(f"resize {turn}")  # the other side gives the window fifty sizes
        yield from settle(addon)
        yield from window.show(
            f"resized {turn}", memory=memory_mb(), pictures=pictures_held(), streams=len(live.streams)
        )

    path = str(window.FOLDER / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    yield 0.5
    yield from settle(addon)
    bpy.ops.wm.open_mainfile(filepath=path)
    yield 1.0
    yield from settle(addon)
    space = window.view_area().spaces.active
    yield from window.show("reloaded", hidden=not space.show_object_viewport_pointcloud)

    from image_to_3d.protocol import published

    os.kill(published().pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while not any(s.lost for s in live.streams.values()):
        if time.monotonic() > end:
            raise TimeoutError("the loss was not noticed")
        yield 0.1
    yield 1.5
    yield from window.show(
        "lost", points=space.show_object_viewport_pointcloud
    )  # the other side starts another backend
    yield from settle(addon)
    yield from window.show("back")

    for toggled in ("toggled", "toggled again"):
        for _ in range(50):
            settings.on = not settings.on
            yield 0.05
        yield from settle(addon)
        yield from window.show(toggled, memory=memory_mb(), pictures=pictures_held(), threads=threading.active_count())

    bpy.data.objects.remove(bpy.data.objects["Cube"])
    root = next(obj for obj in bpy.data.objects if obj.image_to_3d.role == "ROOT")
    window.view_area().spaces.active.region_3d.view_distance *= 0.9
    yield 0.02
    for child in root.children_recursive:  # mid-stream
        bpy.data.objects.remove(child)
    yield 2.0
    yield from window.show("deleted", pictures=sum(s.picture is not None for s in live.streams.values()))
    settings.on = False
    yield 1.5
    timer = live.pump() is not None
    yield from window.show("off", timer=timer, streams=len(live.streams))
