"""Camera moves are ordinary keyframed cameras; camera paths go out and come back; the safe zone warns."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

MOVES = ["ROTATE_FORWARD", "SWIPE", "SHAKE", "ROTATE", "DOLLY", "LOOK_AROUND"]


@pytest.fixture
def room(panel):
    panel.choose_sample()
    return panel.generate()


def core_path(addon, built, move: str, frames: int):
    from image_to_3d.core.cameras.trajectories import TrajectoryOptions, trajectory

    positions, intrinsics, _ = addon.film.moves.photo(built.root, bpy.context.scene.unit_settings.scale_length)
    return trajectory(move.lower(), positions, intrinsics, TrajectoryOptions(frames=frames))


def assert_same(cameras, expected, atol=1e-5) -> None:
    assert len(cameras) == len(expected)
    for a, b in zip(cameras, expected, strict=True):
        assert a.size == b.size and a.orthographic == b.orthographic
        np.testing.assert_allclose(a.intrinsics.matrix(), b.intrinsics.matrix(), rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(a.world_to_camera, b.world_to_camera, atol=atol)


def test_every_move_is_the_published_one(room, addon) -> None:
    scene = bpy.context.scene
    for move in MOVES:
        expected = core_path(addon, room, move, 7)
        assert bpy.ops.image_to_3d.add_camera_move(move=move, frames=7) == {"FINISHED"}
        made = scene.camera
        assert made != room.camera and made.parent == room.root and made.type == "CAMERA"
        assert (scene.frame_start, scene.frame_end, scene.frame_current) == (1, 7, 1)
        assert_same(addon.film.paths.sample(bpy.context, room.root).cameras, expected.cameras)


def place(root) -> None:
    """As levelling and calibration do."""
    from mathutils import Euler, Matrix

    root.matrix_world = Matrix.LocRotScale((1.0, 2.0, 3.0), Euler((0.1, 0.2, 0.3)), (1.7, 1.7, 1.7))
    bpy.context.view_layer.update()


def test_a_move_stands_in_the_frame_of_a_levelled_and_calibrated_photo(room, addon) -> None:
    place(room.root)
    expected = core_path(addon, room, "SWIPE", 5)
    bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=5)
    assert_same(addon.film.paths.sample(bpy.context, room.root).cameras, expected.cameras)


def test_a_move_is_as_large_in_other_units(panel, addon) -> None:
    bpy.context.scene.unit_settings.scale_length = 0.01
    panel.choose_sample()
    built = panel.generate()
    expected = core_path(addon, built, "ROTATE", 5)
    bpy.ops.image_to_3d.add_camera_move(move="ROTATE", frames=5)
    assert_same(addon.film.paths.sample(bpy.context, built.root).cameras, expected.cameras)
    assert 0.01 < np.ptp([c.world_to_camera[:3, 3] for c in expected.cameras], axis=0).max() < 1.0  # metres


def test_strength_scales_the_move(room, addon) -> None:
    def reach(strength: float) -> float:
        bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=5, strength=strength)
        cameras = addon.film.paths.sample(bpy.context, room.root).cameras
        return float(np.ptp([-c.world_to_camera[:3, :3].T @ c.world_to_camera[:3, 3] for c in cameras], axis=0).max())

    assert reach(0.5) == pytest.approx(0.5 * reach(1.0), rel=1e-3)


def test_a_photo_without_camera_is_refused_with_a_sentence(room, panel) -> None:
    bpy.data.objects.remove(room.camera)
    assert bpy.ops.image_to_3d.add_camera_move(move="SWIPE") == {"CANCELLED"}
    assert "has no camera" in str(panel.session.failure)


# --- camera paths ------------------------------------------------------------------------------------------------------


def animate(camera, key: str, values: list[float]) -> None:
    for frame, value in enumerate(values, 1):
        setattr(camera, key, value)
        camera.keyframe_insert(key, frame=frame)


@pytest.fixture
def camera():
    """The factory scene's camera over three frames, with everything about its lens animated."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 3
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 641, 363, 50
    animate(scene.camera.data, "lens", [35.0, 50.0, 70.0])
    animate(scene.camera.data, "shift_x", [0.0, 0.1, -0.2])
    animate(scene.camera.data, "clip_start", [0.1, 0.2, 0.3])
    for frame, location in enumerate([(7, -6, 5), (6, -7, 4), (5, -8, 5)], 1):
        scene.camera.location = location
        scene.camera.keyframe_insert("location", frame=frame)
    return scene.camera


