"""Renders show the photo's colours: Cycles, Standard view transform, from the photo's own camera, pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paths import SAMPLE
from pictures import as_png, read_png

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


def rendered(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The scene as 8-bit sRGB and where something is in it; one ray through the centre of each pixel."""
    scene = bpy.context.scene
    bpy.data.objects["Cube"].hide_render = True
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = 1, False, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.render.film_transparent, scene.render.dither_intensity = True, 0.0
    scene.render.filepath = str(path)
    as_png()
    bpy.ops.render.render(write_still=True)
    pixels = read_png(path)
    return pixels[..., :3], pixels[..., 3] == 255


def differences(picture: np.ndarray, covered: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Largest difference of the three colours at each covered pixel, of 255."""
    return np.abs(picture - photo).max(axis=2)[covered]


def photo_pixels(tmp_path: Path) -> np.ndarray:
    copy = tmp_path / "photo.jpg"
    copy.write_bytes((SAMPLE / "photo.jpg").read_bytes())
    return read_png(copy)[..., :3]


def test_the_surface_has_the_colours_of_the_photo(panel, tmp_path) -> None:
    panel.choose_sample()
    built = panel.generate()
    built.root.image_to_3d.display = "SURFACE"
    assert bpy.context.scene.view_settings.view_transform == "Standard"
    picture, covered = rendered(tmp_path / "surface.png")
    off = differences(picture, covered, photo_pixels(tmp_path))
    print(f"surface: {covered.mean():.1%} covered, median {np.median(off):.0f}, 95 % {np.quantile(off, 0.95):.0f}")
    assert covered.mean() > 0.9 and np.median(off) <= 1 and np.quantile(off, 0.95) <= 2


def test_points_have_the_colours_of_the_photo(panel, tmp_path) -> None:
    """A point is larger than its pixel, so that surfaces are closed: a pixel may show a point beside its own."""
    panel.choose_sample()
    panel.recipe.fill = False if "fill" in panel.recipe.bl_rna.properties else None
    built = panel.generate()
    assert built.root.image_to_3d.display == "POINTS"
    picture, covered = rendered(tmp_path / "points.png")
    photo = photo_pixels(tmp_path)
    off = differences(picture, covered, photo)
    shifted = [np.roll(photo, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    nearest = np.min([differences(picture, covered, other) for other in shifted], axis=0)
    print(f"points: {covered.mean():.1%} covered, median {np.median(off):.0f}, beside {np.quantile(nearest, 0.95):.0f}")
    assert covered.mean() > 0.9 and np.median(off) <= 2 and np.quantile(nearest, 0.95) <= 2
