"""The main job: press the button on a photo, get a metric point cloud and a camera that matches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

TRUTH = json.loads((SAMPLE / "truth.json").read_text("utf-8"))


def world_positions(addon, obj) -> np.ndarray:
    matrix = np.array(obj.matrix_world)
    return addon.scene.points.read(obj, "position") @ matrix[:3, :3].T + matrix[:3, 3]


def seen_at(scene, camera, point) -> np.ndarray:
    """Pixel (u, v) from the top-left corner, by Blender's own projection."""
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    x, y, _ = world_to_camera_view(scene, camera, Vector(point))
    return np.array([x * scene.render.resolution_x, (1 - y) * scene.render.resolution_y])


def test_attributes_are_the_backend_arrays_in_blender_axes(panel, addon) -> None:
    from image_to_3d.core.cameras import axes
    from image_to_3d.protocol import Client
    from image_to_3d.protocol.messages import Predict, bytes_blob

    panel.choose_sample()
    built = panel.generate()
    with Client() as client:
        expected = client.call(
            Predict(
                engine="depth-map",
                photo_name="photo.jpg",
                photo_file=bytes_blob((SAMPLE / "photo.jpg").read_bytes()),
                depth_name="depth_mm.png",
                depth_file=bytes_blob((SAMPLE / "depth_mm.png").read_bytes()),
                fill=True,
            ),
            timeout=60,
        ).to_cloud()
    read = addon.scene.points.read
    np.testing.assert_array_equal(read(built.points, "position"), axes.points_to_blender(expected.positions))
    np.testing.assert_array_equal(read(built.points, "rotation"), axes.rotations_to_blender(expected.rotations))
    np.testing.assert_array_equal(read(built.points, "scale"), expected.scales)
    np.testing.assert_array_equal(read(built.points, "opacity"), expected.opacities)
    np.testing.assert_array_equal(read(built.points, "colour")[:, :3], expected.colours)
    assert (read(built.points, "radius") > 0).all()


def test_pressing_returns_before_the_work_is_done(panel) -> None:
    panel.choose_sample()
    before = set(bpy.data.objects.keys())
    panel.press()
    assert panel.session.job is not None and set(bpy.data.objects.keys()) == before
    panel.finish()
    assert panel.session.failure is None and len(bpy.data.objects) == len(before) + 4


def test_objects_hang_below_one_root_in_one_collection(panel) -> None:
    panel.choose_sample()
    built = panel.generate()
    assert built.root.type == "EMPTY" and built.root.matrix_world.is_identity
    assert built.points.parent == built.camera.parent == built.surface.parent == built.root
    assert set(built.collection.objects) == {built.root, built.points, built.camera, built.surface}
    assert built.points.type == ("POINTCLOUD" if bpy.app.version >= (4, 5, 0) else "MESH")
    assert bpy.context.view_layer.objects.active == built.root and built.root.select_get()


def test_bounding_box_is_that_of_the_points(panel, addon) -> None:
    panel.choose_sample()
    built = panel.generate()
    bpy.context.view_layer.update()
    corners = np.array(built.points.bound_box)
    positions = addon.scene.points.read(built.points, "position")
    radius = addon.scene.points.read(built.points, "radius").max()
    np.testing.assert_allclose(corners.min(0), positions.min(0), atol=radius + 1e-5)
    np.testing.assert_allclose(corners.max(0), positions.max(0), atol=radius + 1e-5)


def test_known_points_are_seen_at_their_pixels(panel) -> None:
    from image_to_3d.core.cameras.axes import points_to_blender

    panel.choose_sample()
    built = panel.generate()
    scene = bpy.context.scene
    assert scene.camera == built.camera
    assert (scene.render.resolution_x, scene.render.resolution_y) == tuple(TRUTH["image_size"])
    for measured in TRUTH["measurements"]:
        for pixel, point in zip(measured["uv"], measured["points_cam"], strict=True):
            seen = seen_at(scene, built.camera, points_to_blender(np.array(point)))
            np.testing.assert_allclose(seen, pixel, atol=0.05)