def seen_by_blender(scene, camera, points) -> np.ndarray:
    """Pixels from the top-left corner, by Blender's own projection matrix."""
    render = scene.render
    size = (
        render.resolution_x * render.resolution_percentage // 100,
        render.resolution_y * (render.resolution_percentage) // 100,
    )
    depsgraph = bpy.context.evaluated_depsgraph_get()
    seen = camera.evaluated_get(depsgraph)
    window = seen.calc_matrix_camera(
        depsgraph, x=size[0], y=size[1], scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    matrix = np.array(window) @ np.linalg.inv(np.array(seen.matrix_world.normalized()))
    clip = np.c_[points, np.ones(len(points))] @ matrix.T
    ndc = clip[:, :2] / clip[:, 3:]
    return np.stack([(ndc[:, 0] + 1) / 2 * size[0], (1 - ndc[:, 1]) / 2 * size[1]], -1)


def pixels(camera, points) -> np.ndarray:
    from image_to_3d.core.cameras.axes import points_to_opencv

    seen = points_to_opencv(points) @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    k = camera.intrinsics
    depth = np.ones(len(seen)) if camera.orthographic else seen[:, 2]
    return np.stack([k.fx * seen[:, 0] / depth + k.cx, k.fy * seen[:, 1] / depth + k.cy], -1)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
@pytest.mark.parametrize(("fit", "aspect"), [("AUTO", 1.0), ("VERTICAL", 1.0), ("HORIZONTAL", 2.0), ("AUTO", 0.5)])
def test_an_exported_camera_sees_what_blenders_sees(
    addon, camera, tmp_path, kind: str, fit: str, aspect: float
) -> None:
    from image_to_3d.io.camera_paths import read_camera_path

    scene = bpy.context.scene
    camera.data.type, camera.data.sensor_fit, camera.data.ortho_scale = kind, fit, 5.5
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = (aspect, 1.0) if aspect >= 1 else (1.0, 1 / aspect)
    file = tmp_path / "path.json"
    assert bpy.ops.image_to_3d.export_camera_path(filepath=str(file), frame="WORLD") == {"FINISHED"}
    path = read_camera_path(file)
    assert len(path.cameras) == 3 and path.fps == 24
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3))
    for frame, exported in enumerate(path.cameras, 1):
        scene.frame_set(frame)
        assert exported.size == (320, 181) and exported.orthographic == (kind == "ORTHO")
        assert (exported.near, exported.far) == pytest.approx((0.1 * frame, camera.data.clip_end))
        np.testing.assert_allclose(pixels(exported, points), seen_by_blender(scene, camera, points), atol=2e-3)


@pytest.mark.parametrize("kind", ["PERSP", "ORTHO"])
def test_a_path_comes_back(addon, camera, tmp_path, kind: str) -> None:
    camera.data.type = kind
    file = tmp_path / "path.json"
    bpy.ops.image_to_3d.export_camera_path(filepath=str(file), frame="WORLD")
    expected = addon.film.paths.sample(bpy.context, None).cameras
    assert bpy.ops.image_to_3d.import_camera_path(filepath=str(file), frame="WORLD") == {"FINISHED"}
    assert bpy.context.scene.camera != camera
    again = addon.film.paths.sample(bpy.context, None).cameras
    assert_same(again, expected)
    assert [c.near for c in again] == pytest.approx([c.near for c in expected])


def test_a_camera_that_a_marker_switches_to_is_exported(addon, camera) -> None:
    scene = bpy.context.scene
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    other.location = (0, 0, 9)
    for frame, chosen in ((1, camera), (3, other)):
        scene.timeline_markers.new(chosen.name, frame=frame).camera = chosen
    cameras = addon.film.paths.sample(bpy.context, None).cameras
    assert np.allclose(cameras[2].world_to_camera[:3, 3], [0, 0, 9])
    assert not np.allclose(cameras[1].world_to_camera[:3, 3], [0, 0, 9])


def test_what_cannot_be_exported_or_imported_is_a_sentence(addon, camera, panel, tmp_path) -> None:
    camera.data.type = "PANO"
    file = tmp_path / "path.json"
    assert bpy.ops.image_to_3d.export_camera_path(filepath=str(file), frame="WORLD") == {"CANCELLED"}
    assert "panoramic" in str(panel.session.failure) and not file.exists()
    assert bpy.ops.image_to_3d.export_camera_path(filepath=str(file)) == {"CANCELLED"}
    assert "No photo" in str(panel.session.failure)
    frame = {"size": [64, 48], "intrinsics": [50, 50, 32, 24], "world_to_camera": np.eye(4).tolist()}
    documents = {"differ": [frame, {**frame, "size": [64, 50]}], "camera path cannot be used": [{}]}
    before = len(bpy.data.cameras)
    for words, frames in documents.items():
        Path(file).write_text(json.dumps({"version": 1, "fps": 24, "frames": frames}), "utf-8")
        assert bpy.ops.image_to_3d.import_camera_path(filepath=str(file)) == {"CANCELLED"}
        assert words in str(panel.session.failure)
    assert len(bpy.data.cameras) == before


# --- safe zone ---------------------------------------------------------------------------------------------------------


