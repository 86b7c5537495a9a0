"""Level to floor: the root stands upright on z = 0, and the photo still matches its camera."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TRUTH = json.loads((SAMPLE / "truth.json").read_text())
GRAVITY = np.array(TRUTH["gravity_cam"])  # OpenCV camera frame, downwards


def level(panel, **arguments):
    panel.session.failure = None
    assert bpy.ops.image_to_3d.level(**arguments) == {"FINISHED"}
    panel.finish()


def leaning_deg(root) -> float:
    """Between the world's Z and the true vertical as the root stands."""
    up = np.array(root.matrix_world.to_3x3()) @ np.array([-GRAVITY[0], -GRAVITY[2], GRAVITY[1]])
    return float(np.degrees(np.arccos(up[2] / np.linalg.norm(up))))


def seen(built) -> np.ndarray:
    """Where the camera sees some of the surface's vertices."""
    from bpy_extras.object_utils import world_to_camera_view

    bpy.context.view_layer.update()
    vertices = built.surface.data.vertices
    chosen = [built.surface.matrix_world @ vertices[i].co for i in range(0, len(vertices), len(vertices) // 20)]
    return np.array([world_to_camera_view(bpy.context.scene, built.camera, v)[:2] for v in chosen])


def test_one_click_stands_the_room_on_its_floor(panel) -> None:
    panel.choose_sample()
    built = panel.generate()
    before = seen(built)
    level(panel)
    assert panel.session.failure is None
    root = built.root
    assert leaning_deg(root) < 0.05
    assert root.matrix_world.translation.z == pytest.approx(1.55, abs=0.002)
    state = root.image_to_3d.levelling
    assert (state.levelled, state.method) == (True, "FLOOR")
    assert (state.pitch_deg, state.roll_deg) == pytest.approx((-6.0, -1.5), abs=0.05)
    np.testing.assert_allclose(seen(built), before, atol=1e-4)
    heights = np.array([(built.surface.matrix_world @ v.co).z for v in built.surface.data.vertices])
    assert np.quantile(heights, 0.02) == pytest.approx(0.0, abs=0.01), "the floor is z = 0"

    bpy.ops.ed.undo()
    root = bpy.data.objects[panel.session.last_root]
    assert root.matrix_world.translation.z == 0 and not root.image_to_3d.levelling.levelled
    bpy.ops.ed.redo()
    assert bpy.data.objects[panel.session.last_root].image_to_3d.levelling.levelled


def test_lines_of_the_photo_that_contradict_its_surfaces_are_a_refusal(panel) -> None:
    panel.choose_sample()
    root = panel.generate().root
    root.image_to_3d.outcome.camera_lines = json.dumps({"up": [0.5, -0.8, 0.0], "up_sd_deg": 0.2})
    level(panel)
    assert "apart" in str(panel.session.failure) and not root.image_to_3d.levelling.levelled


def test_a_wall_lies_along_an_axis_if_wanted(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    root.rotation_euler.z = 0.2
    level(panel, align=True)
    found = addon.measuring.analysis.known(root)
    normal = np.array(root.matrix_world.to_3x3()) @ np.array(
        addon.measuring.stored_cloud.points_to_blender(found.gravity.walls[0].normal)
    )
    assert np.abs(normal).max() == pytest.approx(1.0, abs=1e-3) and abs(normal[2]) < 1e-2


def test_it_is_removed_as_if_it_had_never_been(panel) -> None:
    panel.choose_sample()
    root = panel.generate().root
    root.location, root.rotation_euler, root.scale = (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    bpy.context.view_layer.update()
    before = np.array(root.matrix_world)
    level(panel)
    assert leaning_deg(root) < 0.05 and root.matrix_world.translation.z == pytest.approx(3.1, abs=0.004)
    assert tuple(root.matrix_world.translation)[:2] == pytest.approx((1, 2))
    level(panel)  # again
    assert bpy.ops.image_to_3d.unlevel() == {"FINISHED"}
    bpy.context.view_layer.update()
    np.testing.assert_allclose(np.array(root.matrix_world), before, atol=1e-5)


def test_three_points_of_the_floor_do_it_too(panel, addon) -> None:
    from mathutils import Vector

    panel.choose_sample()
    built = panel.generate()
    bpy.context.view_layer.update()
    k = addon.measuring.stored_cloud.intrinsics(built.root)
    points = []
    for u, v in ((100, 610), (870, 615), (240, 480)):
        ray = Vector(((u - k.cx) / k.fx, 1.0, -(v - k.cy) / k.fy))
        points.extend(addon.measuring.picking.hit(built.root, Vector((0, 0, 0)), ray))
    assert bpy.ops.image_to_3d.level_points(points=points) == {"FINISHED"}
    panel.finish()
    assert panel.session.failure is None
    assert leaning_deg(built.root) < 0.1
    assert built.root.matrix_world.translation.z == pytest.approx(1.55, abs=0.01)
    assert built.root.image_to_3d.levelling.method == "POINTS"

    bpy.ops.image_to_3d.unlevel()
    assert bpy.ops.image_to_3d.level_points(points=points[:3] * 3) == {"FINISHED"}
    panel.finish()
    assert "on a line" in str(panel.session.failure)


def flat(width: int, height: int, depth: np.ndarray, tmp_path: Path):
    """A photo of nothing in particular, and its depth."""
    photo = tmp_path / "photo.png"
    image = bpy.data.images.new("photo", width, height)
    image.filepath_raw, image.file_format = str(photo), "PNG"
    image.save()
    np.save(tmp_path / "depth.npy", depth.astype(np.float32))
    return photo, tmp_path / "depth.npy"


def without_evidence(name: str) -> tuple[np.ndarray, float]:
    """Depth (240, 320) of a picture that tells nothing about the vertical or the floor, and its 35 mm focal length."""
    from rooms import Box, Camera, Room  # needs the package that comes with the extension

    table = Box((2, 0.55, 1.18), (1.5, 0.8, 0.04))
    leaning = tuple(Box((x, 2.5, 1.2), (0.9, 0.02, 2.6), tilt_deg=lean) for x, lean in ((1.2, 12), (2.8, -12)))
    far = frozenset(["far"])
    room, pitch, mm35 = {
        "one wall": (Room(sides=far), 0, 50),
        "no floor in view": (Room(), 22, 24),
        "a table top that fills the picture": (Room(furniture=(table,)), -44, 26),
        "leaning mirrors": (Room((4, 5, 2.6), leaning, sides=far), 0, 24),
    }[name]
    return room.depth(Camera((2.0, 0.3, 1.4), pitch_deg=pitch, focal_mm35=mm35, size=(320, 240))), mm35


@pytest.mark.parametrize(
    "name", ["one wall", "no floor in view", "a table top that fills the picture", "leaning mirrors"]
)
def test_without_evidence_it_says_so_and_does_nothing(panel, tmp_path: Path, name: str) -> None:
    depth, mm35 = without_evidence(name)
    photo, depths = flat(320, 240, depth, tmp_path)
    panel.recipe.focal, panel.recipe.mm35 = "MM35", mm35
    panel.recipe.photo_path, panel.recipe.depth_path, panel.recipe.engine = str(photo), str(depths), "depth-map"
    root = panel.generate().root
    before = np.array(root.matrix_world)
    level(panel)
    assert "cannot be levelled" in str(panel.session.failure)
    assert not root.image_to_3d.levelling.levelled
    np.testing.assert_array_equal(np.array(root.matrix_world), before)
