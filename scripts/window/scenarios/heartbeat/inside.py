"""How long the window stands still while 1,179,648 Gaussians are made, arrive, are made again and edited.

Once with an Image Editor in place of the viewport, so that nobody draws points, and once with the viewport in Solid. What a
software driver takes to draw is told apart from what the add-on's own functions take: its timer, its draw handler, its operators.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import bpy

import window
from running_extension import RunningExtension

GAUSSIANS = 1_179_648
_held: dict[str, list[float]] = {}
_stages: dict[str, float] = {}
"""When each stage was seen first, seconds."""


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install(thinned=True)
    _watch(addon)
    yield 0.5
    window.open_tab()
    yield from window.show("empty")
    recipe = bpy.context.scene.image_to_3d.recipe
    recipe.photo_path, recipe.depth_path = str(window.SAMPLE / "large.jpg"), str(window.SAMPLE / "large.png")
    recipe.engine, recipe.fill = "depth-map", False

    # The first photo starts the backend and has the driver compile its shaders; it is not counted.
    area = window.view_area()
    window.look_from_beside("SOLID")
    yield 1.0
    yield from _generate(addon)
    yield 5.0
    _remove_all()
    area.type = "IMAGE_EDITOR"
    yield 2.0

    measured = {"empty scene, all drawn anew": (yield from _measure(addon, _draw_all))}
    measured["photo, no viewport"] = yield from _measure(addon, _generate)
    root = bpy.data.objects[RunningExtension(addon).last_root]
    if root.image_to_3d.outcome.points != GAUSSIANS:
        raise RuntimeError(f"{root.image_to_3d.outcome.points} points")
    measured["update, no viewport"] = yield from _measure(addon, _update)
    _remove_all()
    yield 2.0
    area.type = "VIEW_3D"
    area.spaces.active.show_region_ui = True
    window.look_from_beside("SOLID")
    yield 5.0
    measured["photo, Solid view"] = yield from _measure(addon, _generate)
    measured["editing"] = yield from _edit(addon)
    yield from window.show("measured", measured=measured)


def _watch(addon: ModuleType) -> None:
    """Time what the add-on does on the main thread."""
    pump = addon.runtime.pump.Pump
    pump.run = _timed("timer", pump.run)
    solid_points = addon.viewport.solid_points
    painter = solid_points.PointPainter
    painter.draw = _timed("draw handler", painter.draw)
    solid_points._batch = _timed("solid_points._batch", solid_points._batch)
    solid_points._Cloud.carry_on = _timed("solid_points._Cloud.carry_on", solid_points._Cloud.carry_on)


def _timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*args: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args)
        finally:
            _held.setdefault(name, []).append(time.perf_counter() - start)

    return timed


def _measure(addon: ModuleType, work: Callable[[ModuleType], Iterator[float]]) -> Iterator[float]:
    _held.clear()
    _stages.clear()
    start = time.monotonic()
    yield from work(addon)
    arrived = time.monotonic() - start
    yield from _beat(3.0)
    beats = [beat for beat in window.heartbeats if beat >= start]
    pauses = sorted(((b - a, a - start) for a, b in itertools.pairwise(beats)), reverse=True)
    return {
        "seconds": round(arrived, 2),
        "stages, at s": dict(_stages),
        "longest pauses of the window ms, at s": [[round(1e3 * pause), round(at, 2)] for pause, at in pauses[:5]],
        **{f"longest {name} ms": round(1e3 * max(held)) for name, held in _held.items()},
        **{f"all of {name} ms": round(1e3 * sum(held)) for name, held in _held.items()},
    }


def _beat(seconds: float) -> Iterator[float]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield 0.005


def _busy(addon: ModuleType) -> Iterator[float]:
    start = time.monotonic()
    while RunningExtension(addon).busy:
        job = RunningExtension(addon).job
        if job is not None:
            _stages.setdefault(job.stage, round(time.monotonic() - start, 2))
        yield 0.005
    if RunningExtension(addon).failure is not None:
        raise RunningExtension(addon).failure


def _generate(addon: ModuleType) -> Iterator[float]:
    bpy.ops.image_to_3d.generate()
    yield from _busy(addon)


def _draw_all(addon: ModuleType) -> Iterator[float]:
    """What the driver takes to draw the window without any points."""
    for _ in range(10):
        for area in bpy.context.window_manager.windows[0].screen.areas:
            area.tag_redraw()
        yield 0.005


def _update(addon: ModuleType) -> Iterator[float]:
    bpy.ops.image_to_3d.update()
    yield from _busy(addon)


def _remove_all() -> None:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.ops.outliner.orphans_purge(do_recursive=True)


def _edit(addon: ModuleType) -> Iterator[float]:
    """Milliseconds of each operator, best of three, and of the setting that hides the sky."""
    root = bpy.data.objects[RunningExtension(addon).last_root]
    region = window.region("WINDOW")
    path = [{"name": "", "loc": loc, "time": 0.0} for loc in ((200, 200), (600, 500))]
    box = functools.partial(bpy.ops.image_to_3d.select_points, shape="BOX", path=path)

    def sky() -> None:
        root.image_to_3d.editing.hide_sky = not root.image_to_3d.editing.hide_sky

    works: dict[str, Callable[[], Any]] = {
        "select box": box,
        "select box, not through": functools.partial(box, through=False),
        "remove selected": bpy.ops.image_to_3d.remove_points,
        "restore all": bpy.ops.image_to_3d.restore_all,
        "hide sky": sky,
        "crop box": bpy.ops.image_to_3d.add_crop_box,
    }
    times = {}
    for name, work in works.items():
        held = []
        for _ in range(3):
            if name == "remove selected":
                with _viewport(region):
                    box()
            with _viewport(region):
                start = time.perf_counter()
                work()
                held.append(time.perf_counter() - start)
            yield 0.5
        times[f"{name} ms"] = [round(1e3 * seconds) for seconds in held]
    return times


def _viewport(region: bpy.types.Region) -> Any:
    return bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=window.view_area(), region=region
    )