def test_imported_points_are_seen_at_their_own_pixels(panel, addon) -> None:
    panel.choose_sample()
    built = panel.generate()
    positions = world_positions(addon, built.points)
    width, height = TRUTH["image_size"]
    grid_column = None
    for index in np.linspace(0, len(positions) - 1, 200).astype(int):
        u, v = seen_at(bpy.context.scene, built.camera, positions[index])
        assert 0 < u < width and 0 < v < height
        np.testing.assert_allclose([u % 1, v % 1], 0.5, atol=0.02)
        grid_column = u
    assert grid_column is not None


def test_named_lengths_are_right_within_one_percent(panel, addon) -> None:
    panel.choose_sample()
    panel.recipe.fill = False  # a filled point lies behind the pixel that it continues
    built = panel.generate()
    positions = world_positions(addon, built.points)
    k = TRUTH["fx"], TRUTH["cx"], TRUTH["cy"]
    pixels = np.stack(
        [k[0] * positions[:, 0] / positions[:, 1] + k[1], -k[0] * positions[:, 2] / positions[:, 1] + k[2]], axis=1
    )
    checked = 0
    for measured in TRUTH["measurements"]:
        ends = [positions[np.argmin(((pixels - uv) ** 2).sum(1))] for uv in measured["uv"]]
        length = float(np.linalg.norm(ends[0] - ends[1]))
        assert length == pytest.approx(measured["length_m"], rel=0.01), measured["name"]
        checked += 1
    assert checked >= 6


@pytest.mark.parametrize("metres_per_unit", [0.01, 0.3048])
def test_other_units_show_the_same_metres(panel, addon, metres_per_unit: float) -> None:
    panel.choose_sample()
    in_metres = world_positions(addon, panel.generate().points)
    bpy.context.scene.unit_settings.scale_length = metres_per_unit
    built = panel.generate()
    np.testing.assert_allclose(world_positions(addon, built.points) * metres_per_unit, in_metres, rtol=1e-5, atol=1e-6)
    positions = addon.scene.points.read(built.points, "position")
    assert built.camera.data.clip_end > positions[:, 1].max() and built.camera.data.clip_start < positions[:, 1].min()


@pytest.mark.parametrize(
    "intrinsics",
    [
        (500, 500, 320, 240, 640, 480),
        (525, 525, 319.5, 239.5, 640, 480),
        (900, 900, 300, 700, 600, 1000),
        (700, 500, 350, 200, 640, 480),
        (500, 800, 100, 300, 640, 480),
    ],
)
def test_camera_projects_like_the_pinhole(addon, intrinsics) -> None:
    from image_to_3d.core import Intrinsics
    from image_to_3d.core.cameras.axes import points_to_blender

    k = Intrinsics(*intrinsics)
    scene = bpy.context.scene
    camera = addon.scene.camera.create("Camera", k, 1.0, 10.0, 1.0, scene.collection)
    addon.scene.camera.match_render(scene, camera, k)
    bpy.context.view_layer.update()
    rng = np.random.default_rng(3)
    points = k.unproject(rng.uniform(0, [k.width, k.height], (50, 2)), rng.uniform(1, 10, 50))
    seen = np.array([seen_at(scene, camera, p) for p in points_to_blender(points)])
    np.testing.assert_allclose(seen, k.project(points), atol=0.01)
    back = addon.scene.camera.intrinsics_of(camera, scene)
    np.testing.assert_allclose([back.fx, back.fy, back.cx, back.cy], intrinsics[:4], rtol=1e-4)


