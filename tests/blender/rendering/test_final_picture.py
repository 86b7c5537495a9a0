"""A plain F12 shows furniture and splats together, with shadows; one click takes it all back."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from pictures import as_png, read_png  # noqa: E402 - after the check for bpy

pytestmark = pytest.mark.skipif(bpy.app.version < (4, 5, 0), reason="needs Blender 4.5")


@pytest.fixture
def room(panel):
    """The sample room at a twelfth of its size, and nothing else; a few samples of Cycles."""
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    panel.choose_sample()
    panel.recipe.density, panel.recipe.surface_vertices = "QUARTER", 20_000
    built = panel.generate()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.resolution_percentage = 8
    scene.render.dither_intensity = 0.0
    return built


def surface_at(built, x: float, z: float):
    """Point and normal of the room's surface in a direction from the photo's camera."""
    bpy.context.view_layer.update()
    hit, point, normal, _ = built.surface.ray_cast((0, 0, 0), (x, 1, z))
    assert hit
    return point, normal


def add_cube(where, size: float, colour=(0.9, 0.0, 0.0)):
    bpy.ops.mesh.primitive_cube_add(size=size, location=where)
    cube = bpy.context.object
    material = bpy.data.materials.new("Glow")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value = (*colour, 1)
    material.node_tree.links.new(emission.outputs[0], output.inputs["Surface"])
    cube.data.materials.append(material)
    return cube


def shown(tmp_path, name: str = "picture") -> np.ndarray:
    """The composited picture, 8 bits."""
    as_png()
    bpy.context.scene.render.filepath = str(tmp_path / f"{name}.png")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    return read_png(tmp_path / f"{name}.png")


def set_up(built) -> None:
    bpy.context.view_layer.objects.active = built.root
    assert bpy.ops.image_to_3d.set_up_final_picture() == {"FINISHED"}


def red(picture: np.ndarray) -> np.ndarray:
    return (picture[..., 0] > 200) & (picture[..., 1] < 40) & (picture[..., 2] < 40)


def test_without_objects_it_is_the_picture_of_the_splats(room, tmp_path) -> None:
    set_up(room)
    together = shown(tmp_path)
    scene = bpy.context.scene
    assert bpy.ops.image_to_3d.remove_final_picture() == {"FINISHED"}
    scene.render.engine, scene.render.film_transparent = "IMAGE_TO_3D_SPLATS", True
    alone = shown(tmp_path, "alone")
    assert alone[..., 3].mean() > 200
    assert np.abs(together - alone)[alone[..., 3] > 127].max() <= 1
    assert np.abs(together[..., 3] - alone[..., 3]).max() <= 1


def test_a_cube_half_in_a_wall_is_half_seen(room, tmp_path) -> None:
    wall, normal = surface_at(room, -0.35, 0.22)
    set_up(room)
    cube = add_cube(wall + 2 * normal, 0.4)
    before = red(shown(tmp_path, "before")).sum()
    assert before > 4
    cube.location = wall - 2 * normal
    assert red(shown(tmp_path, "behind")).sum() == 0
    # In a plane through the line of sight, one half of a flat box lies in the wall.
    cube.location, cube.scale = wall, (1.0, 1.0, 1.0)
    half = shown(tmp_path, "half")
    assert red(half).sum() > 4


def test_a_cube_casts_its_shadow_and_a_lamp_its_light_upon_the_photo(room, tmp_path) -> None:
    floor, up = surface_at(room, -0.25, -0.30)
    set_up(room)
    scene = bpy.context.scene
    empty = shown(tmp_path, "empty").astype(float)
    cube = add_cube(floor + 0.35 * up, 0.5)
    cube.visible_camera = False  # its shadow alone
    shadow = shown(tmp_path, "shadow").astype(float)
    covered = empty[..., 3] > 250
    darker = (empty - shadow)[..., 1][covered]
    assert darker.max() > 15
    bpy.data.objects.remove(cube)
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    lamp.data.energy, lamp.location = 30.0, floor + 0.5 * up
    scene.collection.objects.link(lamp)
    light = shown(tmp_path, "light").astype(float)
    assert (light - empty)[..., 1][covered].max() > 25
    assert not lamp.is_shadow_catcher


def eevee() -> str:
    return "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


def test_without_shadow_catchers_the_light_has_a_scene_of_its_own(room, addon) -> None:
    scene = bpy.context.scene
    scene.render.engine = eevee()
    cube = add_cube((0, 2, 0), 0.1)
    before = {name: len(getattr(bpy.data, name)) for name in ("scenes", "objects", "collections", "lights")}
    set_up(room)
    light = scene.image_to_3d.final.light
    with_objects, without = light.view_layers
    for layer in light.view_layers:
        layer.update()
    assert cube.name in with_objects.objects and cube.name not in without.objects
    assert with_objects.layer_collection.children[1].holdout and room.points.name not in with_objects.objects
    catcher = next(obj for obj in without.objects if obj.type == "MESH")
    assert catcher.data == room.surface.data and catcher.name not in scene.objects

    other = add_cube((0.5, 2, 0), 0.1)
    addon.rendering.compositing.setup.follow()
    with_objects.update()
    assert other.name in with_objects.objects, "what comes later is seen, too"
    bpy.data.objects.remove(other)
    scene.render.resolution_percentage, scene.camera.data.lens = 30, 20
    addon.rendering.compositing.setup.match(scene)
    assert light.render.resolution_percentage == 30 and light.camera == scene.camera
    set_up(room)
    assert len(bpy.data.scenes) == 3
    assert bpy.ops.image_to_3d.remove_final_picture() == {"FINISHED"}
    assert {name: len(getattr(bpy.data, name)) for name in before} == before


@pytest.mark.slow  # EEVEE compiles its shaders for a minute
def test_eevee_lays_shadows_and_light_upon_the_photo_too(room, addon, tmp_path) -> None:
    floor, up = surface_at(room, -0.25, -0.30)
    scene = bpy.context.scene
    scene.eevee.taa_render_samples = 16
    scene.render.engine, scene.render.film_transparent = "IMAGE_TO_3D_SPLATS", True
    alone = shown(tmp_path, "alone").astype(float)
    scene.render.engine = eevee()
    set_up(room)
    empty = shown(tmp_path, "empty").astype(float)
    covered = alone[..., 3] > 250
    assert np.abs(empty - alone)[covered].mean() < 1, "without objects it is the photo"
    cube = add_cube(floor + 0.3 * up, 0.4)
    addon.rendering.compositing.setup.follow()
    both = shown(tmp_path, "cube").astype(float)
    cubes = red(both)
    assert cubes.sum() > 4
    darker = (empty - both)[..., 1]
    darker[cubes | ~covered] = 0
    around = np.zeros_like(cubes)
    rows, columns = np.nonzero(cubes)
    around[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = True
    assert darker[around].max() > 15, "a shadow on the floor"
    assert np.abs(darker[~around]).mean() < 2, "far from the cube the photo stays"
    bpy.data.objects.remove(cube)
    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    lamp.data.energy, lamp.location = 30.0, floor + 0.5 * up
    scene.collection.objects.link(lamp)
    addon.rendering.compositing.setup.follow()
    assert (shown(tmp_path, "light").astype(float) - empty)[..., 1][covered].max() > 25


def test_an_animation_follows_the_scenes_camera(room, tmp_path) -> None:
    bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=2)
    scene = bpy.context.scene
    scene.render.resolution_percentage = 8
    set_up(room)
    as_png()
    scene.render.filepath = str(tmp_path / "film_")
    assert bpy.ops.render.render(animation=True) == {"FINISHED"}
    first, last = (read_png(tmp_path / f"film_{number:04d}.png") for number in (1, 2))
    assert np.abs(first - last).mean() > 2
    scene.camera = room.camera
    from_photo = shown(tmp_path, "photo")
    assert np.abs(from_photo - first).mean() > 2


def test_it_is_removed_as_if_it_had_never_been(room) -> None:
    scene = bpy.context.scene
    add_cube((0, 2, 0), 0.1)
    scene.render.engine, scene.render.film_transparent = "BLENDER_WORKBENCH", False

    def state() -> dict:
        return {
            "objects": sorted((o.name, o.hide_render, o.hide_viewport) for o in bpy.data.objects),
            "scenes": sorted(s.name for s in bpy.data.scenes),
            "trees": sorted(t.name for t in bpy.data.node_groups),
            "lights": len(bpy.data.lights),
            "render": (scene.render.engine, scene.render.film_transparent),
            "compositor": str(getattr(scene, "compositing_node_group", None)),
        }

    before = state()
    set_up(room)
    assert scene.render.engine == "CYCLES" and state() != before
    set_up(room)  # again: nothing twice
    assert len(bpy.data.scenes) == 2
    roles = [child.image_to_3d.role for child in room.root.children]
    assert roles.count("CATCHER") == roles.count("LIGHT") == 1
    assert bpy.ops.image_to_3d.remove_final_picture() == {"FINISHED"}
    assert state() == before
    assert not bpy.ops.image_to_3d.remove_final_picture.poll()


def test_a_compositor_of_the_persons_own_comes_back(room) -> None:
    scene = bpy.context.scene
    if hasattr(scene, "compositing_node_group"):
        own = scene.compositing_node_group = bpy.data.node_groups.new("Mine", "CompositorNodeTree")
        set_up(room)
        assert scene.compositing_node_group != own
        bpy.ops.image_to_3d.remove_final_picture()
        assert scene.compositing_node_group == own
        return
    scene.use_nodes = True
    end = next(node for node in scene.node_tree.nodes if node.type == "COMPOSITE")
    scene.node_tree.nodes.active = end
    names = {node.name for node in scene.node_tree.nodes}
    set_up(room)
    assert scene.node_tree.nodes.active != end
    bpy.ops.image_to_3d.remove_final_picture()
    assert {node.name for node in scene.node_tree.nodes} == names
    assert scene.node_tree.nodes.active == end and scene.use_nodes


def test_a_photo_made_anew_keeps_its_final_picture(room, panel, addon) -> None:
    set_up(room)
    catcher = next(child for child in room.root.children if child.image_to_3d.role == "CATCHER")
    bpy.context.view_layer.objects.active = room.root
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    addon.rendering.compositing.setup.match(bpy.context.scene)
    built = addon.scene.roles.find(room.root)
    assert catcher.data == built.surface.data
    assert all(slot.link == "OBJECT" and slot.material for slot in catcher.material_slots)
    assert built.points.hide_render and built.surface.hide_render


def test_what_cannot_be_set_up_is_a_sentence(panel) -> None:
    assert bpy.ops.image_to_3d.set_up_final_picture() == {"CANCELLED"}
    assert "no photo" in str(panel.session.failure) and len(bpy.data.scenes) == 1


def test_what_a_person_deleted_of_it_is_no_error(room, addon) -> None:
    scene = bpy.context.scene
    scene.render.engine = eevee()
    set_up(room)
    bpy.data.objects.remove(room.points)
    addon.rendering.compositing.setup.match(scene)
    for collection in list(scene.image_to_3d.final.light.collection.children):
        bpy.data.collections.remove(collection)
        addon.rendering.compositing.setup.follow()
        addon.rendering.compositing.setup.match(scene)
    assert bpy.ops.image_to_3d.remove_final_picture() == {"FINISHED"}
    assert len(bpy.data.scenes) == 1


def test_setting_up_again_keeps_the_engine_that_was_chosen_meanwhile(room) -> None:
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    set_up(room)
    scene.render.engine = eevee()
    set_up(room)
    assert scene.render.engine == eevee() and scene.image_to_3d.final.light is not None
    bpy.ops.image_to_3d.remove_final_picture()
    assert scene.render.engine == "BLENDER_WORKBENCH", "what it was before"


def test_a_photo_in_the_scene_collection_is_in_the_picture_of_a_saved_file(room, tmp_path) -> None:
    scene, name = bpy.context.scene, room.root.name
    for obj in (room.root, *room.root.children_recursive):
        scene.collection.objects.link(obj)
        room.collection.objects.unlink(obj)
    set_up(room)
    path = str(tmp_path / "room.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    splats = bpy.context.scene.image_to_3d.final.splats
    found = {obj.image_to_3d.role for obj in splats.objects}
    assert bpy.data.objects[name] in set(splats.objects) and {"POINTS", "CAMERA"} <= found
