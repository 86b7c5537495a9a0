"""Points, splats, surface, box: what viewports and renders show of a photo."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from displayed import instances, splats  # noqa: E402 - needs bpy


@pytest.fixture(params=["ellipsoids", "native"])
def strategy(request, addon, monkeypatch) -> str:
    """Both ways to draw splats, where this Blender has both."""
    native = addon.scene.splats.native
    if request.param == "ellipsoids":
        monkeypatch.setattr(native, "available", lambda obj: False)
    elif "type" not in bpy.types.PointCloud.bl_rna.properties:
        pytest.skip("Blender draws splats itself since 5.3")
    return request.param


def modifiers(obj) -> list:
    """Those of the display: before 4.5 one makes points of a mesh's vertices."""
    return [modifier for modifier in obj.modifiers if modifier.name != "Points"]


@pytest.fixture
def built(panel):
    panel.choose_sample()
    panel.recipe.depth_max = 3.0  # fewer points, to be quick
    panel.recipe.density = "QUARTER"
    return panel.generate()


def test_points_are_shown_and_rendered_at_first(built) -> None:
    assert built.root.image_to_3d.display == "POINTS"
    assert built.points.visible_get() and not built.points.hide_render and not modifiers(built.points)
    assert built.surface.visible_get() and built.surface.hide_render


def test_viewports_drawn_by_software_show_fewer_points_at_first(panel, addon, monkeypatch) -> None:
    display = addon.scene.display
    monkeypatch.setattr(display, "drawn_by_software", lambda: True)
    monkeypatch.setattr(display, "SOFTWARE_POINTS", 10_000)
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    thinned = panel.generate()
    shown, _ = evaluated(thinned.points)
    assert shown == pytest.approx(10_000, rel=0.02) and thinned.root.image_to_3d.outcome.points > 100_000
    thinned.root.image_to_3d.viewport_share = 0.5
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert thinned.root.image_to_3d.viewport_share == 0.5, "what a person chose stays"


def test_splats_are_one_for_each_point(built, addon, strategy) -> None:
    settings = built.root.image_to_3d
    settings.display = "SPLATS"
    count = len(built.points.data.attributes["position"].data)
    assert splats(built.points) == count
    assert bool(instances(built.points)) == (strategy == "ellipsoids")
    settings.viewport_share = 0.25
    assert (
        splats(built.points)
        == addon.scene.splats.ellipsoids.shown(count, 0.25).sum()
        == pytest.approx(count / 4, rel=0.02)
    )
    settings.display, settings.viewport_share = "POINTS", 1.0
    assert splats(built.points) == 0 and not modifiers(built.points)


def test_native_splats_have_the_colour_that_the_point_has(built, addon, strategy) -> None:
    if strategy != "native":
        pytest.skip("ellipsoids read the colour itself")
    from image_to_3d.core.imaging.colour import sh0_to_rgb, srgb_to_linear

    built.root.image_to_3d.display = "SPLATS"
    radiance = addon.scene.points.read(built.points, "radiance:base")
    colours = addon.scene.points.read(built.points, "colour")[:, :3]
    np.testing.assert_allclose(srgb_to_linear(sh0_to_rgb(radiance[:, :3])), colours, atol=1e-5)
    np.testing.assert_array_equal(radiance[:, 3], addon.scene.points.read(built.points, "opacity"))


def evaluated(obj) -> tuple[int, np.ndarray]:
    """Number of points that the modifiers leave, and their colours."""
    data = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    if obj.type == "MESH":
        pytest.skip("the points of a mesh of vertices are not in its data")
    colours = np.empty(len(data.points) * 4, np.float32)
    data.attributes["colour"].data.foreach_get("color", colours)
    return len(data.points), colours.reshape(-1, 4)


def test_filled_points_are_marked_or_hidden(built, addon, strategy) -> None:
    settings = built.root.image_to_3d
    hidden = addon.scene.points.read(built.points, "invented")
    outcome = settings.outcome
    assert hidden.dtype == bool and outcome.invented == hidden.sum() > 10 and tuple(outcome.invented_layers) == (1, 2)
    settings.filled = "MARK"
    count, colours = evaluated(built.points)
    assert count == len(hidden)
    np.testing.assert_allclose(colours[hidden], [addon.scene.fill_display.MARK] * hidden.sum(), atol=1e-6)
    assert not np.allclose(colours[~hidden][:100], addon.scene.fill_display.MARK)
    settings.filled = "HIDE"
    assert evaluated(built.points)[0] == (~hidden).sum()
    settings.display = "SPLATS"
    assert splats(built.points) == (~hidden).sum()
    settings.filled, settings.display = "SHOW", "POINTS"
    assert not modifiers(built.points)


def test_without_fill_no_point_is_invented(panel) -> None:
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    panel.recipe.fill = False
    built = panel.generate()
    assert built.root.image_to_3d.outcome.invented == 0 and "invented" not in built.points.data.attributes
    built.root.image_to_3d.filled = "HIDE"
    assert not modifiers(built.points)


def test_surface_replaces_the_points(built) -> None:
    built.root.image_to_3d.display = "SURFACE"
    assert not built.surface.hide_render and built.points.hide_render and not built.points.visible_get()


def test_box_hides_nothing_from_renders(built) -> None:
    built.root.image_to_3d.display = "BOUNDS"
    assert built.points.display_type == "BOUNDS" and not built.points.hide_render


