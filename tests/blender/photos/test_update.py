"""Update: a photo is made anew into the same objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


def update(panel):
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    return panel.package.scene.roles.find(bpy.data.objects[panel.session.last_root])


def test_the_same_objects_get_new_data_and_keep_what_a_person_did(panel) -> None:
    panel.choose_sample()
    built = panel.generate()
    built.root.location, built.root.scale = (1, 2, 3), (2, 2, 2)
    parent = bpy.data.objects["Cube"]
    built.root.parent = parent
    paint = bpy.data.materials.new("Paint")
    built.surface.data.materials[0] = paint
    built.points.modifiers.new("Mine", "NODES")
    before, count, lens = (
        set(bpy.data.objects),
        len(built.points.data.attributes["position"].data),
        built.camera.data.lens,
    )
    names = {obj.name: obj.data.name for obj in (built.points, built.camera, built.surface)}

    recipe = built.root.image_to_3d.recipe
    recipe.focal, recipe.mm35, recipe.density = "MM35", 50.0, "QUARTER"
    again = update(panel)

    assert again == built and set(bpy.data.objects) == before
    assert {obj.name: obj.data.name for obj in (again.points, again.camera, again.surface)} == names
    assert (
        tuple(again.root.location) == (1, 2, 3) and tuple(again.root.scale) == (2, 2, 2) and again.root.parent == parent
    )
    assert again.surface.data.materials[0] == paint and "Mine" in again.points.modifiers
    assert [m.name for m in again.points.data.materials] == ["Image to 3D Points"]
    assert len(again.points.data.attributes["position"].data) <= 295_000 < count
    assert again.camera.data.lens != pytest.approx(lens) and again.root.image_to_3d.outcome.mm35 == pytest.approx(50.0)
    assert len(again.camera.data.background_images) == 1
    assert len([mesh for mesh in bpy.data.meshes if "Surface" in mesh.name]) == 1, "the old surface is left behind"


def test_what_was_deleted_comes_back(panel) -> None:
    panel.choose_sample()
    built = panel.generate()
    bpy.data.objects.remove(built.surface)
    bpy.data.objects.remove(built.camera)
    again = update(panel)
    assert again.root == built.root and again.camera.parent == again.surface.parent == again.root


def test_a_photo_that_has_moved_is_named(panel, tmp_path: Path) -> None:
    panel.choose_sample()
    moved = tmp_path / "holiday.jpg"
    moved.write_bytes(Path(panel.recipe.photo_path).read_bytes())
    panel.recipe.photo_path = str(moved)
    built = panel.generate()
    moved.unlink()
    assert bpy.ops.image_to_3d.update() == {"CANCELLED"}
    assert "holiday.jpg" in panel.session.failure.message and "moved" in panel.session.failure.message
    assert panel.session.job is None and built.root.name in bpy.data.objects


def test_depth_limit_and_mask_leave_points_out(panel, addon) -> None:
    panel.choose_sample()
    mask = bpy.data.images.new("Mask", 8, 4)
    pixels = np.zeros((4, 8, 4), np.float32)
    pixels[2:, :, :3] = 1  # the upper half: rows count from the bottom
    mask.pixels.foreach_set(pixels.ravel())
    panel.recipe.mask, panel.recipe.depth_max = mask, 4.0
    built = panel.generate()
    positions = addon.scene.points.read(built.points, "position")
    assert positions[:, 1].max() <= 4.0
    assert positions[:, 2].max() < 0.02, "the upper half of the picture lies above the camera"
    assert built.root.image_to_3d.recipe.mask == mask


def texture(built):
    (material,) = [m for m in built.surface.data.materials if m is not None]
    return next(node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE")


def test_what_a_person_hid_stays_hidden(panel) -> None:
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    built = panel.generate()
    built.surface.hide_viewport, built.surface.hide_render, built.points.hide_render = True, False, True
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert (built.surface.hide_viewport, built.surface.hide_render, built.points.hide_render) == (True, False, True)
    built.root.image_to_3d.display = "SURFACE"
    assert not built.surface.hide_viewport and not built.surface.hide_render


def test_a_photo_that_was_found_again_is_the_surfaces_texture(panel, tmp_path) -> None:
    import shutil

    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    old = tmp_path / "old.jpg"
    shutil.copy(panel.recipe.photo_path, old)
    panel.recipe.photo_path = str(old)
    built = panel.generate()
    assert texture(built).filepath == str(old)
    new = old.rename(tmp_path / "new.jpg")
    assert bpy.ops.image_to_3d.find_photo(filepath=str(new), root=built.root.name) == {"FINISHED"}
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert texture(built).filepath == str(new) and texture(built).size[0] == 960


def test_a_photo_that_was_changed_on_disk_is_read_again(panel, tmp_path) -> None:
    import os

    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    image = bpy.data.images.load(panel.recipe.photo_path)
    image.scale(96, 64)
    image.filepath_raw, image.file_format = str(tmp_path / "photo.png"), "PNG"
    image.save()
    panel.recipe.photo_path, panel.recipe.engine, panel.recipe.depth_path = str(tmp_path / "photo.png"), "lite", ""
    built = panel.generate()
    before = texture(built).pixels[0]
    image.pixels[:] = [0.25, 0.25, 0.25, 1.0] * (len(image.pixels) // 4)
    image.save()
    os.utime(tmp_path / "photo.png", (1, 1))
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert texture(built).pixels[0] == pytest.approx(0.25, abs=0.01) != before


def test_a_root_that_is_renamed_meanwhile_gets_its_result(panel) -> None:
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    built = panel.generate()
    count = len(bpy.data.objects)
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    built.root.name = "Living Room"
    panel.session.wait(60)
    assert panel.session.last_root == "Living Room" and len(bpy.data.objects) == count
