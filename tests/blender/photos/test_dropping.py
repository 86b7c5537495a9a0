"""Files that are dropped: what Blender itself does after the mouse has let go, which finds the handlers and calls one of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from paths import SAMPLE  # noqa: E402
from photos import roots, small_photo  # noqa: E402


def over(kind: str):
    """The mouse over an editor of a kind."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = kind
    return bpy.context.temp_override(window=window, area=area)


def drop(kind: str, *paths: Path) -> set[str]:
    """Blender's own answer to a drop."""
    files = [{"name": path.name} for path in paths]
    with over(kind):
        return bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(paths[0].parent), files=files)


@pytest.fixture
def session(panel, monkeypatch):
    """Blender takes the first handler here, and asks a person in a window: those that it brings for pictures stand aside."""
    panel.recipe.engine = "lite"
    own = [
        cls
        for cls in bpy.types.FileHandler.__subclasses__()
        if cls.is_registered and ".jpg" in cls.bl_file_extensions and not cls.__name__.startswith("IMAGE_TO_3D")
    ]
    for cls in own:
        bpy.utils.unregister_class(cls)
    yield panel.session
    for cls in own:
        bpy.utils.register_class(cls)
    panel.session.cancel_all()


OPERATOR = "drop_import_file" in dir(bpy.ops.wm)
needs_operator = pytest.mark.skipif(not OPERATOR, reason="this Blender has no operator for drops")


@needs_operator
@pytest.mark.parametrize("kind", ["VIEW_3D", "OUTLINER"])
def test_blender_gives_a_dropped_photo_to_the_add_on(session, tmp_path: Path, kind: str) -> None:
    photo = tmp_path / "holiday.jpg"
    shutil.copy(SAMPLE / "photo.jpg", photo)
    assert drop(kind, photo) == {"FINISHED"}
    assert session.job is not None and session.job.source.name == "holiday.jpg"


@needs_operator
def test_several_dropped_photos_are_queued(session, tmp_path: Path) -> None:
    photos = [small_photo(tmp_path / f"{name}.png") for name in ("one", "two", "three")]
    drop("OUTLINER", *photos)
    assert [session.job.source.name, *(job.source.name for job in session.waiting)] == [
        "one.png",
        "two.png",
        "three.png",
    ]


@needs_operator
def test_dropped_splats_are_loaded(panel, tmp_path: Path) -> None:
    panel.choose_sample()
    root = panel.generate().root
    path = tmp_path / "scene.splat"  # a .ply may also be a mesh: in a window Blender asks
    assert bpy.ops.image_to_3d.export_splats(filepath=str(path)) == {"FINISHED"}
    panel.finish()
    drop("VIEW_3D", path)
    panel.finish()
    assert len(roots()) == 2 and root.name in roots()


@pytest.mark.parametrize("another", [False, True])
def test_an_image_on_show_takes_no_depth_file_and_mask_of_another_photo(panel, tmp_path: Path, another: bool) -> None:
    panel.choose_sample()
    panel.recipe.mask = bpy.data.images.new("Mask", 4, 4)
    path = small_photo(tmp_path / "one.png") if another else SAMPLE / "photo.jpg"
    with over("IMAGE_EDITOR"):
        bpy.context.space_data.image = bpy.data.images.load(str(path))
        assert bpy.ops.image_to_3d.generate_shown() == {"FINISHED"}
    job = panel.session.job
    assert job.source.name == path.name
    assert (job.depth_path == "", job.fields["mask"] is None, job.fields["engine"] == "auto") == (another,) * 3
    panel.session.cancel_all()


def test_the_handlers_say_what_they_take_and_where(addon) -> None:
    from image_to_3d.file_kinds import PHOTOS, suffixes

    photo, splats = bpy.types.IMAGE_TO_3D_FH_photo, bpy.types.IMAGE_TO_3D_FH_splats
    assert photo.bl_file_extensions.split(";") == list(suffixes(PHOTOS))
    assert set(splats.bl_file_extensions.split(";")) == {".ply", ".splat", ".spz"}
    for handler in (photo, splats):
        category, name = handler.bl_import_operator.split(".")
        properties = getattr(getattr(bpy.ops, category), name).get_rna_type().properties
        assert {"directory", "files"} <= set(properties.keys()), "Blender fills them in"
        for kind, taken in (("VIEW_3D", True), ("TEXT_EDITOR", False), ("PROPERTIES", False)):
            with over(kind):
                assert handler.poll_drop(bpy.context) == taken, (handler, kind)
