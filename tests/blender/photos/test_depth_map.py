"""The button *Depth Map*: the photo's depth as an image, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


def pixels(image) -> np.ndarray:
    """(h, w, 4), top row first."""
    flat = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    return flat.reshape(image.size[1], image.size[0], 4)[::-1]


def press(panel) -> None:
    assert bpy.ops.image_to_3d.depth_map() == {"FINISHED"}
    panel.session.wait(120)


def test_the_depth_map_is_an_image_near_is_bright(panel) -> None:
    from image_to_3d.core.depth.heat_maps import HeatScale, heat_map

    panel.choose_sample()
    panel.recipe.density, panel.recipe.depth_max = "QUARTER", 2.0  # the image is whole all the same
    before = set(bpy.data.objects.keys())
    press(panel)
    assert set(bpy.data.objects.keys()) == before
    image = bpy.data.images["photo Depth"]
    assert tuple(image.size) == (960, 640) and image.packed_file is not None
    near, far = image["near_m"], image["far_m"]
    assert 2 < near < 3.5 < far < 20  # the hedge outside the window
    shown = pixels(image)
    depth = bpy.data.images.load(bpy.path.abspath(panel.recipe.depth_path))
    assert tuple(depth.size) == (960, 640)
    brightness = shown[..., :3].sum(axis=2)
    assert brightness[-40:].mean() > 2 * brightness[300:340, 400:560].mean()  # floor before the camera, far wall
    # The darkest and the brightest colours of the map are there, and no other colours.
    scale = heat_map(np.linspace(0, 1, 1024)[None], HeatScale(0.0, 1.0))[0].astype(int)
    scale = np.append(scale, [[0, 0, 0]], axis=0)  # unknown: the sky in the window
    some = np.rint(shown[::37, ::41, :3].reshape(-1, 3) * 255).astype(int)
    assert np.abs(some[:, None] - scale[None]).max(axis=2).min(axis=1).max() <= 2


def test_a_second_map_takes_the_place_of_the_first_and_undo_takes_it_away(panel) -> None:
    panel.choose_sample()
    press(panel)
    first = pixels(bpy.data.images["photo Depth"])
    press(panel)
    assert [i.name for i in bpy.data.images if "Depth" in i.name] == ["photo Depth"]
    np.testing.assert_array_equal(pixels(bpy.data.images["photo Depth"]), first)
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert "photo Depth" not in bpy.data.images


def test_without_a_photo_it_is_one_sentence(panel) -> None:
    assert bpy.ops.image_to_3d.depth_map() == {"CANCELLED"}
    assert panel.session.failure is not None and "\n" not in panel.session.failure.message


def test_an_engine_without_weights_is_one_sentence(panel) -> None:
    panel.choose_sample()
    panel.recipe.depth_path, panel.recipe.engine = "", "midas-small"
    assert bpy.ops.image_to_3d.depth_map() == {"FINISHED"}
    with pytest.raises(Exception, match="weights"):
        panel.session.wait(120)
    assert "photo Depth" not in bpy.data.images
