"""F12 with the engine "Image to 3D Splats" gives what ``image-to-3d render`` gives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from pictures import BACKEND_PYTHON, as_png, read_png, render  # noqa: E402 - after the check for bpy

ENGINE = "IMAGE_TO_3D_SPLATS"

_DRAW = """
import sys
from pathlib import Path
import numpy as np
from image_to_3d.io.camera_paths import read_camera_path
from image_to_3d.io.ply import read_ply
from image_to_3d.render import Instance, RenderSettings, choose_renderer
renderer, _ = choose_renderer("cpu")
cloud = read_ply(Path(sys.argv[1]))
frames = [renderer.render([Instance(cloud)], c, RenderSettings()) for c in read_camera_path(Path(sys.argv[2])).cameras]
np.savez(sys.argv[3], colour=[f.colour for f in frames], alpha=[f.alpha for f in frames],
         depth=[f.expected_depth() for f in frames])
"""


@pytest.fixture
def room(panel):
    """The sample room, to be rendered at a sixth of its size."""
    panel.choose_sample()
    panel.recipe.density, panel.recipe.surface_vertices = "QUARTER", 0  # for the time it takes
    built = panel.generate()
    scene = bpy.context.scene
    scene.render.engine = ENGINE
    scene.render.resolution_percentage = 17
    scene.render.film_transparent = True
    return built


def drawn(tmp_path: Path, frame: str) -> dict[str, np.ndarray]:
    """The same pictures by the backend's renderer, from the exported cloud and the exported camera path."""
    cloud, path, arrays = tmp_path / "cloud.ply", tmp_path / "path.json", tmp_path / "frames.npz"
    assert bpy.ops.image_to_3d.export_camera_path(filepath=str(path), frame=frame) == {"FINISHED"}
    bpy.ops.image_to_3d.export_splats(filepath=str(cloud), apply_transform=frame == "WORLD")
    pump = __import__("bl_ext.user_default.image_to_3d.runtime.pump", fromlist=["wait"])
    pump.wait(60)
    subprocess.run([BACKEND_PYTHON, "-c", _DRAW, cloud, path, arrays], check=True)
    with np.load(arrays) as found:
        return dict(found)


def assert_same_picture(rendered: dict[str, np.ndarray], expected: dict[str, np.ndarray], index: int = 0) -> None:
    colour = np.dstack([expected["colour"][index], expected["alpha"][index]])
    assert rendered["Combined"].shape == colour.shape
    difference = np.abs(rendered["Combined"] - colour).max(-1)
    # Pixels where rounding of the exported cloud decides whether one more Gaussian is drawn are few.
    assert np.quantile(difference, 0.999) < 1e-4, np.quantile(difference, [0.9, 0.99, 0.999, 1])
    covered = expected["alpha"][index] > 0.5
    assert covered.mean() > 0.5
    ratio = rendered["Depth"][covered] / expected["depth"][index][covered]
    assert np.quantile(np.abs(ratio - 1), 0.999) < 1e-4


def place(root) -> None:
    from mathutils import Euler, Matrix

    root.matrix_world = Matrix.LocRotScale((1.0, 2.0, 3.0), Euler((0.1, 0.2, 0.3)), (1.7, 1.7, 1.7))
    bpy.context.view_layer.update()


def test_f12_is_what_the_command_line_renders(room, tmp_path) -> None:
    scene = bpy.context.scene
    scene.frame_end = 1
    room.camera.location.x += 0.1
    room.camera.data.shift_x += 0.05
    room.camera.data.lens *= 0.9
    expected = drawn(tmp_path, "PHOTO")
    first = render(tmp_path)
    assert_same_picture(first, expected)
    assert (first["Combined"][..., 3] < 0.5).any()  # beyond the photo there is nothing
    nothing = expected["alpha"][0] == 0
    assert nothing.any() and (first["Depth"][nothing] == np.float32(1e10)).all()


def test_an_orthographic_camera_and_a_placed_photo(room, tmp_path) -> None:
    place(room.root)
    scene = bpy.context.scene
    scene.frame_end = 1
    room.camera.data.type, room.camera.data.ortho_scale = "ORTHO", 6.0
    if bpy.app.version[:2] != (5, 0):  # which cannot write such pixels into an EXR file
        scene.render.pixel_aspect_x = 1.3
    rendered, expected = render(tmp_path), drawn(tmp_path, "PHOTO")
    expected["depth"] = expected["depth"] * 1.7  # of the photo's frame, which is 1.7 times as large in the scene
    assert_same_picture(rendered, expected)


def test_an_animated_move(room, tmp_path) -> None:
    bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=3)
    scene = bpy.context.scene
    scene.render.resolution_percentage = 17
    expected = drawn(tmp_path, "WORLD")
    assert len(expected["colour"]) == 3
    for frame in (1, 2, 3):
        scene.frame_set(frame)
        assert_same_picture(render(tmp_path, f"picture{frame}"), expected, frame - 1)


