"""Photos that are not files: packed, generated, painted; and photos that lie on their side."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from photos import with_orientation  # noqa: E402

WIDTH, HEIGHT = 32, 24


@pytest.fixture
def depth(tmp_path: Path) -> str:
    """Two metres everywhere."""
    path = tmp_path / "depth.npy"
    np.save(path, np.full((HEIGHT, WIDTH), 2.0, np.float32))
    return str(path)


def painted(name: str, **options) -> tuple[bpy.types.Image, np.ndarray]:
    """An unsaved image with a gradient and a red top; its values top row first."""
    image = bpy.data.images.new(name, WIDTH, HEIGHT, **options)
    values = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    values[..., 1] = np.linspace(0, 1, WIDTH)
    values[: HEIGHT // 2, :, 0] = 0.8
    values[..., 3] = 1
    image.pixels.foreach_set(values[::-1].ravel())
    image.update()
    return image, values


def choose(panel, image: bpy.types.Image, depth: str) -> None:
    panel.recipe.source, panel.recipe.image = "IMAGE", image
    panel.recipe.depth_path, panel.recipe.engine = depth, "depth-map"


def colour_grid(panel, built) -> np.ndarray:
    """Linear colours (rows, cols, 3); the grid of a small photo is its pixels."""
    colours = panel.package.scene.points.read(built.points, "colour")
    return colours[:, :3].reshape(HEIGHT, WIDTH, 3)


def test_an_unsaved_byte_image_holds_srgb(panel, depth: str) -> None:
    from image_to_3d.core.imaging.colour import srgb_to_linear

    image, values = painted("Painting")
    choose(panel, image, depth)
    built = panel.generate()
    expected = srgb_to_linear(np.rint(values[..., :3] * 255) / 255)
    np.testing.assert_allclose(colour_grid(panel, built), expected, atol=1e-6)
    assert built.camera.data.background_images[0].image == image
    assert built.root.image_to_3d.outcome.focal_source == "assumed"


def test_an_unsaved_float_image_holds_linear_light(panel, depth: str) -> None:
    from image_to_3d.core.imaging.colour import linear_to_srgb

    image, values = painted("Float", float_buffer=True)
    choose(panel, image, depth)
    built = panel.generate()
    shown, expected = linear_to_srgb(colour_grid(panel, built)), linear_to_srgb(values[..., :3])
    np.testing.assert_allclose(shown, expected, atol=0.5 / 255 + 1e-5)


def test_the_top_of_the_image_is_the_top_of_the_scene(panel, depth: str) -> None:
    image, _ = painted("Painting")
    choose(panel, image, depth)
    built = panel.generate()
    positions = panel.package.scene.points.read(built.points, "position").reshape(HEIGHT, WIDTH, 3)
    assert positions[0, 0, 2] > 0 > positions[-1, 0, 2] and positions[0, 0, 0] < 0 < positions[0, -1, 0]
    assert colour_grid(panel, built)[0, 0, 0] > 0.5 > colour_grid(panel, built)[-1, 0, 0]


def test_an_image_from_disk_keeps_its_focal_length(panel) -> None:
    choose(panel, bpy.data.images.load(str(SAMPLE / "photo.jpg")), str(SAMPLE / "depth_mm.png"))
    assert panel.generate().root.image_to_3d.outcome.focal_source == "exif35"


def test_a_packed_image_needs_its_file_no_more(panel, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    shutil.copy(SAMPLE / "photo.jpg", copy)
    image = bpy.data.images.load(str(copy))
    image.pack()
    copy.unlink()
    choose(panel, image, str(SAMPLE / "depth_mm.png"))
    assert panel.generate().root.image_to_3d.outcome.focal_source == "exif35"


def test_a_painted_file_is_taken_as_it_looks(panel, tmp_path: Path, depth: str) -> None:
    image, values = painted("Saved")
    image.filepath_raw, image.file_format = str(tmp_path / "saved.png"), "PNG"
    image.save()
    image.pixels.foreach_set((1 - values[::-1]).ravel())
    image.update()
    assert image.is_dirty
    choose(panel, image, depth)
    assert colour_grid(panel, panel.generate())[0, 0, 0] < 0.1


def test_an_image_without_pixels_is_refused(panel_without_backend) -> None:
    panel = panel_without_backend
    image = bpy.data.images.get("Render Result") or bpy.data.images.new("empty", 0, 0)
    choose(panel, image, "")
    bpy.ops.image_to_3d.generate()
    assert "holds no pixels" in panel.session.failure.message


@pytest.mark.parametrize(("orientation", "turns", "flip"), [(1, 0, False), (3, 2, False), (6, 1, False), (5, 3, True)])
def test_a_photo_taken_sideways_stands_upright_behind_the_scene(
    panel, tmp_path: Path, orientation: int, turns: int, flip: bool
) -> None:
    path = tmp_path / "sideways.jpg"
    path.write_bytes(with_orientation((SAMPLE / "photo.jpg").read_bytes(), orientation))
    panel.recipe.photo_path, panel.recipe.engine = str(path), "depth-map"
    upright = (640, 960) if turns % 2 else (960, 640)
    np.save(tmp_path / "depth.npy", np.full(upright[::-1], 2.0, np.float32))
    panel.recipe.depth_path = str(tmp_path / "depth.npy")
    built = panel.generate()
    background = built.camera.data.background_images[0]
    assert tuple(built.root.image_to_3d.outcome.size) == upright
    assert background.rotation == pytest.approx(math.radians(90 * turns)) and background.use_flip_x == flip
    assert background.scale == pytest.approx(1.5 if turns % 2 else 1.0)
