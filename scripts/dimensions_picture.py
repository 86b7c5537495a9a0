"""The picture of docs/measuring.md: the sample room with its dimensions, levelled, rendered by Cycles.

    <python with bpy> scripts/dimensions_picture.py --backend <python of the backend> [--zip ZIP] [--output FILE]

Everything goes through the installed extension and its buttons. Nothing of the user's Blender or backend is touched.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from running_extension import RunningExtension

REPOSITORY = Path(__file__).resolve().parents[1]
SAMPLE = REPOSITORY / "tests" / "data" / "living_a"
MODULE = "bl_ext.user_default.image_to_3d"


def main() -> int:
    """0, or 1 with a sentence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", required=True, help="Python that has the package image-to-3d")
    parser.add_argument("--zip", type=Path, help="built extension; without it, it is built")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "images" / "dimensions.jpg")
    parser.add_argument("--engine", default="CYCLES", help="CYCLES, BLENDER_WORKBENCH or an EEVEE")
    parser.add_argument("--samples", type=int, default=24)
    args = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="image-to-3d-picture-"))
    try:
        return _picture(args, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _picture(args: argparse.Namespace, home: Path) -> int:
    extension = args.zip
    if extension is None:
        build = [sys.executable, REPOSITORY / "scripts" / "build_extension.py", "--output-dir", home / "dist"]
        subprocess.run([*build, "--blender-python", sys.executable], check=True)
        (extension,) = (home / "dist").glob("*.zip")
    # Both are read when bpy and the package are imported.
    (home / "blender").mkdir()
    os.environ["BLENDER_USER_RESOURCES"] = str(home / "blender")
    os.environ["IMAGE_TO_3D_HOME"] = str(home / "home")
    os.environ["IMAGE_TO_3D_BACKEND"] = f'"{args.backend}" -m image_to_3d'
    os.environ["PYTHONPATH"] = str(REPOSITORY / "backend")
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.extensions.package_install_files(filepath=str(extension), repo="user_default", enable_on_install=True)
    session = RunningExtension(importlib.import_module(MODULE))
    scene = bpy.context.scene
    recipe = scene.image_to_3d.recipe
    recipe.photo_path, recipe.depth_path = str(SAMPLE / "photo.jpg"), str(SAMPLE / "depth_mm.png")
    for press in (bpy.ops.image_to_3d.generate, bpy.ops.image_to_3d.level, bpy.ops.image_to_3d.measure_room):
        press()
        session.wait(120)
    scene.render.engine = args.engine
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", args.samples, False
    if args.engine == "BLENDER_WORKBENCH":
        scene.display.shading.light, scene.display.shading.color_type = "FLAT", "TEXTURE"
    scene.render.image_settings.file_format, scene.render.image_settings.quality = "JPEG", 88
    scene.render.filepath = str(args.output.resolve())
    bpy.ops.render.render(write_still=True)
    texts = sorted(obj.data.body for obj in bpy.data.objects if obj.type == "FONT")
    print("\n".join([f"{args.output}, {args.output.stat().st_size / 1000:.0f} kB", *texts]))
    from image_to_3d.protocol import Client
    from image_to_3d.protocol.messages import Shutdown

    with Client() as client:
        client.call(Shutdown(), timeout=5)
    return 0


if __name__ == "__main__":
    sys.exit(main())
