"""What Solid view paints is read in steps, so that a million points hold nobody up."""

from __future__ import annotations

import time

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

ORANGE = (1.0, 0.25, 0.0, 1.0)


@pytest.fixture
def view(addon):
    """The module."""
    return addon.viewport.solid_points


@pytest.fixture
def points(panel):
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    return panel.generate().points


def read(view, *arguments) -> dict[str, np.ndarray]:
    """All steps."""
    cloud = view._Cloud((1.0, True), view._columns(*arguments))
    cloud.carry_on(time.perf_counter() + 60)
    assert cloud.reading is None
    return cloud.columns


def test_all_points_are_painted_as_they_are(view, points, addon) -> None:
    whole = read(view, points, 1.0, True)
    for name in ("position", "radius", "colour"):
        assert np.array_equal(whole[name], addon.scene.points.read(points, name)), name
    assert read(view, points, 1.0, False) is None, "nothing is selected"


def test_what_is_removed_or_thinned_out_is_left_out_and_what_is_selected_is_orange(view, points, addon) -> None:
    pointcloud, edits, splats = addon.scene.points, addon.scene.edits, addon.scene.splats.ellipsoids
    count = len(pointcloud.read(points, "radius"))
    rng = np.random.default_rng(1)
    gone, chosen = rng.random(count) < 0.3, rng.random(count) < 0.2
    edits.mark(addon.scene.roles.root_of(points), edits.BY_HAND, gone)
    edits.select(points, chosen)
    kept = np.flatnonzero(~gone)
    kept = kept[splats.shown(len(kept), 0.5)]
    whole = read(view, points, 0.5, True)
    assert np.array_equal(whole["position"], pointcloud.read(points, "position")[kept])
    orange = (whole["colour"] == np.float32(ORANGE)).all(axis=1)
    assert np.array_equal(orange, chosen[kept])
    assert np.array_equal(whole["colour"][~orange], pointcloud.read(points, "colour")[kept[~chosen[kept]]])
    alone = read(view, points, 0.5, False)
    assert np.array_equal(alone["position"], pointcloud.read(points, "position")[kept[chosen[kept]]])


def test_a_step_at_a_time_while_the_object_is_there(view, points) -> None:
    cloud = view._Cloud((1.0, True), view._columns(points, 1.0, True))
    steps = 0
    while cloud.reading is not None:
        cloud.carry_on(time.perf_counter())
        steps += 1
    assert steps > 3 and cloud.columns is not None
    other = view._Cloud((1.0, True), view._columns(points, 1.0, True))
    other.carry_on(time.perf_counter())
    assert other.reading is not None
    bpy.data.objects.remove(points)
    other.carry_on(time.perf_counter() + 60)
    assert other.reading is None and other.columns is None
