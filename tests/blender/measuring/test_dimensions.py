"""Dimensions of the room, single lengths and the laser: objects that are right, follow the photo, and render."""

from __future__ import annotations

import json

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


TRUTH = json.loads((SAMPLE / "truth.json").read_text())
WORLD_FROM_CAMERA = np.array(TRUTH["cam_to_world_opencv"])


def named(name: str) -> dict:
    return next(length for length in TRUTH["measurements"] if length["name"] == name)


@pytest.fixture
def root(sample_root):
    return sample_root


def press(panel, operator, **arguments) -> None:
    assert operator(**arguments) == {"FINISHED"}
    panel.session.wait(200)


def dimensions(addon, root) -> list:
    return list(addon.measuring.lengths.dimension_objects.of(root))


def of_kind(addon, root, kind: str) -> list:
    return [obj for obj in dimensions(addon, root) if obj.image_to_3d.dimension.kind == kind]


def text(obj) -> str:
    return next(child.data.body for child in obj.children if child.type == "FONT")


def world_length(obj) -> float:
    bpy.context.view_layer.update()
    a, b = (obj.matrix_world @ v.co for v in obj.data.vertices)
    return (b - a).length * bpy.context.scene.unit_settings.scale_length


def world_of(root, addon, point_in_camera) -> list[float]:
    bpy.context.view_layer.update()
    return list(addon.measuring.stored_cloud.to_world(root, np.array(point_in_camera)))


def test_one_click_shows_the_room(panel, addon, root) -> None:
    press(panel, bpy.ops.image_to_3d.measure_room)
    (height,) = of_kind(addon, root, "HEIGHT")
    assert world_length(height) == pytest.approx(2.6, rel=0.005)
    assert text(height).startswith("≈ 2.60 m ± 0.1"), "3 % of a depth file of unknown origin"
    width = of_kind(addon, root, "DISTANCE")[0]
    assert world_length(width) == pytest.approx(4.2, rel=0.005) and text(width).startswith("≈ 4.2")
    walls = of_kind(addon, root, "WIDTH")
    assert len(walls) == len(of_kind(addon, root, "WALL_HEIGHT")) == 3, "not the shelf in front of one"
    assert all(text(wall).startswith("≥ ") for wall in walls)
    for obj in dimensions(addon, root):
        assert obj.parent == root and len(obj.data.vertices) == 2 and len(obj.data.edges) == 1
        (figure,) = (child for child in obj.children if child.type == "MESH")
        assert len(figure.data.polygons) >= 18 and figure.data.materials[0].name == "Image to 3D Dimensions"
        assert not figure.hide_render
        stored = obj.image_to_3d.dimension
        assert stored.metres == pytest.approx(world_length(obj), rel=1e-5) and stored.half_m > 0
        bpy.context.view_layer.update()
        words = next(child for child in obj.children if child.type == "FONT")
        towards = -(words.matrix_world.translation - root.matrix_world.translation)
        assert words.matrix_world.to_3x3().col[2].dot(towards) > 0, "readable from the photo's camera"


def test_pressed_again_after_scaling_and_levelling_it_is_updated_in_place(panel, addon, root) -> None:
    press(panel, bpy.ops.image_to_3d.measure_room)
    before = {obj.name for obj in dimensions(addon, root)}
    objects = len(bpy.data.objects)
    root.scale = (2, 2, 2)
    root.rotation_euler, root.location = (0.1, 0.05, 1.0), (3, -2, 1)
    bpy.context.view_layer.update()
    height = of_kind(addon, root, "HEIGHT")[0]
    assert world_length(height) == pytest.approx(5.2, rel=0.005), "it follows by itself"
    addon.measuring.lengths.dimensions.refresh(root, bpy.context.scene)
    assert text(height).startswith("≈ 5.2")
    press(panel, bpy.ops.image_to_3d.measure_room)
    assert {obj.name for obj in dimensions(addon, root)} == before and len(bpy.data.objects) == objects
    assert world_length(of_kind(addon, root, "HEIGHT")[0]) == pytest.approx(5.2, rel=0.005)


