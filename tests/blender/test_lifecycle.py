"""Undo, saving, disabling and enabling, cancelling."""

from __future__ import annotations

import threading

import pytest

from running_extension import RunningExtension

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

KINDS = ("objects", "collections", "meshes", "cameras", "materials", "pointclouds", "node_groups")


def contents() -> dict[str, set[str]]:
    return {kind: set(getattr(bpy.data, kind).keys()) for kind in KINDS}


def test_one_undo_removes_everything_and_redo_brings_it_back(panel) -> None:
    panel.choose_sample()
    bpy.ops.ed.undo_push(message="Settings")
    before, size = contents(), bpy.context.scene.render.resolution_x
    camera, transform = bpy.context.scene.camera.name, bpy.context.scene.view_settings.view_transform
    panel.generate()
    after = contents()
    assert after != before
    bpy.ops.ed.undo()
    assert contents() == before
    scene = bpy.context.scene
    assert (scene.render.resolution_x, scene.camera.name, scene.view_settings.view_transform) == (
        size,
        camera,
        transform,
    )
    assert scene.image_to_3d.recipe.photo_path
    bpy.ops.ed.redo()
    assert contents() == after


def test_undo_while_a_photo_is_on_its_way_is_harmless(panel) -> None:
    panel.choose_sample()
    bpy.ops.ed.undo_push(message="Settings")
    bpy.data.objects["Cube"].location.x = 3
    bpy.ops.ed.undo_push(message="Move")
    panel.press()
    bpy.ops.ed.undo()
    panel.finish()
    assert panel.session.failure is None and panel.session.last_root in bpy.data.objects


def test_a_saved_file_keeps_the_recipe(panel, addon, tmp_path) -> None:
    panel.choose_sample()
    panel.recipe.focal, panel.recipe.mm35, panel.recipe.resize_depth = "MM35", 28.0, True
    root = panel.generate().root
    values = addon.scene.recipe.values
    name, recipe, scene_recipe = root.name, values(root.image_to_3d.recipe), values(panel.recipe)
    assert recipe == scene_recipe
    path = tmp_path / "saved.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert name not in bpy.data.objects
    bpy.ops.wm.open_mainfile(filepath=str(path))
    root = bpy.data.objects[name]
    assert values(root.image_to_3d.recipe) == recipe and values(panel.recipe) == scene_recipe
    assert root.image_to_3d.outcome.points > 0
    assert addon.scene.roles.find(root).camera.data.background_images[0].image is not None


def test_the_recipe_of_an_object_can_be_edited_and_run_again(panel, addon) -> None:
    panel.choose_sample()
    root = panel.generate().root
    recipe = addon.scene.recipe.values(root.image_to_3d.recipe)
    panel.recipe.photo_path, panel.recipe.engine = "/elsewhere.jpg", "lite"
    bpy.context.view_layer.objects.active = root.children[0]
    assert bpy.ops.image_to_3d.edit_recipe() == {"FINISHED"}
    assert addon.scene.recipe.values(panel.recipe) == recipe
    panel.recipe.engine = "lite"
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    assert bpy.ops.image_to_3d.edit_recipe() == {"FINISHED"}, "the panel shows the last photo"
    assert addon.scene.recipe.values(panel.recipe) == recipe


def test_disabling_leaves_nothing_behind_and_enabling_works(panel, addon) -> None:
    import addon_utils

    def hooks() -> int:
        handlers = bpy.app.handlers
        lists = (
            handlers.load_pre,
            handlers.load_post,
            handlers.depsgraph_update_post,
            handlers.undo_post,
            handlers.redo_post,
        )
        return sum(len(functions) for functions in lists)

    panel.choose_sample()
    panel.press()
    enabled_hooks = hooks()
    name = addon.__name__
    addon_utils.disable(name)
    try:
        assert not any(thread.name == "image-to-3d client" for thread in threading.enumerate())
        assert hooks() < enabled_hooks
        assert not bpy.app.timers.is_registered(addon.runtime.pump._on_timer)
        assert not hasattr(bpy.types.Scene, "image_to_3d") and not hasattr(bpy.types, "IMAGE_TO_3D_PT_main")
        assert not addon.runtime.objects.running()
    finally:
        addon_utils.enable(name)
    assert hooks() == enabled_hooks
    panel.session = RunningExtension(addon)
    panel.choose_sample()
    assert panel.generate().points is not None


def test_cancel_frees_the_panel_at_once_and_nothing_comes(panel) -> None:
    panel.choose_sample()
    before = contents()
    panel.press()
    panel.pump_until_working()
    assert bpy.ops.image_to_3d.cancel() == {"FINISHED"}
    assert panel.session.job is None and panel.session.failure is None
    panel.generate()
    assert len(bpy.data.objects) == len(before["objects"]) + 4


def test_cancel_while_the_backend_starts(panel_without_backend, monkeypatch, tmp_path) -> None:
    import sys
    import time

    panel = panel_without_backend
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path))
    panel.package.backend.settings.get().command = f'"{sys.executable}" -c "import time; time.sleep(5)"'
    panel.choose_sample()
    panel.press()
    panel.pump_until(lambda: panel.session.job.stage == "start")
    panel.session.cancel()
    end = time.monotonic() + 2
    client = panel.session.connection._client
    while time.monotonic() < end and not any(event.error for event in client.poll()):
        time.sleep(0.02)
    assert time.monotonic() < end, "the client's thread still waits for a backend that nobody wants"


def test_a_new_file_drops_the_photo_on_its_way(panel) -> None:
    panel.choose_sample()
    panel.press()
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert panel.session.job is None
    panel.finish()
    assert len(bpy.data.collections) == 1
