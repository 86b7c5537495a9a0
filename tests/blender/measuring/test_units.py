"""Unit scales and systems: whatever a scene counts in, the lengths that Blender shows are right."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

TRUTH = json.loads((SAMPLE / "truth.json").read_text("utf-8"))


def world(obj, local: np.ndarray) -> np.ndarray:
    matrix = np.array(obj.matrix_world)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def corners(obj) -> np.ndarray:
    found = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", found)
    return found.reshape(-1, 3)


def between(positions: np.ndarray, measured: dict) -> float:
    """Length between the points that are seen at two pixels of the photo, in Blender units."""
    x, y, z = positions.T
    pixels = np.column_stack([TRUTH["fx"] * x / y + TRUTH["cx"], -TRUTH["fx"] * z / y + TRUTH["cy"]])
    ends = [positions[np.argmin(((pixels - uv) ** 2).sum(1))] for uv in measured["uv"]]
    return float(np.linalg.norm(ends[0] - ends[1]))


def in_metres(text: str) -> float:
    """What a length that Blender wrote means."""
    return bpy.utils.units.to_value(bpy.context.scene.unit_settings.system, "LENGTH", text)


@pytest.mark.parametrize(
    ("system", "length_unit", "scale"),
    [
        ("METRIC", "METERS", 1.0),
        ("METRIC", "CENTIMETERS", 0.01),
        ("METRIC", "MILLIMETERS", 0.001),
        ("IMPERIAL", "FEET", 1.0),
        ("IMPERIAL", "INCHES", 0.01),
    ],
)
def test_lengths_are_right_in_every_unit(panel, addon, system, length_unit, scale) -> None:
    units = bpy.context.scene.unit_settings
    units.system, units.length_unit, units.scale_length = system, length_unit, scale
    panel.choose_sample()
    panel.recipe.fill = False
    panel.recipe.depth_max = 8.0  # without the view through the window
    built = panel.generate()
    bpy.context.view_layer.update()
    points = world(built.points, addon.scene.points.read(built.points, "position"))
    surface = world(built.surface, corners(built.surface))
    for measured in TRUTH["measurements"][:6]:
        assert between(points, measured) * scale == pytest.approx(measured["length_m"], rel=0.01), measured["name"]
    door = TRUTH["measurements"][0]
    assert between(surface, door) * scale == pytest.approx(door["length_m"], rel=0.03)

    # What Blender writes beside an object is its dimensions, times the scale, in the chosen unit.
    low, high = points.min(0), points.max(0)
    for obj, reach in ((built.points, high - low), (built.surface, surface.max(0) - surface.min(0))):
        shown = bpy.utils.units.to_string(system, "LENGTH", obj.dimensions.x * scale, precision=5, split_unit=False)
        assert in_metres(shown) == pytest.approx(reach[0] * scale, rel=0.01)
    outcome = built.root.image_to_3d.outcome
    assert max(outcome.extent) < 8 and outcome.extent[2] == pytest.approx(2.6, abs=0.3)
    written = [addon.measuring.scale.metres_text(bpy.context, metres) for metres in outcome.extent]
    np.testing.assert_allclose([in_metres(text) for text in written], outcome.extent, rtol=0.02)

    assert built.root.empty_display_size * scale == pytest.approx(0.25)
    camera = built.camera.data
    assert camera.display_size * scale == pytest.approx(0.3) and camera.clip_start < points[:, 1].min()
    assert camera.clip_end > points[:, 1].max() and camera.clip_end * scale >= 99.9
    assert tuple(built.camera.matrix_world.translation) == (0, 0, 0)
    radius = addon.scene.points.read(built.points, "radius") * scale
    assert 0.001 < np.median(radius) < 0.02

    built.root.image_to_3d.editing.distance_max = 4.0 / scale  # the field shows 4 m
    kept = addon.scene.edits.kept(built.points)
    assert np.linalg.norm(points[kept], axis=1).max() * scale == pytest.approx(4.0, abs=0.01)


def test_a_file_keeps_its_lengths_when_it_comes_into_a_scene_of_other_units(panel, addon, tmp_path) -> None:
    """Out of a scene in metres, into one that counts in millimetres."""
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    built = panel.generate()
    bpy.context.view_layer.update()
    before = addon.scene.points.read(built.points, "position")
    assert bpy.ops.image_to_3d.export_splats(filepath=str(tmp_path / "room.ply")) == {"FINISHED"}
    panel.session.wait(60)
    bpy.context.scene.unit_settings.scale_length = 0.001
    assert bpy.ops.image_to_3d.import_splats(filepath=str(tmp_path / "room.ply")) == {"FINISHED"}
    panel.session.wait(60)
    again = addon.scene.roles.find(bpy.data.objects[panel.session.last_root])
    np.testing.assert_allclose(addon.scene.points.read(again.points, "position") / 1000, before, atol=1e-5)
