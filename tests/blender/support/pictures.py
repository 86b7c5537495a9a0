"""Pictures that Blender has rendered, read by the backend's Python: the bpy module brings no reader of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import bpy
import numpy as np

from paths import BACKEND_PYTHON

_EXR = """
import sys
import numpy as np
import OpenEXR
planes = {}
with OpenEXR.File(sys.argv[1], separate_channels=True) as file:
    for part in file.parts:
        for name, channel in part.channels.items():
            planes[name if "." in name else f"{part.header.get('name', '')}.{name}"] = channel.pixels
np.savez(sys.argv[2], **planes)
"""
_PNG = """
import sys
import numpy as np
from PIL import Image
np.savez(sys.argv[2], pixels=np.array(Image.open(sys.argv[1])))
"""


def _read(script: str, path: Path) -> dict[str, np.ndarray]:
    arrays = path.with_suffix(".npz")
    subprocess.run([BACKEND_PYTHON, "-c", script, path, arrays], check=True)
    with np.load(arrays) as found:
        return dict(found)


def read_png(path: Path) -> np.ndarray:
    """(H, W, channels) as integers."""
    return _read(_PNG, path)["pixels"].astype(int)


def as_exr() -> None:
    """Have the scene's pictures written with all passes, in 32 bits."""
    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format, settings.color_depth = "OPEN_EXR_MULTILAYER", "32"


def as_png() -> None:
    """Have the scene's pictures written as RGBA in 8 bits."""
    settings = bpy.context.scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"


def render(folder: Path, name: str = "picture") -> dict[str, np.ndarray]:
    """What F12 makes: ``Combined`` (H, W, 4), linear and premultiplied, and ``Depth`` (H, W) if there is one; top row first."""
    as_exr()
    scene = bpy.context.scene
    scene.render.filepath = str(folder / f"{name}.exr")
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}
    planes = _read(_EXR, Path(scene.render.filepath))

    def plane(suffix: str) -> np.ndarray:
        return next(pixels for channel, pixels in planes.items() if channel.endswith(suffix))

    found = {"Combined": np.stack([plane(f"Combined.{c}") for c in "RGBA"], -1)}
    if any(channel.endswith("Depth.Z") for channel in planes):
        found["Depth"] = plane("Depth.Z")
    return found