def test_update_keeps_the_display(built, panel, strategy) -> None:
    built.root.image_to_3d.display = "SPLATS"
    built.root.image_to_3d.recipe.depth_max = 2.9
    assert bpy.ops.image_to_3d.update() == {"FINISHED"}
    panel.session.wait(60)
    assert built.root.image_to_3d.display == "SPLATS"
    assert splats(built.points) == len(built.points.data.attributes["position"].data) > 0


def test_removed_points_are_no_splats(built, addon, strategy) -> None:
    built.root.image_to_3d.display = "SPLATS"
    count = len(built.points.data.attributes["position"].data)
    addon.scene.edits.mark(built.root, addon.scene.edits.BY_HAND, np.arange(count) % 2 == 0)
    assert splats(built.points) == count // 2


def gaussian(addon, scales, rotation, opacity=0.8):
    """A scene with one red Gaussian 20 m in front of a long lens of 64 pixels."""
    from image_to_3d.core import GaussianCloud, Intrinsics
    from image_to_3d.protocol.messages import Result, cloud_fields

    cloud = GaussianCloud(
        np.array([[0, 0, 20.0]]),
        np.array([scales]),
        np.array([rotation]),
        np.array([[0.7, 0.2, 0.1]]),
        np.array([opacity]),
        intrinsics=Intrinsics.centred(640, 64, 64),
    )
    recipe = addon.scene.recipe.values(bpy.context.scene.image_to_3d.recipe)
    photo = addon.scene.photo_result.from_cloud(cloud, Result(**cloud_fields(cloud)), recipe, 1.0)
    return cloud, addon.scene.build.build(bpy.context.scene, photo)


def render_linear(tmp_path, samples: int = 4) -> np.ndarray:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = samples, False, False
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.film_transparent = True
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = str(tmp_path / "picture.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[::-1]


@pytest.mark.parametrize("axis", range(3))
def test_a_splat_is_as_dense_as_its_gaussian_from_every_side(
    addon, panel_without_backend, tmp_path, axis, strategy
) -> None:
    """Against the projected covariance (Zwicker et al., 2001): from afar, so that perspective bends it little."""
    bpy.data.objects["Cube"].hide_render = True
    scales = np.roll([0.12, 0.05, 0.08], axis)
    rotation = np.array([0.9, 0.2, -0.3, 0.25]) / np.linalg.norm([0.9, 0.2, -0.3, 0.25])
    cloud, built = gaussian(addon, scales, rotation)
    built.root.image_to_3d.display = "SPLATS"
    samples, noise = (
        (32, 0.015) if strategy == "ellipsoids" else (4096, 0.04)
    )  # Blender's own are hit or missed by chance
    seen = render_linear(tmp_path, samples)
    covariance = cloud.covariances()[0][:2, :2] * (640 / 20) ** 2
    u, v = np.meshgrid(np.arange(64) + 0.5 - 32, np.arange(64) + 0.5 - 32)
    offset = np.stack([u, v], -1)
    expected = 0.8 * np.exp(-0.5 * np.einsum("...i,ij,...j", offset, np.linalg.inv(covariance), offset))
    assert seen[..., 3].max() > 0.7
    np.testing.assert_allclose(seen[..., 3], expected, atol=noise)
    np.testing.assert_allclose(seen[32, 32, :3] / seen[32, 32, 3], [0.7, 0.2, 0.1], atol=0.01)


@pytest.mark.slow
def test_splats_render_what_the_backend_renders(panel, tmp_path, strategy) -> None:
    """The sample in Cycles against the backend's own renderer: same camera, box filter against four samples a side."""
    from image_to_3d.core.imaging.colour import linear_to_srgb, srgb_to_linear
    from image_to_3d.protocol import Client
    from image_to_3d.protocol import messages as m
    from image_to_3d.protocol.client import frames_endpoint

    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    built = panel.generate()
    built.root.image_to_3d.display = "SPLATS"
    bpy.data.objects["Cube"].hide_render = True
    scene = bpy.context.scene
    scene.render.resolution_percentage = 50
    k = panel.package.scene.camera.intrinsics_of(built.camera, scene)
    seen = render_linear(tmp_path, 16)

    fine = k.resized(4 * k.width, 4 * k.height)
    eye = [float(v) for v in np.eye(4).ravel()]
    camera = m.Camera(fine.width, fine.height, [fine.fx, fine.fy, fine.cx, fine.cy], eye)
    request = m.Render(1, [m.Instance(built.root.image_to_3d.outcome.backend_scene, eye)], camera, eps2d=0.0)
    with Client() as client, Client(frames_endpoint(client)) as frames:
        colour = frames.call(request, timeout=300).colour.astype(np.float32) / 255
    alpha = colour[..., 3:]
    linear = srgb_to_linear(colour[..., :3] / np.maximum(alpha, 1e-3)) * alpha
    averaged = linear.reshape(k.height, 4, k.width, 4, 3).mean((1, 3))
    difference = linear_to_srgb(np.clip(seen[..., :3], 0, 1)) - linear_to_srgb(np.clip(averaged, 0, 1))
    psnr = -10 * np.log10(float(np.mean(difference**2)))
    np.savez(tmp_path / "pair.npz", blender=seen[..., :3], backend=averaged)
    print(f"PSNR of {strategy} {psnr:.1f} dB")
    assert psnr >= 28
