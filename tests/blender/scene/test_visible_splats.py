"""Which photos a picture shows, where they stand, and when the backend has to be sent them anew."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


@pytest.fixture
def scenes(addon):
    return addon.scene.visible_splats


@pytest.fixture
def resident(addon):
    return addon.runtime.objects.of(addon.scene.resident_scenes.ResidentScenes)


def accept(resident, upload, scene: str):
    """The backend answers; the scene that has been replaced."""
    from image_to_3d.protocol.messages import Accepted

    return resident.accept(upload, Accepted(scene=scene)).replaced


@pytest.fixture
def built(addon):
    """Four Gaussians in front of the camera, without a backend."""
    return make_photo(addon)


def make_photo(addon, n: int = 4, metres_per_unit: float = 1.0):
    from image_to_3d.core import GaussianCloud, Intrinsics
    from image_to_3d.protocol.messages import Result, cloud_fields

    rng = np.random.default_rng(0)
    cloud = GaussianCloud(
        positions=np.float32(rng.uniform([-1, -1, 2], [1, 1, 4], (n, 3))),
        scales=np.full((n, 3), 0.1, np.float32),
        rotations=np.tile(np.float32([1, 0, 0, 0]), (n, 1)),
        colours=np.float32(rng.uniform(0.2, 0.9, (n, 3))),
        opacities=np.full(n, 0.9, np.float32),
        intrinsics=Intrinsics.centred(500.0, 640, 360),
    )
    scene = bpy.context.scene
    scene.unit_settings.scale_length = metres_per_unit
    recipe = addon.scene.recipe.values(scene.image_to_3d.recipe)
    photo = addon.scene.photo_result.from_cloud(cloud, Result(**cloud_fields(cloud)), recipe, metres_per_unit)
    made = addon.scene.build.build(scene, photo)
    bpy.context.view_layer.update()
    return made


def space():
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    return area.spaces.active


def shown(scenes):
    bpy.context.view_layer.update()
    return scenes.in_viewport(bpy.context.scene, bpy.context.view_layer, space())


def rendered(scenes):
    return scenes.in_render(bpy.context.evaluated_depsgraph_get())


def world_points(resident, placed):
    """Where the picture puts the points: the upload's positions through the instance's matrix."""
    cloud = resident.read(placed).make()
    return cloud.positions @ placed.object_to_world[:3, :3].T + placed.object_to_world[:3, 3]


def blender_world_points(obj, metres_per_unit=1.0):
    from image_to_3d.core.cameras.axes import points_to_opencv

    flat = np.empty(len(obj.data.attributes["position"].data) * 3, np.float32)
    obj.data.attributes["position"].data.foreach_get("vector", flat)
    matrix = np.array(obj.matrix_world)
    return points_to_opencv(flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]) * metres_per_unit


@pytest.mark.parametrize("metres_per_unit", [1.0, 0.01])
def test_points_stand_where_blender_has_them(addon, scenes, resident, metres_per_unit) -> None:
    built = make_photo(addon, metres_per_unit=metres_per_unit)
    built.root.location, built.root.rotation_euler, built.root.scale = (1, 2, 3), (0.3, 0.2, 0.1), (1.5,) * 3
    bpy.context.view_layer.update()
    for found in (shown(scenes), rendered(scenes)):
        (placed,) = found.instances
        where = world_points(resident, placed)
        np.testing.assert_allclose(where, blender_world_points(built.points, metres_per_unit), rtol=1e-4, atol=1e-4)
        assert (where >= placed.box.min(0) - 1e-3).all() and (where <= placed.box.max(0) + 1e-3).all()


def test_hidden_photos_are_left_out(built, scenes) -> None:
    built.points.hide_set(True)
    assert not shown(scenes).instances and rendered(scenes).instances
    built.points.hide_set(False)
    built.points.hide_viewport = True
    assert not shown(scenes).instances
    built.points.hide_viewport = False
    built.points.hide_render = True
    assert shown(scenes).instances and not rendered(scenes).instances
    built.points.hide_render = False
    layer = bpy.context.view_layer.layer_collection.children[built.collection.name]
    layer.hide_viewport = True
    assert not shown(scenes).instances and rendered(scenes).instances
    layer.hide_viewport, layer.exclude = False, True
    assert not shown(scenes).instances and not rendered(scenes).instances
    layer.exclude = False
    built.collection.hide_render = True
    assert shown(scenes).instances and not rendered(scenes).instances


def test_local_view_leaves_out_what_is_not_in_it(built, scenes) -> None:
    cube = bpy.data.objects["Cube"]
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    region = next(r for r in area.regions if r.type == "WINDOW")
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj == cube)
    with bpy.context.temp_override(area=area, region=region):
        bpy.ops.view3d.localview()
        assert not shown(scenes).instances
        bpy.ops.view3d.localview()
    assert shown(scenes).instances


def test_a_photo_shown_as_its_surface_still_has_its_splats(built, scenes) -> None:
    built.root.location = (1, 2, 3)
    built.root.image_to_3d.display = "SURFACE"
    bpy.context.view_layer.update()
    assert not built.points.visible_get()
    for found in (shown(scenes), rendered(scenes)):
        np.testing.assert_allclose(found.instances[0].object_to_world[:3, 3], [1, -3, 2], atol=1e-6)


def test_duplicates_share_their_data_and_collections_can_be_instanced(built, scenes) -> None:
    twin = built.points.copy()
    twin.location = (5, 0, 0)
    bpy.context.scene.collection.objects.link(twin)
    empty = bpy.data.objects.new("Instance", None)
    empty.instance_type, empty.instance_collection, empty.location = "COLLECTION", built.collection, (0, 0, 7)
    built.collection.instance_offset = (0, 0, 1)
    bpy.context.scene.collection.objects.link(empty)
    bpy.context.view_layer.update()
    found = shown(scenes)
    assert len(found.uids) == 1
    places = sorted(tuple(p.object_to_world[:3, 3].round(5)) for p in found.instances)
    assert places == [(0, -6, 0), (0, 0, 0), (5, 0, 0)]


@pytest.mark.parametrize("scale", [(1, 2, 1), (-1, 1, 1), (0, 1, 1)])
def test_what_no_gaussian_survives_is_refused_in_a_sentence(built, scenes, scale) -> None:
    built.root.scale = scale
    bpy.context.view_layer.update()
    found = shown(scenes)
    assert not found.instances and len(found.refused) == 1 and built.points.name in found.refused[0]


def test_points_without_an_attribute_are_refused_in_a_sentence(built, scenes) -> None:
    built.points.data.attributes.remove(built.points.data.attributes["opacity"])
    assert "opacity" in shown(scenes).refused[0]


def test_a_deleted_photo_is_gone(built, scenes, resident) -> None:
    (placed,) = shown(scenes).instances
    bpy.data.objects.remove(built.points)
    assert not shown(scenes).instances
    from image_to_3d.core import ImageTo3DError

    with pytest.raises(ImageTo3DError, match="gone"):
        resident.read(placed)


def test_an_upload_is_the_points_as_they_are(built, scenes, resident, addon) -> None:
    (placed,) = shown(scenes).instances
    cloud = resident.read(placed).make().to_cloud()
    np.testing.assert_allclose(cloud.scales, 0.1, rtol=1e-6)
    np.testing.assert_allclose(cloud.opacities, 0.9, rtol=1e-6)
    np.testing.assert_allclose(np.abs(cloud.rotations), [[1, 0, 0, 0]] * 4, atol=1e-6)
    np.testing.assert_allclose(cloud.colours, addon.scene.points.read(built.points, "colour")[:, :3], rtol=1e-6)


def test_a_change_of_the_data_asks_for_another_upload_and_a_move_does_not(built, scenes, resident) -> None:
    (placed,) = shown(scenes).instances
    upload = resident.read(placed)
    assert resident.current(placed.uid) is None
    assert accept(resident, upload, "first") is None
    built.root.location.x = 3
    bpy.context.view_layer.update()
    assert resident.current(placed.uid) == "first"
    built.points.data.attributes["position"].data[0].vector = (0, 9, 0)
    built.points.data.update_tag()
    bpy.context.view_layer.update()
    assert resident.current(placed.uid) is None and resident.latest(placed.uid) == "first"
    second = resident.read(placed)
    assert accept(resident, second, "second") == "first"
    accept(resident, upload, "too late")  # of the content before
    assert resident.current(placed.uid) is None
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert resident.current(placed.uid) is None


def test_the_nearest_depth_is_that_of_the_box(built, scenes) -> None:
    from mathutils import Matrix

    found = shown(scenes)
    depth = blender_world_points(built.points)[:, 2]
    view = Matrix.Rotation(np.radians(-90), 4, "X")  # the photo's camera
    assert found.nearest(view, 1.0) == pytest.approx(depth.min(), abs=0.2)
    assert found.nearest(Matrix.Translation((0, 0, -10)) @ view, 1.0) == pytest.approx(depth.min() + 10, abs=0.2)


def test_what_is_edited_away_is_not_drawn(addon, scenes, resident, built) -> None:
    from image_to_3d.core import ImageTo3DError

    bpy.context.view_layer.objects.active = built.root
    (placed,) = shown(scenes).instances
    upload = resident.read(placed)
    accept(resident, upload, "scene")
    assert resident.current(placed.uid) == "scene" and len(upload.make().positions) == 4
    distances = np.sort(np.linalg.norm(addon.scene.points.read(built.points, "position"), axis=1))
    built.root.image_to_3d.editing.distance_max = float(distances[1:3].mean())
    bpy.context.view_layer.update()
    assert resident.current(placed.uid) is None, "the backend holds what was there before"
    assert len(resident.read(placed).make().positions) == 2
    built.root.image_to_3d.editing.distance_max = float(distances[0]) / 2
    bpy.context.view_layer.update()
    assert not shown(scenes).instances and not rendered(scenes).instances
    built.root.image_to_3d.editing.distance_max = 0
    assert bpy.ops.image_to_3d.add_crop_box() == {"FINISHED"}
    bpy.context.view_layer.update()
    accept(resident, resident.read(placed), "again")
    assert resident.current(placed.uid) == "again"
    built.root.image_to_3d.editing.crop_box.location.x = 100
    bpy.context.view_layer.update()
    assert resident.current(placed.uid) is None, "the box was moved"
    with pytest.raises(ImageTo3DError, match="left out"):
        resident.read(placed)


@pytest.mark.parametrize("look", ["shown", "rendered"])
def test_edits_of_a_photo_shown_as_its_surface_are_drawn(addon, scenes, resident, built, look) -> None:
    """Blender tells nobody of a change of hidden points."""
    look = {"shown": shown, "rendered": rendered}[look]
    root, edits = built.root, addon.scene.edits
    addon.scene.points.write(built.points.data, "invented", "BOOLEAN", np.array([True, False, False, False]))
    root.image_to_3d.display = "SURFACE"
    root.location, root.scale = (1, 2, 3), (2,) * 3

    def draw(points: int, anew: bool) -> None:
        visible = look(scenes)
        resident.saw(visible)
        (placed,) = visible.instances
        assert (resident.current(placed.uid) is None) == anew
        upload = resident.read(placed)
        accept(resident, upload, "scene")
        assert len(upload.make().positions) == points

    draw(4, anew=True)
    draw(4, anew=False)
    edits.mark(root, edits.BY_HAND, np.array([False, True, False, False]))
    draw(3, anew=True)
    root.image_to_3d.filled = "HIDE"
    draw(2, anew=True)
    bpy.context.view_layer.objects.active = root
    bpy.ops.image_to_3d.add_crop_box()
    draw(2, anew=True)
    root.location, root.rotation_euler = (9, 2, 7), (0.3, 0.2, 0.1)  # and the box with it
    draw(2, anew=False)
    box = root.image_to_3d.editing.crop_box
    box.location.x += 100
    resident.saw(look(scenes))
    assert resident.current(built.points.data.session_uid) is None


@pytest.fixture
def twins(addon, tmp_path):
    """A photo of this file and one of another file whose objects have the same names, made of more points."""
    theirs = make_photo(addon, n=7)
    names = theirs.collection.name, theirs.points.name
    library = str(tmp_path / "library.blend")
    bpy.data.libraries.write(library, {theirs.collection})
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    ours = make_photo(addon)
    with bpy.data.libraries.load(library, link=True) as (_, linked):
        linked.collections = [names[0]]
    bpy.context.scene.collection.children.link(linked.collections[0])
    bpy.context.view_layer.update()
    assert [obj.name for obj in bpy.context.view_layer.objects].count(names[1]) == 2 and ours.points.name == names[1]
    return ours, linked.collections[0]


def test_a_linked_photo_beside_one_of_the_same_name_is_drawn(twins, scenes, resident) -> None:
    for found in (shown(scenes), rendered(scenes)):
        assert sorted(len(resident.read(one).make().positions) for one in found.instances) == [4, 7]


@pytest.mark.parametrize("hidden", ["ours", "theirs"])
def test_the_collection_of_a_photo_hides_it_and_none_of_the_same_name(twins, scenes, resident, hidden) -> None:
    ours, theirs = twins
    for layer in bpy.context.view_layer.layer_collection.children:
        layer.exclude = layer.collection == (ours.collection if hidden == "ours" else theirs)
    for found in (shown(scenes), rendered(scenes)):
        assert [len(resident.read(one).make().positions) for one in found.instances] == [7 if hidden == "ours" else 4]


def test_a_photo_that_was_renamed_after_it_was_seen_is_read(built, scenes, resident) -> None:
    (seen,) = shown(scenes).instances
    built.points.name = "Another name"
    assert len(resident.read(seen).make().positions) == 4


@pytest.mark.parametrize("display", ["POINTS", "SURFACE"])
def test_a_photo_that_is_animated_away_is_not_rendered(built, scenes, display, tmp_path) -> None:
    built.root.image_to_3d.display = display
    hidden = built.points if display == "POINTS" else built.root  # where there is no surface, that stands in for it
    for frame, value in ((1, True), (2, False), (3, True)):
        hidden.hide_render = value
        hidden.keyframe_insert("hide_render", frame=frame)
    found = {}

    class Engine(bpy.types.RenderEngine):
        bl_idname = "TEST_WHAT_IS_SHOWN"
        bl_label = "Test"

        def render(self, depsgraph) -> None:
            found[depsgraph.scene.frame_current] = len(scenes.in_render(depsgraph).instances)

    bpy.utils.register_class(Engine)
    scene = bpy.context.scene
    scene.render.engine, scene.frame_start, scene.frame_end = Engine.bl_idname, 1, 3
    scene.render.resolution_percentage, scene.render.filepath = 5, str(tmp_path / "picture")
    try:
        bpy.ops.render.render(animation=True)
    finally:
        scene.render.engine = "BLENDER_WORKBENCH"
        bpy.utils.unregister_class(Engine)
    assert found == {1: 0, 2: 1, 3: 0}