def test_the_safe_zone_is_shown_warns_and_goes(room, addon, panel) -> None:
    zones = addon.film.safe_zone
    assert bpy.ops.image_to_3d.show_safe_zone() == {"FINISHED"}
    panel.finish()
    assert panel.session.failure is None
    zone = zones.zone_object(room.root)
    assert zone.parent == room.root and zone.display_type == "WIRE" and zone.hide_render
    lengths = np.linalg.norm([vertex.co for vertex in zone.data.vertices], axis=1)
    assert lengths.min() > 0.01 and lengths.max() < 2.0

    scene = bpy.context.scene
    scene.camera = room.camera
    assert zones.excess(scene).metres < 0
    place(room.root)  # the zone goes with the photo
    assert zones.excess(scene).metres < 0
    bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=5, strength=20.0)
    scene.frame_set(5)
    beyond = zones.excess(scene)
    gone = scene.camera.matrix_world.translation - room.root.matrix_world.translation
    assert 0 < beyond.metres < gone.length
    assert bpy.ops.image_to_3d.check_camera_move() == {"FINISHED"} and scene.frame_current == 5

    bpy.ops.image_to_3d.show_safe_zone()  # again: one zone, not two
    panel.finish()
    assert sum(child.image_to_3d.role == "SAFE_ZONE" for child in room.root.children) == 1
    assert bpy.ops.image_to_3d.hide_safe_zone() == {"FINISHED"}
    assert zones.zone_object(room.root) is None and zones.excess(scene) is None


def test_the_safe_zone_of_a_photo_that_is_renamed_meanwhile_is_shown(room, addon, panel) -> None:
    assert bpy.ops.image_to_3d.show_safe_zone() == {"FINISHED"}
    room.root.name = "Another name"
    panel.finish()
    assert panel.session.failure is None and addon.film.safe_zone.zone_object(room.root) is not None


def test_how_far_outside_is_said_in_the_scenes_size_and_units(room, addon, panel) -> None:
    zones, scene, root = addon.film.safe_zone, bpy.context.scene, room.root
    bpy.ops.image_to_3d.show_safe_zone()
    panel.finish()
    scene.camera = room.camera
    room.camera.location = (3, 0, 0)
    bpy.context.view_layer.update()
    metres = zones.excess(scene).metres
    assert metres > 1
    root.scale = (2,) * 3  # as calibration does
    bpy.context.view_layer.update()
    assert zones.excess(scene).metres == pytest.approx(2 * metres, rel=1e-5)
    scene.unit_settings.system = "IMPERIAL"
    assert "' " in zones.warning(bpy.context, metres)  # as feet are written

    playing = SimpleNamespace(is_animation_playing=True, is_scrubbing=False)
    context = SimpleNamespace(scene=scene, screen=playing)
    assert zones.sentence(context) == ""
    scene.frame_set(2)
    assert "outside the safe zone" in zones.sentence(context)
    playing.is_animation_playing = False
    assert zones.sentence(context) == ""
    playing.is_scrubbing = True
    assert zones.sentence(context)
    room.camera.location = (0, 0, 0)
    scene.frame_set(3)
    assert zones.sentence(context) == ""


def test_frames_of_a_render_leave_the_interface_alone(room, addon, panel, monkeypatch) -> None:
    zones, scene = addon.film.safe_zone, bpy.context.scene
    bpy.ops.image_to_3d.show_safe_zone()
    panel.finish()
    scene.camera = room.camera
    room.camera.location = (3, 0, 0)
    bpy.context.view_layer.update()
    drawn = []
    monkeypatch.setattr(zones, "redraw", lambda: drawn.append(1))
    rendering = SimpleNamespace(app=SimpleNamespace(is_job_running=lambda job: job == "RENDER"))
    with monkeypatch.context() as patched:
        patched.setattr(zones, "bpy", rendering)
        zones._on_frame(scene)
    assert not drawn
    zones._on_frame(scene)
    assert drawn


def test_a_zone_of_other_points_is_outdated(room, addon, panel, tmp_path) -> None:
    zones, edits = addon.film.safe_zone, addon.scene.edits
    assert not zones.outdated(room.root)

    def measure() -> float:
        assert bpy.ops.image_to_3d.show_safe_zone() == {"FINISHED"}
        panel.finish()
        assert panel.session.failure is None and not zones.outdated(room.root)
        vertices = zones.zone_object(room.root).data.vertices
        return float(np.mean([vertex.co.length for vertex in vertices]))

    whole = measure()
    points = addon.scene.points.read(room.points, "position")
    edits.mark(room.root, edits.BY_HAND, points[:, 1] > np.median(points[:, 1]))  # the walls
    assert zones.outdated(room.root)
    assert measure() != whole
    name = room.root.name
    edits.restore(room.root)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "room.blend"))
    assert zones.outdated(bpy.data.objects[name])


def test_an_edited_wire_is_no_zone(room, addon, panel) -> None:
    bpy.ops.image_to_3d.show_safe_zone()
    panel.finish()
    addon.film.safe_zone.zone_object(room.root).data.clear_geometry()
    assert addon.film.safe_zone.excess(bpy.context.scene) is None