@pytest.mark.parametrize(
    ("fit", "width", "height", "aspect"),
    [("AUTO", 640, 480, 1.0), ("AUTO", 480, 640, 1.0), ("VERTICAL", 640, 480, 1.0), ("HORIZONTAL", 480, 640, 2.0)],
)
def test_any_perspective_camera_can_be_read(addon, fit: str, width: int, height: int, aspect: float) -> None:
    scene = bpy.context.scene
    camera = scene.camera
    camera.matrix_world.identity()
    camera.data.lens, camera.data.sensor_fit = 40, fit
    camera.data.shift_x, camera.data.shift_y = 0.1, -0.05
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.pixel_aspect_x = aspect
    camera.location, camera.rotation_euler = (0, 0, 0), (0, 0, 0)
    bpy.context.view_layer.update()
    k = addon.scene.camera.intrinsics_of(camera, scene)
    for x, y, z in [(0, 0, 5), (1, 0.5, 4), (-0.7, -1, 3)]:  # OpenCV; this camera looks along −Z
        np.testing.assert_allclose(seen_at(scene, camera, (x, -y, -z)), k.project(np.array([x, y, z])), atol=0.01)


def test_typed_focal_length_wins_over_the_photo(panel) -> None:
    panel.choose_sample()
    panel.recipe.focal, panel.recipe.mm35 = "MM35", 50.0
    built = panel.generate()
    assert built.camera.data.lens == pytest.approx(50.0, rel=1e-5)
    outcome = built.root.image_to_3d.outcome
    assert (outcome.focal_source, outcome.mm35) == ("user", pytest.approx(50.0))


def test_field_of_view_can_be_typed(panel) -> None:
    panel.choose_sample()
    panel.recipe.focal, panel.recipe.fov = "FOV", np.radians(60)
    assert np.degrees(panel.generate().camera.data.angle_x) == pytest.approx(60, rel=1e-4)


def test_panel_shows_what_came(panel) -> None:
    panel.choose_sample()
    built = panel.generate()
    outcome = built.root.image_to_3d.outcome
    assert outcome.points == len(built.points.data.attributes["position"].data)
    assert (outcome.focal_source, round(outcome.mm35)) == ("exif35", 26)
    assert tuple(outcome.size) == (960, 640) and outcome.engine == "depth-map" and outcome.metric
    assert 4.1 < outcome.extent[0] < 5.2


def test_photo_stands_behind_the_scene(panel) -> None:
    panel.choose_sample()
    camera = panel.generate().camera.data
    (background,) = camera.background_images
    assert camera.show_background_images and Path(background.image.filepath).name == "photo.jpg"
    assert background.rotation == 0 and background.frame_method == "STRETCH"


def test_from_photo_looks_through_the_camera_of_the_photo_on_show(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    scene, mine = bpy.context.scene, addon.scene.roles.camera_of(root)
    scene.camera = bpy.data.objects["Camera"]
    scene.render.resolution_x, scene.render.resolution_percentage = 10, 50
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        for _ in range(2):
            assert bpy.ops.image_to_3d.view_from_photo() == {"FINISHED"}
            assert area.spaces.active.region_3d.view_perspective == "CAMERA"
    assert scene.camera == mine
    render = scene.render
    assert (render.resolution_x, render.resolution_y, render.resolution_percentage) == (960, 640, 100)
    bpy.data.objects.remove(mine)
    assert not bpy.ops.image_to_3d.view_from_photo.poll()


def test_two_photos_are_two_collections_with_one_material(panel) -> None:
    panel.choose_sample()
    first, second = panel.generate(), panel.generate()
    assert first.collection != second.collection and first.root != second.root
    assert first.points.data.materials[0] == second.points.data.materials[0]


def test_result_waits_until_the_person_leaves_edit_mode(panel) -> None:
    panel.choose_sample()
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    bpy.ops.object.mode_set(mode="EDIT")
    panel.press()
    panel.pump_until(lambda: panel.session.job.prepared is not None)
    panel.session.pump()
    assert panel.session.job.stage == "build" and len(bpy.data.collections) == 1
    bpy.ops.object.mode_set(mode="OBJECT")
    panel.finish(5)
    assert len(bpy.data.collections) == 2
