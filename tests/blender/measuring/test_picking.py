"""Clicking points on a photo and drawing around a part of it, from the first click to what comes of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from named_lengths import TRUTH  # noqa: E402
from viewports import context_of, event, viewport  # noqa: E402

RUNNING, CANCELLED, FINISHED = {"RUNNING_MODAL"}, {"CANCELLED"}, {"FINISHED"}


class Pressed:
    """What Blender gives an operator, as far as the tools use it."""

    bl_idname = "IMAGE_TO_3D_OT_test"

    def __init__(self) -> None:
        self.reports: list[str] = []
        self.executed = 0
        self.properties = SimpleNamespace(is_property_set=lambda name: False)

    def report(self, kind, text: str) -> None:
        self.reports.append(text)

    def execute(self, context):
        self.executed += 1
        return FINISHED

    @staticmethod
    def usable(context) -> bool:
        return True


@pytest.fixture
def context(sample_root):
    return context_of(viewport())


@pytest.fixture
def view(addon, sample_root, monkeypatch):
    """The view of the photo's camera; its ``uv`` says which pixel is under the mouse."""
    k = addon.measuring.stored_cloud.intrinsics(sample_root)
    shown = SimpleNamespace(uv=TRUTH["door_height"]["uv"][0])
    bpy.context.view_layer.objects.active = sample_root

    def ray(view):
        from mathutils import Vector

        u, v = shown.uv
        return Vector(), sample_root.matrix_world.to_3x3() @ Vector(((u - k.cx) / k.fx, 1.0, -(v - k.cy) / k.fy))

    monkeypatch.setattr(addon.ui.modal.View, "ray", ray)
    monkeypatch.setattr(addon.measuring.picking, "shown_or_only_root", lambda context: sample_root)
    monkeypatch.setattr(addon.measuring.region_select, "shown_or_only_root", lambda context: sample_root)
    return shown


def assert_nothing_is_left(tool) -> None:
    with pytest.raises(ValueError):  # it is no longer there
        bpy.types.SpaceView3D.draw_handler_remove(tool._drawing, "WINDOW")


@pytest.fixture
def picking(addon, context, view):
    class Tool(Pressed, addon.measuring.picking.PicksPoints):
        POINTS = 2

    tool = Tool()
    assert tool.invoke(context, event("LEFTMOUSE")) == RUNNING
    return tool


def test_two_clicks_give_two_points(picking, context, view) -> None:
    assert "2 more" in picking.hint()
    assert picking.modal(context, event("LEFTMOUSE")) == RUNNING
    assert "1 more" in picking.hint() and not picking.executed
    view.uv = TRUTH["door_height"]["uv"][1]
    assert picking.modal(context, event("LEFTMOUSE", (120, 100))) == FINISHED
    a, b = np.reshape(picking.points, (2, 3))
    assert picking.executed == 1
    assert np.linalg.norm(a - b) == pytest.approx(TRUTH["door_height"]["length_m"], rel=0.01)
    assert_nothing_is_left(picking)


def test_a_click_beside_the_photo_does_not_count(picking, context, view) -> None:
    view.uv = (-5000.0, 0.0)
    assert picking.modal(context, event("LEFTMOUSE")) == RUNNING
    assert picking.reports == ["There is no surface under the mouse."] and "2 more" in picking.hint()
    picking.cancel(context)


def test_without_a_surface_the_tool_says_so_and_ends(picking, panel, context, addon, sample_root) -> None:
    bpy.data.objects.remove(addon.scene.roles.surface_of(sample_root))
    assert picking.modal(context, event("LEFTMOUSE")) == CANCELLED
    assert "no surface" in str(panel.session.failure) and picking.reports
    assert_nothing_is_left(picking)


def test_without_points_it_still_picks(picking, context, addon, sample_root) -> None:
    bpy.data.objects.remove(addon.scene.roles.points_of(sample_root))
    assert picking.modal(context, event("LEFTMOUSE")) == RUNNING and "1 more" in picking.hint()
    picking.cancel(context)


def test_it_ends_with_its_photo(picking, context, sample_root) -> None:
    bpy.data.objects.remove(sample_root)
    assert picking.modal(context, event("MOUSEMOVE")) == CANCELLED
    assert_nothing_is_left(picking)


def test_a_photo_that_is_renamed_meanwhile_is_still_picked_on(picking, context, sample_root) -> None:
    sample_root.name = "Another"
    assert picking.modal(context, event("LEFTMOUSE")) == RUNNING and "1 more" in picking.hint()
    picking.cancel(context)


@pytest.mark.parametrize(
    ("by", "path", "corners"),
    [("BOX", [(50, 50), (80, 90)], 4), ("LASSO", [(50, 50), (80, 50), (81, 50), (80, 90)], 3)],
)
def test_a_region_is_drawn(addon, context, view, monkeypatch, by, path, corners) -> None:
    drawn = []

    def photo_pixels(root, region, shown, places):
        drawn.extend(places)
        return np.asarray(places)

    monkeypatch.setattr(addon.measuring.region_select, "photo_pixels", photo_pixels)

    class Tool(Pressed, addon.measuring.region_select.SelectsRegion):
        outline = ""

    tool = Tool()
    tool.by = by
    assert tool.invoke(context, event("LEFTMOUSE")) == RUNNING
    assert tool.modal(context, event("LEFTMOUSE", path[0])) == RUNNING
    for place in path[1:]:
        assert tool.modal(context, event("MOUSEMOVE", place)) == RUNNING
    assert tool.modal(context, event("LEFTMOUSE", path[-1], "RELEASE")) == FINISHED
    assert tool.executed == 1 and len(drawn) == corners, "places too near the one before are left out"
    assert tool.outline.startswith("50.000,50.000 ") and len(tool.outline.split()) == corners
    assert_nothing_is_left(tool)
