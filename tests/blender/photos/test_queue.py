"""Several photos: they wait behind each other, each can be taken out, and one that fails holds nobody up."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from paths import SAMPLE  # noqa: E402
from photos import roots, small_photo  # noqa: E402


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [small_photo(tmp_path / f"{name}.png") for name in ("one", "two", "three")]


def drop(paths: list[Path]) -> set[str]:
    """What Blender calls when files are dropped, and what multi-selection in the file browser gives."""
    files = [{"name": path.name} for path in paths]
    return bpy.ops.image_to_3d.import_photo("INVOKE_DEFAULT", directory=str(paths[0].parent), files=files)


def test_pressing_again_queues(panel, tmp_path: Path) -> None:
    panel.choose_sample()
    panel.press()
    other = tmp_path / "other.jpg"
    shutil.copy(SAMPLE / "photo.jpg", other)
    panel.recipe.photo_path, panel.recipe.density = str(other), "QUARTER"
    panel.press()
    assert [job.source.name for job in panel.session.waiting] == ["other.jpg"]
    panel.session.wait(60)
    assert roots() == ["other", "photo"]
    points = {name: bpy.data.objects[name].image_to_3d.outcome.points for name in roots()}
    assert points["other"] <= 295_000 < points["photo"], "each photo has the settings of the moment it was queued"


def test_several_photos_at_once_become_several_roots(panel, photos) -> None:
    panel.choose_sample()
    panel.recipe.surface_vertices = 0
    panel.recipe.mask = bpy.data.images.new("Mask", 4, 4)
    assert drop(photos) == {"FINISHED"}
    assert panel.session.job.source.name == "one.png" and len(panel.session.waiting) == 2
    panel.session.wait(120)
    assert roots() == ["one", "three", "two"]
    recipe = bpy.data.objects["two"].image_to_3d.recipe
    assert Path(recipe.photo_path).name == "two.png"
    assert (recipe.depth_path, recipe.mask, recipe.engine) == ("", None, "auto"), "they belong to another photo"
    assert Path(panel.recipe.photo_path).name == "one.png", "the panel shows what was dropped"


def test_a_photo_that_fails_holds_nobody_up_and_can_be_tried_again(panel, photos) -> None:
    content = photos[1].read_bytes()
    photos[1].write_text("This is a letter.")
    drop(photos)
    panel.finish(120)
    assert roots() == ["one", "three"]
    (failed,) = panel.session.failed
    assert failed.source.name == "two.png" and "two.png" in panel.session.failure.message
    photos[1].write_bytes(content)
    assert bpy.ops.image_to_3d.retry_job(number=failed.number) == {"FINISHED"}
    panel.session.wait(60)
    assert roots() == ["one", "three", "two"] and not panel.session.failed


def test_each_can_be_taken_out(panel, photos) -> None:
    drop(photos)
    bpy.ops.image_to_3d.remove_job(number=panel.session.waiting[0].number)
    panel.session.wait(60)
    assert roots() == ["one", "three"]


def test_cancel_goes_on_with_the_next_and_cancel_all_with_none(panel, photos) -> None:
    drop(photos)
    assert bpy.ops.image_to_3d.cancel() == {"FINISHED"}
    panel.session.pump()
    assert panel.session.job.source.name == "two.png"
    assert bpy.ops.image_to_3d.cancel_all() == {"FINISHED"}
    assert not panel.session.busy and not bpy.ops.image_to_3d.cancel_all.poll()
    panel.finish()
    assert roots() == [] and panel.session.failure is None


def test_a_new_file_empties_the_queue(panel, photos) -> None:
    drop(photos)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert panel.session.job is None and not panel.session.waiting and not panel.session.failed
    panel.finish()
    assert roots() == []


def test_update_waits_behind_a_photo(panel, photos) -> None:
    panel.choose_sample()
    built = panel.generate()
    drop(photos[:1])
    built.root.image_to_3d.recipe.density = "QUARTER"
    bpy.context.view_layer.objects.active = built.root
    assert bpy.ops.image_to_3d.update() == {"FINISHED"} and len(panel.session.waiting) == 1
    panel.session.wait(60)
    assert roots() == ["one", "photo"] and built.root.image_to_3d.outcome.points <= 295_000


def test_settings_that_lead_nowhere_fail_every_photo_with_a_sentence(panel, photos) -> None:
    drop(photos)
    preferences = panel.package.backend.settings.get()
    preferences.location = "REMOTE"
    panel.finish(60)
    assert len(panel.session.failed) == 2 and "address" in panel.session.failure.message
    assert roots() == ["one"]


def test_settings_that_change_meanwhile_begin_the_photo_anew(panel, photos) -> None:
    panel.recipe.engine = "lite"
    drop(photos)
    panel.pump_until(lambda: panel.session.job.stage not in {"read", "start", "connect"})
    number = panel.session.job.number
    panel.package.backend.settings.get().idle_minutes = 31
    assert bpy.ops.image_to_3d.test_connection() == {"FINISHED"}
    panel.session.pump()
    assert panel.session.job.number == number, "before those that wait"
    panel.session.wait(60)
    assert roots() == ["one", "three", "two"] and panel.session.status is not None


def test_a_backend_that_was_just_installed_does_the_photo_anew(panel) -> None:
    panel.choose_sample()
    panel.press()
    panel.pump_until_working()
    panel.package.backend.operators.installation._use()
    panel.session.wait(60)
    assert roots() == ["photo"] and panel.session.status is not None


def test_photo_files_find_the_importer(addon) -> None:
    handler = bpy.types.IMAGE_TO_3D_FH_photo
    assert handler.bl_import_operator == "image_to_3d.import_photo"
    suffixes = set(handler.bl_file_extensions.split(";"))
    assert {".jpg", ".heic", ".png", ".webp"} <= suffixes
    area = type("Area", (), {"type": "VIEW_3D"})
    assert handler.poll_drop(type("Context", (), {"area": area}))
    assert not handler.poll_drop(type("Context", (), {"area": None}))