def test_units_of_the_scene(panel, addon, root) -> None:
    press(panel, bpy.ops.image_to_3d.measure_room)
    height = of_kind(addon, root, "HEIGHT")[0]
    scene = bpy.context.scene
    for system, unit, start in (
        ("IMPERIAL", "FEET", "≈ 8' 6"),
        ("METRIC", "CENTIMETERS", "≈ 260 cm ±"),
        ("METRIC", "MILLIMETERS", "≈ 260"),
        ("NONE", None, "≈ 2.60 ±"),
    ):
        scene.unit_settings.system = system
        if unit:
            scene.unit_settings.length_unit = unit
        addon.measuring.lengths.dimensions.refresh(root, scene)
        assert text(height).startswith(start)


def test_a_scene_in_centimetres_shows_the_same_lengths(panel, addon) -> None:
    bpy.context.scene.unit_settings.scale_length = 0.01
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    root = panel.generate().root
    press(panel, bpy.ops.image_to_3d.measure_room)
    height = of_kind(addon, root, "HEIGHT")[0]
    assert world_length(height) == pytest.approx(2.6, rel=0.005)
    assert text(height).startswith("≈ 2.60 m")
    assert (height.matrix_world @ height.data.vertices[0].co).length > 100, "vertices are in centimetres"


