"""What the scene's view transform makes of colours, as a texture for the overlay's shader.

Viewports apply the view transform (Standard, AgX, Filmic …, with look, exposure, gamma and white balance) to what they render in
Material Preview and Rendered, and draw overlays over the result; Solid and Wireframe show colours as they are. So that splats look
there as they will in the final picture, Blender itself is asked what it makes of a grid of colours, once for every change of the
settings.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import gpu
import numpy as np
from numpy.typing import NDArray

from image_to_3d.core.imaging.colour import srgb_to_linear

GRID = 33
_NAME = "Image to 3D View Transform"
_COPIED = ("view_transform", "look", "exposure", "gamma")
_WHITE_BALANCE = ("white_balance_temperature", "white_balance_tint")
_KEPT = 8  # tables, of half a megabyte each: more than there are scenes on screen


class ViewTransform:
    """The textures of the settings that viewports were drawn with. Main thread."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[Any, ...], bpy.types.Scene | None] = {}
        self._tables: dict[tuple[Any, ...], NDArray[np.float32]] = {}
        self._textures: dict[tuple[Any, ...], gpu.types.GPUTexture] = {}

    def texture(self, scene: bpy.types.Scene, space: bpy.types.SpaceView3D) -> gpu.types.GPUTexture | None:
        """For a viewport that is being drawn; None where colours stay as they are, or until :meth:`pump` has seen the settings."""
        if space.shading.type not in {"MATERIAL", "RENDERED"}:
            return None
        key = settings_of(scene)
        if key == _PLAIN:
            return None
        if key not in self._tables:
            self._wanted[key] = None
            return None
        self._tables[key] = self._tables.pop(key)  # the last to be forgotten
        if key not in self._textures:
            table = self._tables[key]
            flat = np.ascontiguousarray(table).reshape(-1)
            data = gpu.types.Buffer("FLOAT", len(flat), flat)
            self._textures[key] = gpu.types.GPUTexture((GRID * GRID, GRID), format="RGBA32F", data=data)
        return self._textures[key]

    @property
    def waits(self) -> bool:
        """Settings were seen that :meth:`pump` has to look at."""
        return bool(self._wanted)

    def pump(self) -> bool:
        """Work out what is missing, not while drawing; returns whether there was anything."""
        if not self._wanted:
            return False
        self._tables |= {key: table(key) for key in self._wanted}
        self._wanted.clear()
        for key in list(self._tables)[:-_KEPT]:
            del self._tables[key]
            self._textures.pop(key, None)
        return True


def settings_of(scene: bpy.types.Scene) -> tuple[Any, ...]:
    """What decides how colours are displayed."""
    view, white = scene.view_settings, None
    if getattr(view, "use_white_balance", False):  # Blender before 4.3 has none
        white = tuple(getattr(view, name) for name in _WHITE_BALANCE)
    return (scene.display_settings.display_device, white, *(getattr(view, name) for name in _COPIED))


_PLAIN = ("sRGB", None, "Standard", "None", 0.0, 1.0)


def table(settings: tuple[Any, ...]) -> NDArray[np.float32]:
    """(GRID, GRID², 4) displayed colours of sRGB-encoded ones in steps of 1 / (GRID − 1): row green, column red + GRID · blue."""
    steps = np.linspace(0.0, 1.0, GRID, dtype=np.float32)
    colours = np.ones((GRID, GRID * GRID, 4), np.float32)
    colours[..., 0] = np.tile(steps, GRID)
    colours[..., 1] = steps[:, None]
    colours[..., 2] = np.repeat(steps, GRID)
    colours[..., :3] = srgb_to_linear(colours[..., :3])
    return displayed(colours, settings)


def displayed(colours: NDArray[np.float32], settings: tuple[Any, ...]) -> NDArray[np.float32]:
    """What Blender saves for linear colours (H, W, 4) with such view settings, display-encoded (H, W, 4)."""
    height, width = colours.shape[:2]
    scene = bpy.data.scenes.new(_NAME)
    image = bpy.data.images.new(_NAME, width, height, float_buffer=True)
    loaded = None
    try:
        device, white, *copied = settings
        scene.display_settings.display_device = device  # decides which view transforms there are
        for name, value in zip(_COPIED, copied, strict=True):
            setattr(scene.view_settings, name, value)
        if white is not None:
            scene.view_settings.use_white_balance = True
            for name, value in zip(_WHITE_BALANCE, white, strict=True):
                setattr(scene.view_settings, name, value)
        output = scene.render.image_settings
        output.file_format, output.color_mode, output.color_depth = "PNG", "RGB", "16"
        image.pixels.foreach_set(np.ascontiguousarray(colours, np.float32).reshape(-1))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "colours.png"
            image.save_render(str(path), scene=scene)
            loaded = bpy.data.images.load(str(path))
            loaded.colorspace_settings.name = "Non-Color"
            flat = np.empty(height * width * 4, np.float32)
            loaded.pixels.foreach_get(flat)
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.images.remove(image)
        if loaded is not None:
            bpy.data.images.remove(loaded)
    return flat.reshape(height, width, 4)