def test_png_pixels_are_those_of_the_command_line(room, tmp_path) -> None:
    from image_to_3d.io.camera_paths import read_camera_path

    scene = bpy.context.scene
    scene.frame_end, scene.render.dither_intensity = 1, 0.0
    drawn(tmp_path, "PHOTO")
    assert read_camera_path(tmp_path / "path.json").cameras[0].size == camera_size(scene)
    command = [BACKEND_PYTHON, "-m", "image_to_3d", "render", tmp_path / "cloud.ply", "-o", tmp_path / "out"]
    subprocess.run(
        [*command, "--trajectory", tmp_path / "path.json", "--write", "png", "--renderer", "cpu"], check=True
    )
    as_png()
    scene.render.filepath = str(tmp_path / "blender.png")
    bpy.ops.render.render(write_still=True)
    ours, theirs = read_png(tmp_path / "blender.png"), read_png(tmp_path / "out" / "cloud.png")
    assert ours.shape == theirs.shape
    opaque = theirs[..., 3] > 127
    assert opaque.mean() > 0.9 and np.abs(ours - theirs)[opaque].max() <= 1
    assert np.abs(ours[..., 3] - theirs[..., 3]).max() <= 1


def camera_size(scene) -> tuple[int, int]:
    share = scene.render.resolution_percentage
    return scene.render.resolution_x * share // 100, scene.render.resolution_y * share // 100


def test_the_background_is_the_worlds_unless_the_film_is_transparent(room, tmp_path) -> None:
    scene = bpy.context.scene
    room.camera.data.lens *= 0.5  # much beyond the photo
    without = render(tmp_path, "transparent")["Combined"]
    scene.render.film_transparent = False
    background = next(node for node in scene.world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value, background.inputs["Strength"].default_value = (0.2, 0.4, 0.1, 1), 2.0
    filled = render(tmp_path, "filled")["Combined"]
    expected = without[..., :3] + (1 - without[..., 3:]) * np.array([0.4, 0.8, 0.2])
    np.testing.assert_allclose(filled[..., :3], expected, atol=1e-5)
    assert np.allclose(filled[..., 3], 1)


@pytest.mark.parametrize("crop", [True, False])
def test_a_border_is_a_part_of_the_whole_picture(room, tmp_path, crop: bool) -> None:
    scene = bpy.context.scene
    whole = render(tmp_path, "whole")["Combined"]
    scene.render.use_border, scene.render.use_crop_to_border = True, crop
    scene.render.border_min_x, scene.render.border_max_x = 0.21, 0.77
    scene.render.border_min_y, scene.render.border_max_y = 0.13, 0.55
    part = render(tmp_path, "part")["Combined"]
    height, width = whole.shape[:2]
    left, right = int(np.float32(0.21) * width), int(np.float32(0.77) * width)
    top, bottom = height - int(np.float32(0.55) * height), height - int(np.float32(0.13) * height)
    if crop:
        np.testing.assert_array_equal(part, whole[top:bottom, left:right])
    else:
        np.testing.assert_array_equal(part[top:bottom, left:right], whole[top:bottom, left:right])
        assert part.shape == whole.shape and (part[:top] == 0).all()


def test_two_photos_and_an_instance_are_drawn_together(room, tmp_path, panel) -> None:
    alone = render(tmp_path, "alone")
    from mathutils import Matrix

    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", room.collection
    bpy.context.scene.collection.objects.link(instance)
    instance.matrix_world = Matrix.Translation((0, -1.0, 0.0)) @ Matrix.Scale(0.5, 4)
    both = render(tmp_path, "both")
    covered = (alone["Depth"] < 1e9) & (both["Depth"] < 1e9)
    # The half-size copy is nearer than the room almost everywhere.
    assert np.median(both["Depth"][covered] / alone["Depth"][covered]) < 0.9
    assert (np.abs(both["Combined"] - alone["Combined"]).max(-1) > 0.02).mean() > 0.2


def test_nothing_to_draw_is_an_empty_picture(addon, backend, tmp_path) -> None:
    scene = bpy.context.scene
    scene.render.engine, scene.render.film_transparent, scene.render.resolution_percentage = ENGINE, True, 5
    picture = render(tmp_path)
    assert (picture["Combined"] == 0).all() and (picture["Depth"] == np.float32(1e10)).all()


def test_a_missing_backend_is_a_sentence_and_no_wait(room, tmp_path, panel, addon) -> None:
    bpy.ops.image_to_3d.stop_backend() if panel.session.welcome else None
    panel.finish()
    addon.backend.settings.get().command = "/nowhere/image-to-3d"
    with pytest.raises(RuntimeError, match="cannot be run"):
        bpy.ops.render.render()
    addon.backend.settings.get().property_unset("command")
    assert render(tmp_path)["Combined"][..., 3].mean() > 0.5  # started again


def test_a_lost_backend_is_started_again(room, tmp_path) -> None:
    from image_to_3d.protocol import Client
    from image_to_3d.protocol.messages import Shutdown

    before = render(tmp_path, "before")
    with Client() as client:
        client.call(Shutdown(), timeout=5)
    after = render(tmp_path, "after")
    np.testing.assert_array_equal(before["Combined"], after["Combined"])


def test_a_camera_that_cannot_be_drawn_with_is_a_sentence(room) -> None:
    room.camera.data.type = "PANO"
    with pytest.raises(RuntimeError, match="panoramic"):
        bpy.ops.render.render()