def test_lengths_between_places_vertices_and_empties(panel, addon, root) -> None:
    door = named("door_height")
    ends = [world_of(root, addon, point) for point in door["points_cam"]]
    press(panel, bpy.ops.image_to_3d.measure_length, points=np.ravel(ends).tolist())
    (first,) = of_kind(addon, root, "LENGTH")
    assert first.image_to_3d.dimension.metres == pytest.approx(door["length_m"], rel=0.002)
    assert first.image_to_3d.dimension.anchored
    assert any(first.image_to_3d.dimension.facing), "its text lies on the wall"

    empties = [bpy.data.objects.new("End", None) for _ in range(2)]
    for empty, z in zip(empties, (0.0, 1.25), strict=True):
        bpy.context.scene.collection.objects.link(empty)
        empty.location = (0.1, 2.0, z)
        empty.select_set(True)
    root.select_set(False)
    bpy.context.view_layer.update()
    press(panel, bpy.ops.image_to_3d.measure_length)
    second = of_kind(addon, root, "LENGTH")[1]
    assert second.image_to_3d.dimension.metres == pytest.approx(1.25)
    assert not second.image_to_3d.dimension.anchored, "in the air"

    surface = addon.scene.roles.find(root).surface
    bpy.context.view_layer.objects.active = surface
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="DESELECT")
    import bmesh

    mesh = bmesh.from_edit_mesh(surface.data)
    mesh.verts.ensure_lookup_table()
    chosen = [mesh.verts[0], mesh.verts[len(mesh.verts) // 2]]
    for vertex in chosen:
        vertex.select = True
    expected = (surface.matrix_world @ chosen[0].co - surface.matrix_world @ chosen[1].co).length
    assert bpy.ops.image_to_3d.measure_length() == {"FINISHED"}
    bpy.ops.object.mode_set(mode="OBJECT")
    panel.session.wait(200)
    third = of_kind(addon, root, "LENGTH")[2]
    assert third.image_to_3d.dimension.metres == pytest.approx(expected, rel=1e-4)


def test_one_place_or_the_same_place_twice_is_refused(panel, addon, root) -> None:
    assert bpy.ops.image_to_3d.measure_length() == {"CANCELLED"}
    point = world_of(root, addon, named("door_height")["points_cam"][0])
    assert bpy.ops.image_to_3d.measure_length(points=[*point, *point]) == {"FINISHED"}
    panel.finish(200)
    assert "same place" in panel.session.failure.message and not dimensions(addon, root)


def test_moved_vertices_are_measured_where_they_are(panel, addon, root) -> None:
    door = named("door_height")
    ends = [world_of(root, addon, point) for point in door["points_cam"]]
    press(panel, bpy.ops.image_to_3d.measure_length, points=np.ravel(ends).tolist())
    (obj,) = of_kind(addon, root, "LENGTH")
    a, b = (v.co.copy() for v in obj.data.vertices)
    obj.data.vertices[1].co = a + 0.5 * (b - a)
    press(panel, bpy.ops.image_to_3d.refresh_dimensions)
    assert obj.image_to_3d.dimension.metres == pytest.approx(0.5 * door["length_m"], rel=0.002)
    words = next(child for child in obj.children if child.type == "FONT")
    assert words.data.body.startswith("≈ 1.0")
    obj.data.clear_geometry()
    press(panel, bpy.ops.image_to_3d.refresh_dimensions)  # nothing left to measure, and no traceback


def test_an_update_with_another_focal_length_measures_again(panel, addon, root) -> None:
    table = named("table_length")
    ends = [world_of(root, addon, point) for point in table["points_cam"]]
    press(panel, bpy.ops.image_to_3d.measure_length, points=np.ravel(ends).tolist())
    (obj,) = of_kind(addon, root, "LENGTH")
    recipe = root.image_to_3d.recipe
    recipe.focal, recipe.mm35 = "MM35", 52.0  # twice as long: widths shrink to a half
    press(panel, bpy.ops.image_to_3d.update)
    press(panel, bpy.ops.image_to_3d.refresh_dimensions)
    from image_to_3d.core.cameras.intrinsics import Intrinsics

    size = (960, 640)
    k = Intrinsics.centred(2 * TRUTH["fx"], *size)
    uv, z = np.array(table["uv"]), np.array(table["depth_at_uv_m"])
    expected = float(np.linalg.norm(np.diff(k.unproject(uv, z), axis=0)))
    assert obj.image_to_3d.dimension.metres == pytest.approx(expected, rel=0.01)
    assert expected < 0.7 * table["length_m"]


def test_rooms_that_tell_nothing_are_refused(panel, addon, tmp_path) -> None:
    depth = tmp_path / "wall.npy"
    np.save(depth, np.full((480, 640), 2.0, np.float32))
    picture = bpy.data.images.new("wall", 640, 480)
    picture.filepath_raw, picture.file_format = str(tmp_path / "wall.png"), "PNG"
    picture.save()
    panel.recipe.photo_path, panel.recipe.depth_path = str(tmp_path / "wall.png"), str(depth)
    panel.recipe.engine = "depth-map"
    root = panel.generate().root
    assert bpy.ops.image_to_3d.measure_room() == {"FINISHED"}
    panel.finish(200)
    assert "only one upright surface" in panel.session.failure.message
    assert not dimensions(addon, root)


def test_removed_dimensions_leave_nothing_and_undo_brings_them_back(panel, addon, root) -> None:
    names = {obj.name for obj in bpy.data.objects}
    press(panel, bpy.ops.image_to_3d.measure_room)
    shown = len(dimensions(addon, root))
    assert bpy.ops.image_to_3d.remove_dimensions("EXEC_DEFAULT", True) == {"FINISHED"}
    assert {obj.name for obj in bpy.data.objects} == names
    assert not [c for c in bpy.data.collections if c.name.endswith("Dimensions")]
    assert not bpy.data.curves
    bpy.ops.ed.undo()
    root = bpy.data.objects[panel.session.last_root]
    assert len(dimensions(addon, root)) == shown
    bpy.ops.ed.undo()
    root = bpy.data.objects[panel.session.last_root]
    assert not dimensions(addon, root), "one step"


@pytest.mark.parametrize("engine", ["CYCLES", "BLENDER_WORKBENCH"])
def test_they_render(panel, addon, root, engine, tmp_path) -> None:
    press(panel, bpy.ops.image_to_3d.measure_room)
    scene = bpy.context.scene
    scene.render.engine = engine
    scene.render.resolution_percentage = 40
    if engine == "CYCLES":
        scene.cycles.samples, scene.cycles.device = 4, "CPU"
    else:
        scene.display.shading.light = "FLAT"
        scene.display.shading.color_type = "MATERIAL"
    addon.scene.roles.find(root).points.hide_render = True
    bpy.data.objects.remove(bpy.data.objects["Cube"])  # of Blender's own start scene, around the camera
    scene.render.filepath = str(tmp_path / "room.png")
    bpy.ops.render.render(write_still=True)
    picture = bpy.data.images.load(scene.render.filepath)
    pixels = np.array(picture.pixels[:]).reshape(-1, 4)
    orange = (pixels[:, 0] > 0.7) & (pixels[:, 2] < 0.45) & (pixels[:, 0] - pixels[:, 2] > 0.4)
    assert 0.005 < orange.mean() < 0.2


def test_the_laser_finds_floor_ceiling_and_the_opposite_wall(panel, addon, root) -> None:
    a = np.array(named("door_height")["points_cam"][0])
    b = np.array(named("door_height")["points_cam"][1])
    place = world_of(
        root, addon, 0.5 * (a + b)
    )  # in the middle of the door leaf, 8 mm in front of the wall in the west
    press(panel, bpy.ops.image_to_3d.laser, points=place)
    lines = {obj.image_to_3d.dimension.direction: obj for obj in of_kind(addon, root, "LASER")}
    height = float((WORLD_FROM_CAMERA @ [*(0.5 * (a + b)), 1])[2])
    assert lines["normal"].image_to_3d.dimension.metres == pytest.approx(4.192, rel=0.005)
    assert lines["down"].image_to_3d.dimension.metres == pytest.approx(height, abs=0.02)
    assert lines["up"].image_to_3d.dimension.metres == pytest.approx(2.6 - height, abs=0.02)
    for obj in lines.values():
        stored = obj.image_to_3d.dimension
        assert text(obj).endswith("hidden)") == (stored.hidden and not stored.extended)
        assert ("extended" in text(obj)) == stored.extended
    press(panel, bpy.ops.image_to_3d.laser, points=place, directions="NORMAL")
    assert [o.image_to_3d.dimension.direction for o in of_kind(addon, root, "LASER")] == ["normal"], "the last click"
    press(panel, bpy.ops.image_to_3d.laser, points=place, directions="NORMAL", keep=True)
    assert len(of_kind(addon, root, "LASER")) == 2


def test_the_laser_follows_the_axes_of_the_levelled_room(panel, addon, root) -> None:
    press(panel, bpy.ops.image_to_3d.level, align=True)
    a, b = (np.array(p) for p in named("door_height")["points_cam"])
    press(panel, bpy.ops.image_to_3d.laser, points=world_of(root, addon, 0.5 * (a + b)), directions="AXES")
    bpy.context.view_layer.update()
    for obj in of_kind(addon, root, "LASER"):
        start, end = (obj.matrix_world @ v.co for v in obj.data.vertices)
        axis = {"left": 0, "right": 0, "forward": 1, "back": 1, "up": 2, "down": 2}[obj.image_to_3d.dimension.direction]
        along = (end - start).normalized()
        assert abs(along[axis]) == pytest.approx(1, abs=1e-4)


def test_a_laser_beside_the_surface_is_refused(panel, addon, root) -> None:
    assert bpy.ops.image_to_3d.laser(points=(0, 1, 0.2)) == {"FINISHED"}
    panel.finish(200)
    assert panel.session.failure is not None and not dimensions(addon, root)


def test_a_calibration_writes_the_lengths_anew(panel, addon, root) -> None:
    press(panel, bpy.ops.image_to_3d.measure_room)
    height = of_kind(addon, root, "HEIGHT")[0]
    before = height.image_to_3d.dimension.half_m
    ends = np.array([world_of(root, addon, point) for point in named("door_height")["points_cam"]])
    measuring = addon.measuring
    places = measuring.stored_cloud.to_camera_frame(root, ends)
    metres = 2 * named("door_height")["length_m"]

    def calibrate(root, scene, found) -> None:
        measuring.calibration.logic.add(root, scene, found, places, metres)

    measuring.analysis.request(root, measuring.analysis.resumed(bpy.context.scene, root, calibrate))
    panel.session.wait(200)
    assert text(height).startswith("≈ 5.2") and world_length(height) == pytest.approx(5.2, rel=0.005)
    assert height.image_to_3d.dimension.half_m < before, "a known length narrows the interval"
