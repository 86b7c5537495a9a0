"""Calibration in Blender: known lengths give the photo its true size, and other lengths follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from backend import stop_backend  # noqa: E402
from named_lengths import TRUTH, places  # noqa: E402
from paths import BACKEND_PYTHON, SAMPLE, SUPPORT  # noqa: E402


def true_depth() -> np.ndarray:
    """Metres (rows, cols) of the sample room."""
    image = bpy.data.images.load(str(SAMPLE / "depth_mm.png"))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return np.rint(pixels.reshape(height, width, -1)[::-1, :, 0] * 65535) / 1000


@pytest.fixture
def wrong_room(panel, tmp_path: Path):
    """The sample room by a depth camera whose metres are 3 % too long."""
    np.save(tmp_path / "depth.npy", (1.03 * true_depth()).astype(np.float32))
    panel.choose_sample()
    panel.recipe.depth_path = str(tmp_path / "depth.npy")
    return panel.generate()


@pytest.fixture
def relative_room(panel, monkeypatch):
    """The sample room by a network whose relative depth is perfect."""
    script = SUPPORT / "backend_with_exact_disparity.py"
    stop_backend()
    monkeypatch.setenv("IMAGE_TO_3D_BACKEND", f'"{BACKEND_PYTHON}" "{script}"')
    panel.recipe.photo_path, panel.recipe.engine = str(SAMPLE / "photo.jpg"), "midas-small"
    yield panel.generate()
    panel.session.cancel()
    stop_backend()


def errors(addon, root) -> dict[str, float]:
    """Relative error of every named length as Blender displays it."""
    unit = bpy.context.scene.unit_settings.scale_length
    found = {}
    for name, truth in TRUTH.items():
        ends = np.reshape(places(addon, root, name), (2, 3))
        found[name] = float(np.linalg.norm(ends[1] - ends[0])) * unit / truth["length_m"] - 1.0
    return found


def calibrate(panel, addon, root, name: str, length: float | None = None) -> None:
    panel.session.failure = None
    metres = TRUTH[name]["length_m"] if length is None else length
    unit = bpy.context.scene.unit_settings.scale_length
    points = places(addon, root, name)
    assert bpy.ops.image_to_3d.calibrate(points=points, length=metres / unit) == {"FINISHED"}
    panel.finish()


def test_how_sure_the_lines_are_of_the_focal_length_widens_lengths(wrong_room, addon) -> None:
    outcome, scale = wrong_room.root.image_to_3d.outcome, addon.measuring.scale
    outcome.focal_source = "vanishing-points"
    unsaid = scale.engine_prior(wrong_room.root).focal_sd
    outcome.camera_lines = '{"focal_sd": 0.08}'
    assert scale.engine_prior(wrong_room.root).focal_sd == 0.08 != unsaid


def test_one_door_gives_every_other_length(wrong_room, panel, addon) -> None:
    root = wrong_room.root
    assert errors(addon, root)["door_width"] == pytest.approx(0.03, abs=0.005)
    bpy.ops.image_to_3d.level()
    panel.finish()
    calibrate(panel, addon, root, "door_height")
    assert panel.session.failure is None
    found = errors(addon, root)
    assert max(abs(error) for error in found.values()) < 0.01, found
    assert root.matrix_world.median_scale == pytest.approx(1 / 1.03, abs=1e-3)
    assert root.matrix_world.translation.z == pytest.approx(1.55, abs=0.005), "it still stands on its floor"
    scale = addon.measuring.scale.scale_of_photo(root, bpy.context.scene)
    assert scale.state == "calibrated" and scale.relative_sd < 0.01

    bpy.ops.ed.undo()
    root = bpy.data.objects[panel.session.last_root]
    assert root.matrix_world.median_scale == pytest.approx(1.0) and not root.image_to_3d.calibration.calibrated
    bpy.ops.ed.redo()
    root = bpy.data.objects[panel.session.last_root]
    assert bpy.ops.image_to_3d.uncalibrate() == {"FINISHED"}
    panel.finish()
    bpy.context.view_layer.update()
    assert root.matrix_world.median_scale == pytest.approx(1.0) and not len(root.image_to_3d.calibration.known)
    assert root.matrix_world.translation.z == pytest.approx(1.55 * 1.03, abs=0.005)


def test_several_lengths_are_adjusted_and_show_their_residuals(wrong_room, panel, addon) -> None:
    root, scene = wrong_room.root, bpy.context.scene
    scene.unit_settings.system = "IMPERIAL"
    calibrate(panel, addon, root, "door_height")
    calibrate(panel, addon, root, "window_width")
    known = root.image_to_3d.calibration.known
    assert len(known) == 2 and max(abs(k.residual_m) for k in known) < 0.01
    calibrate(panel, addon, root, "door_width", 1.0)  # misread by a fifth
    assert known[2].residual_m > 0.1
    loose = addon.measuring.scale.scale_of_photo(root, scene).relative_sd
    assert bpy.ops.image_to_3d.remove_known_length(index=2) == {"FINISHED"}
    panel.finish()
    assert len(known) == 2 and addon.measuring.scale.scale_of_photo(root, scene).relative_sd < loose / 3


def test_it_survives_a_new_focal_length(wrong_room, panel, addon) -> None:
    root = wrong_room.root
    bpy.ops.image_to_3d.level()
    panel.finish()
    calibrate(panel, addon, root, "door_height")
    before = np.array(root.matrix_world)
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    bpy.context.view_layer.update()
    np.testing.assert_allclose(np.array(root.matrix_world), before, atol=1e-4)
    root.image_to_3d.recipe.focal, root.image_to_3d.recipe.mm35 = "MM35", 35.0
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert "known lengths" not in root.image_to_3d.outcome.warnings
    assert errors(addon, root)["door_height"] == pytest.approx(0, abs=1e-3)
    assert np.array(root.matrix_world)[2, 2] != pytest.approx(before[2, 2], abs=0.01)


def test_two_lengths_give_a_relative_room_its_shape(relative_room, panel, addon) -> None:
    root = relative_room.root
    outcome, calibration = root.image_to_3d.outcome, root.image_to_3d.calibration
    assert not outcome.metric and outcome.inverse_depth[0] > 0 and outcome.assumption
    calibrate(panel, addon, root, "door_height")
    calibrate(panel, addon, root, "window_width")
    assert panel.session.failure is None
    found = errors(addon, root)
    assert max(abs(error) for error in found.values()) < 0.01, found
    a, b = outcome.inverse_depth
    assert (b + calibration.bend) / a == pytest.approx(41.0, rel=0.05), "the shift of the network"
    depth, truth = calibration.factor * addon.measuring.stored_cloud.read(root).grid().depth, true_depth()
    assert np.nanmedian(np.abs(depth / np.where(truth > 0, truth, np.nan) - 1)) < 0.005

    bpy.ops.image_to_3d.level()
    panel.finish()
    assert root.matrix_world.translation.z == pytest.approx(1.55, abs=0.02)
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert "known lengths" not in outcome.warnings.replace("two known lengths", "")
    found = errors(addon, root)
    assert max(abs(error) for error in found.values()) < 0.01, found

    assert bpy.ops.image_to_3d.uncalibrate() == {"FINISHED"}
    panel.finish()
    assert calibration.bend == pytest.approx(0, abs=1e-6) and not calibration.calibrated


def test_what_cannot_be_a_length_is_refused(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    assert bpy.ops.image_to_3d.calibrate(length=2.0) == {"CANCELLED"}
    assert "Nothing is chosen" in str(panel.session.failure)
    points = places(addon, root, "door_height")
    assert bpy.ops.image_to_3d.calibrate(points=points, length=0.0) == {"CANCELLED"}
    assert bpy.ops.image_to_3d.calibrate(points=points[:3] * 2, length=1.0) == {"FINISHED"}
    panel.finish()
    assert "same point" in str(panel.session.failure) and not len(root.image_to_3d.calibration.known)
    assert bpy.ops.image_to_3d.calibrate(points=[0, 1, 0, 0, 1, 1], length=1.0) == {"FINISHED"}
    panel.finish()
    assert "surface" in str(panel.session.failure)
    assert root.matrix_world.median_scale == pytest.approx(1.0)


def test_empties_and_meshes_of_two_vertices_are_lengths(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    ends = np.reshape(places(addon, root, "door_height"), (2, 3))
    mesh = bpy.data.meshes.new("Tape")
    mesh.from_pydata([tuple(end) for end in ends], [(0, 1)], [])
    tape = bpy.data.objects.new("Tape", mesh)
    bpy.context.collection.objects.link(tape)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = tape
    assert bpy.ops.image_to_3d.calibrate(length=4.02) == {"FINISHED"}
    panel.finish()
    assert root.matrix_world.median_scale == pytest.approx(2.0, abs=0.01)


def test_a_bare_photo_says_how_wrong_it_may_be_and_a_door_tells_about_what_is_beside_it(panel, addon) -> None:
    from image_to_3d.core.lengths.measuring import length_between, point_near

    panel.recipe.photo_path, panel.recipe.engine = str(SAMPLE / "photo.jpg"), "lite"
    panel.recipe.density = "QUARTER"
    root, scene = panel.generate().root, bpy.context.scene
    scale_of, stored = addon.measuring.scale.scale_of_photo, addon.measuring.stored_cloud
    bare = scale_of(root, scene)
    assert bare.field is not None and bare.field.model.source == "measured" and 0.05 < bare.relative_sd < 0.5
    calibrate(panel, addon, root, "door_height")
    assert panel.session.failure is None
    after = scale_of(root, scene)
    assert after.state == "calibrated" and len(after.field.known) == 1

    def spread(name: str, scale) -> float:
        grid = stored.read(root).grid()
        ends = np.array(places(addon, root, name)).reshape(2, 3)
        a, b = (point_near(grid, place) for place in stored.to_camera_frame(root, ends))
        low, high = length_between(a, b, scale).interval
        return float(np.log(high / low))

    assert spread("door_height", after) < 0.3 * spread("door_height", bare)
    assert max(spread(name, after) for name in ("window_width", "picture_width", "table_length")) > 4 * spread(
        "door_height", after
    ), "one door is not the whole room"
