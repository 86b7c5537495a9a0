"""What the sidebar says, read from a layout that only takes notes: bpy without a window draws no panels."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from paths import SAMPLE  # noqa: E402
from photos import with_orientation  # noqa: E402
from running_extension import RunningExtension  # noqa: E402


class Notes:
    """A layout that remembers what was put into it."""

    def __init__(self, parent: Notes | None = None) -> None:
        self.texts: list[str] = parent.texts if parent else []
        self.operators: list[tuple[str, SimpleNamespace]] = parent.operators if parent else []
        self.icons: list[int] = parent.icons if parent else []
        self.props: list[str] = parent.props if parent else []

    def _child(self, *_: object, **__: object) -> Notes:
        return Notes(self)

    row = column = box = split = grid_flow = _child

    def label(self, text: str = "", **_: object) -> None:
        self.texts.append(text)

    def operator(self, name: str, **options: object) -> SimpleNamespace:
        self.operators.append((name, SimpleNamespace(**options)))
        return self.operators[-1][1]

    def prop(self, data: object, name: str, **_: object) -> None:
        assert name in data.bl_rna.properties, f"{data} has no {name}"
        self.props.append(name)

    def template_icon(self, icon: int, **_: object) -> None:
        self.icons.append(icon)

    def template_ID(self, *_: object, **__: object) -> None:
        pass

    def progress(self, factor: float, text: str) -> None:
        assert 0 <= factor <= 1
        self.texts.append(text)

    def separator(self, **_: object) -> None:
        pass

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def named(self, name: str) -> SimpleNamespace | None:
        return next((options for operator, options in self.operators if operator == f"image_to_3d.{name}"), None)


@pytest.fixture
def draw(addon):
    """Draw a panel of the add-on until everything that it asked for is known."""

    def drawn(name: str, active: object = None, image: object = None) -> Notes:
        context = SimpleNamespace(
            scene=bpy.context.scene,
            object=active or bpy.context.object,
            region=SimpleNamespace(width=400),
            preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0), addons=bpy.context.preferences.addons),
            space_data=SimpleNamespace(image=image),
        )
        cls = getattr(bpy.types, f"IMAGE_TO_3D_PT_{name}")
        if hasattr(cls, "poll"):
            assert cls.poll(context)
        while True:
            notes = Notes()
            cls.draw(SimpleNamespace(layout=notes), context)
            session = RunningExtension(addon)
            info = session.of(addon.photos.info.PhotoInfo)
            if not (addon.photos.info.looking() or info.to_turn):
                break
            while addon.photos.info.looking() or info.to_turn:
                session.pump()
                time.sleep(0.01)
        return notes

    return drawn


def test_the_focal_length_is_known_before_the_run_without_a_backend(panel_without_backend, draw) -> None:
    panel = panel_without_backend
    panel.recipe.photo_path = str(SAMPLE / "photo.jpg")
    notes = draw("settings")
    assert "26.0 mm, 69° wide (from the photo)" in notes.text and "type it" not in notes.text
    panel.recipe.focal, panel.recipe.fov = "FOV", np.radians(50)
    assert "50° wide (typed in)" in draw("settings").text
    panel.recipe.focal, panel.recipe.mm35 = "MM35", 50.0
    assert "50.0 mm, 40° wide (typed in)" in draw("settings").text


def test_a_photo_without_a_focal_length_warns(panel_without_backend, draw, tmp_path: Path) -> None:
    image = bpy.data.images.new("Plain", 30, 20)
    image.filepath_raw, image.file_format = str(tmp_path / "plain.png"), "PNG"
    image.save()
    panel_without_backend.recipe.photo_path = str(tmp_path / "plain.png")
    notes = draw("settings")
    assert "30.0 mm" in notes.text and "(assumed)" in notes.text and "type it above" in notes.text


def test_a_packed_image_tells_its_focal_length_too(panel_without_backend, draw) -> None:
    image = bpy.data.images.load(str(SAMPLE / "photo.jpg"))
    image.pack()
    panel_without_backend.recipe.source, panel_without_backend.recipe.image = "IMAGE", image
    assert "26.0 mm, 69° wide (from the photo)" in draw("settings").text


def test_one_odd_photo_does_not_hide_what_is_known_of_others(
    panel_without_backend, addon, draw, tmp_path: Path, monkeypatch
) -> None:
    """Even one whose reading fails in a way that nobody foresaw."""
    read = addon.photos.info.photo_head

    def head(path: Path):
        if Path(path).name == "odd.jpg":
            raise RuntimeError("nobody foresaw this")
        return read(path)

    monkeypatch.setattr(addon.photos.info, "photo_head", head)
    recipe = panel_without_backend.recipe
    (tmp_path / "odd.jpg").write_bytes(b"odd")
    recipe.photo_path = str(tmp_path / "odd.jpg")
    assert "(from the photo)" not in draw("settings").text
    recipe.photo_path = str(SAMPLE / "photo.jpg")
    assert "26.0 mm, 69° wide (from the photo)" in draw("settings").text


def test_a_small_picture_stands_upright(panel_without_backend, addon, draw, tmp_path: Path) -> None:
    path = tmp_path / "sideways.jpg"
    path.write_bytes(with_orientation((SAMPLE / "photo.jpg").read_bytes(), 6))
    panel_without_backend.recipe.photo_path = str(path)
    draw("main")
    photos = RunningExtension(addon).of(addon.photos.info.PhotoInfo)
    (key,) = [key for key in photos.previews if "sideways" in key]
    width, height = photos.previews[key].image_size
    assert width < height, "turned, once Blender has read it"


def test_a_photo_that_is_not_there_can_be_found_again(panel, draw, tmp_path: Path) -> None:
    moved, now = tmp_path / "holiday.jpg", tmp_path / "elsewhere" / "holiday.jpg"
    shutil.copy(SAMPLE / "photo.jpg", moved)
    panel.choose_sample()
    panel.recipe.photo_path = str(moved)
    root = panel.generate().root
    now.parent.mkdir()
    moved.rename(now)
    panel.session.of(panel.package.photos.info.PhotoInfo).entries.clear()  # as after opening the file again
    notes = draw("recipe", root)
    asked = notes.named("find_photo")
    assert (
        f"There is no photo {moved}." in notes.text.replace("/ ", "/") and asked.root == root.name and not notes.icons
    )
    assert bpy.ops.image_to_3d.find_photo(root=asked.root, depth=asked.depth, filepath=str(moved)) == {"CANCELLED"}
    assert bpy.ops.image_to_3d.find_photo(root=asked.root, depth=asked.depth, filepath=str(now)) == {"FINISHED"}
    assert "There is no photo" not in draw("recipe", root).text
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert len([obj for obj in bpy.data.objects if obj.image_to_3d.role == "ROOT"]) == 1


def test_a_depth_file_that_is_not_there_is_named(panel_without_backend, draw, tmp_path: Path) -> None:
    panel = panel_without_backend
    panel.choose_sample()
    panel.recipe.depth_path = str(tmp_path / "gone.npy")
    notes = draw("settings")
    assert "There is no depth file" in notes.text and notes.named("find_photo").depth
    assert bpy.ops.image_to_3d.find_photo(depth=True, filepath=str(SAMPLE / "depth_mm.png")) == {"FINISHED"}
    assert panel.recipe.depth_path == str(SAMPLE / "depth_mm.png")


def test_the_engine_is_known_in_part_before_the_backend_is(panel_without_backend, draw, monkeypatch) -> None:
    monkeypatch.setattr(panel_without_backend.session, "welcome", None)
    panel_without_backend.recipe.engine = "dpt-large"
    notes = draw("settings")
    assert (
        notes.named("test_connection") and "Free to use (MIT)" in notes.text and "Not metric: calibrate" in notes.text
    )


def test_the_engine_says_its_state_and_licence(panel, draw, monkeypatch) -> None:
    bpy.ops.image_to_3d.test_connection()
    panel.finish()
    panel.recipe.engine = "dpt-large"
    notes = draw("settings")
    assert "Its weights are missing" in notes.text and "Get Weights shows the licence" in notes.text
    assert notes.named("fetch_weights").engine == "dpt-large" and "image-to-3d weights" not in notes.text
    remote = SimpleNamespace(location="REMOTE", engine="auto")
    monkeypatch.setattr(panel.package.backend.settings, "get", lambda context=None: remote)
    notes = draw("settings")
    assert "image-to-3d weights fetch dpt-large" in notes.text and not notes.named("fetch_weights")
    monkeypatch.undo()
    panel.recipe.engine = "lite"
    text = draw("settings").text
    assert "Ready" in text and "comes with the backend" in text and "Not metric" not in text
    panel.recipe.engine = "depth-map"
    assert "This engine needs a depth file." in draw("settings").text
    panel.recipe.engine = "sharp"
    assert "research only" in draw("settings").text
    panel.recipe.engine = "auto"
    assert "Lite: Ready" in draw("settings").text
    panel.recipe.depth_path = str(SAMPLE / "depth_mm.png")
    assert "Depth File: Ready" in draw("settings").text


def test_progress_queue_and_cancel(panel, draw) -> None:
    panel.choose_sample()
    assert draw("main").named("generate").icon == "OUTLINER_OB_POINTCLOUD"
    panel.press()
    notes = draw("main")
    assert "0%" in notes.texts and notes.named("cancel") and not notes.named("cancel_all")
    panel.press()
    notes = draw("main")
    assert notes.named("generate").text == "Add to Queue" and notes.named("cancel_all")
    assert notes.named("remove_job").number == panel.session.waiting[0].number
    panel.session.cancel_all()
    notes = draw("main")
    assert not notes.named("cancel") and not notes.named("remove_job")


def test_a_photo_that_is_not_there_is_said_once(panel, draw, tmp_path: Path) -> None:
    panel.recipe.photo_path = str(tmp_path / "gone.jpg")
    panel.press()
    panel.finish()
    notes = draw("main")
    assert notes.text.count("gone.jpg") == 1 and notes.named("find_photo"), notes.text
    panel.choose_sample()
    assert "There is no file" in draw("main").text, "the failure stays until something else is asked for"


def test_weights_that_are_missing_are_those_of_the_engine_that_failed(panel, draw) -> None:
    panel.choose_sample()
    panel.recipe.engine = "midas-small"
    panel.press()
    panel.finish()
    assert draw("main").named("fetch_weights").engine == "midas-small"


def test_size_and_focal_length_stand_beside_the_small_picture(panel_without_backend, draw, monkeypatch) -> None:
    monkeypatch.setattr(panel_without_backend.package.photos.info, "icon", lambda path: 7)  # 0 without a window
    panel_without_backend.recipe.photo_path = str(SAMPLE / "photo.jpg")
    notes = draw("main")
    assert notes.icons and {"960 × 640 px", "26.0 mm (from photo)"} <= set(notes.texts)


def test_they_are_shown_without_a_small_picture_too(panel_without_backend, draw) -> None:
    panel_without_backend.recipe.photo_path = str(SAMPLE / "photo.jpg")
    assert {"960 × 640 px", "26.0 mm (from photo)"} <= set(draw("main").texts)


def test_an_image_that_was_just_loaded_has_a_small_picture(panel_without_backend, draw) -> None:
    recipe = panel_without_backend.recipe
    recipe.source, recipe.image = "IMAGE", bpy.data.images.load(str(SAMPLE / "photo.jpg"))
    assert recipe.image.preview is None
    notes = draw("main")
    assert recipe.image.preview is not None
    assert {"960 × 640 px", "26.0 mm (from photo)"} <= set(notes.texts)


def test_the_image_editor_says_what_it_will_do_with_its_image(
    panel_without_backend, draw, monkeypatch, tmp_path: Path
) -> None:
    package = panel_without_backend.package
    monkeypatch.setattr(panel_without_backend.session, "welcome", None)
    monkeypatch.setenv("IMAGE_TO_3D_BACKEND", "")
    monkeypatch.setattr(package.backend.process, "EXECUTABLE", "nowhere-to-be-found")
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path))
    package.backend.panel.invalidate()
    panel_without_backend.recipe.photo_path = "/another.jpg"
    panel_without_backend.recipe.engine = "sharp"
    notes = draw("image_editor", image=bpy.data.images.load(str(SAMPLE / "photo.jpg")))
    package.backend.panel.invalidate()
    assert "26.0 mm, 69° wide (from the photo)" in notes.text and "research only" in notes.text
    assert notes.named("generate_shown") and notes.named("install_backend") and "/another.jpg" not in notes.text
    assert draw("image_editor").named("generate_shown")


def test_failures_of_several_photos_are_listed(panel, draw, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("This is a letter.")
    files = [{"name": "a.jpg"}, {"name": "b.jpg"}]
    bpy.ops.image_to_3d.import_photo(directory=str(tmp_path), files=files)
    panel.finish()
    notes = draw("main")
    assert {"a.jpg", "b.jpg"} <= set(notes.texts) and notes.named("retry_job") and "cannot be read" in notes.text


def test_one_failure_of_several_photos_stays_listed(panel, draw, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("This is a letter.")
    shutil.copy(SAMPLE / "photo.jpg", tmp_path / "b.jpg")
    panel.recipe.engine = "lite"
    bpy.ops.image_to_3d.import_photo(directory=str(tmp_path), files=[{"name": "a.jpg"}, {"name": "b.jpg"}])
    panel.finish(120)
    notes = draw("main")
    assert "a.jpg" in notes.texts and notes.named("retry_job").number == panel.session.failed[0].number


def test_trying_one_failure_again_leaves_the_others_listed(panel, draw, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("This is a letter.")
    bpy.ops.image_to_3d.import_photo(directory=str(tmp_path), files=[{"name": "a.jpg"}, {"name": "b.jpg"}])
    panel.finish()
    first, second = panel.session.failed
    preferences = panel.package.backend.settings.get()
    preferences.location = "REMOTE"
    assert bpy.ops.image_to_3d.retry_job(number=first.number) == {"CANCELLED"}
    assert panel.session.failed == [first, second], "it was not tried"
    preferences.location = "LOCAL"
    assert bpy.ops.image_to_3d.retry_job(number=first.number) == {"FINISHED"}
    assert panel.session.failed == [second] and "b.jpg" in draw("main").texts
    panel.finish()


def test_the_result_says_how_far_its_size_can_be_trusted(panel, draw) -> None:
    panel.choose_sample()
    root = panel.generate().root
    text = draw("result", root).text
    assert (
        f"{root.image_to_3d.outcome.points:,}" in text
        and "960 × 640 px" in text
        and "Size: as the depth file has it" in text
    )
    assert not draw("result", root).named("fetch_weights")
    root.image_to_3d.outcome.engine = "lite"
    assert draw("result", root).named("fetch_weights").engine == "sharp", "the better engine, at a button"
    root.image_to_3d.outcome.engine = "sharp"
    assert "Size: sharp's estimate from one picture" in draw("result", root).text
    root.image_to_3d.outcome.metric = False
    assert "Size: not metric" in draw("result", root).text


def test_lengths_are_in_the_units_of_the_scene(panel, draw) -> None:
    panel.choose_sample()
    bpy.context.scene.unit_settings.scale_length = 0.01
    root = panel.generate().root
    metric = draw("result", root).text
    bpy.context.scene.unit_settings.system = "IMPERIAL"
    imperial = draw("result", root).text
    width = root.image_to_3d.outcome.extent[0]
    extent = " × ".join(f"{metres:.3f}" for metres in root.image_to_3d.outcome.extent)
    assert f"{extent} m" in metric and f"{int(width / 0.3048)}' " in imperial
