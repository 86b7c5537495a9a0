"""The colours of Solid view go to the graphics card in parts, so that a million points hold nobody up. The card is a stand-in."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

ORANGE = (1.0, 0.25, 0.0, 1.0)


class Vertices(dict):
    """A vertex buffer that keeps what it is filled with."""

    def __init__(self, layout: object, count: int) -> None:
        self.count = count

    def attr_fill(self, name: str, values: np.ndarray) -> None:
        assert len(values) == self.count
        self[name] = np.array(values)


@pytest.fixture
def view(addon, monkeypatch):
    """The module with a stand-in for the card, and small parts."""
    types = SimpleNamespace(
        GPUVertFormat=lambda: SimpleNamespace(attr_add=lambda **options: None),
        GPUVertBuf=Vertices,
        GPUBatch=lambda type, buf: buf,
    )
    monkeypatch.setattr(addon.solid_view, "gpu", SimpleNamespace(types=types))
    monkeypatch.setattr(addon.solid_view, "_POINTS_AT_ONCE", 1000)
    return addon.solid_view


@pytest.fixture
def points(panel):
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    return panel.generate().points


def joined(parts) -> dict[str, np.ndarray]:
    parts = list(parts)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_the_parts_are_the_whole(view, points, addon) -> None:
    read = addon.scene.pointcloud.read
    parts = list(view._batches(points, 1.0, True))
    assert len(parts) == -(-len(read(points, "radius")) // 1000)
    whole = joined(parts)
    for name in ("position", "radius", "colour"):
        assert np.array_equal(whole[name], read(points, name)), name


def test_what_is_removed_or_thinned_out_is_left_out_and_what_is_selected_is_orange(view, points, addon) -> None:
    pointcloud, edits, splats = addon.scene.pointcloud, addon.scene.edits, addon.scene.splats
    count = len(pointcloud.read(points, "radius"))
    rng = np.random.default_rng(1)
    gone, chosen = rng.random(count) < 0.3, rng.random(count) < 0.2
    edits.mark(addon.properties.root_of(points), edits.BY_HAND, gone)
    edits.select(points, chosen)
    kept = np.flatnonzero(~gone)
    kept = kept[splats.shown(len(kept), 0.5)]
    whole = joined(view._batches(points, 0.5, True))
    assert np.array_equal(whole["position"], pointcloud.read(points, "position")[kept])
    orange = (whole["colour"] == np.float32(ORANGE)).all(axis=1)
    assert np.array_equal(orange, chosen[kept])
    assert np.array_equal(whole["colour"][~orange], pointcloud.read(points, "colour")[kept[~chosen[kept]]])
    alone = joined(view._batches(points, 0.5, False))
    assert np.array_equal(alone["position"], pointcloud.read(points, "position")[kept[chosen[kept]]])


def test_a_drawing_makes_one_part_when_time_is_up_and_the_next_goes_on(view, points) -> None:
    cloud = view._Cloud((1.0, True), [], view._batches(points, 1.0, True))
    for made in (1, 2, 3):
        cloud.carry_on(time.perf_counter())
        assert len(cloud.batches) == made and cloud.more is not None
    bpy.data.objects.remove(points)  # what was read stays
    cloud.carry_on(time.perf_counter() + 60)
    assert cloud.more is None and len(cloud.batches) > 3
