"""Makes a photo in an older Blender and saves the file: ``write_file.py EXTENSION_ZIP FOLDER`` → FOLDER/old.blend."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))

from running_extension import RunningExtension

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "living_a"


def main() -> None:
    """Install, make the sample room, edit and display it, save, say what is in the file."""
    extension, folder = sys.argv[1], Path(sys.argv[2])
    os.environ["BLENDER_USER_RESOURCES"] = str(folder / "blender")
    (folder / "blender").mkdir()
    import bpy

    bpy.ops.extensions.package_install_files(filepath=extension, repo="user_default", enable_on_install=True)
    from bl_ext.user_default import image_to_3d as addon

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    recipe = bpy.context.scene.image_to_3d.recipe
    recipe.photo_path, recipe.depth_path = str(SAMPLE / "photo.jpg"), str(SAMPLE / "depth_mm.png")
    recipe.engine, recipe.density, recipe.focal, recipe.mm35 = "depth-map", "QUARTER", "MM35", 28.0
    session = RunningExtension(addon)
    bpy.ops.image_to_3d.generate()
    session.wait(120)
    root = bpy.data.objects[session.last_root]
    settings = root.image_to_3d
    settings.editing.distance_max = 5.0
    settings.display, settings.viewport_share = "SPLATS", 0.5
    points = addon.scene.roles.points_of(root)
    bpy.ops.image_to_3d.add_crop_box()
    settings.editing.crop_box.scale.x *= 0.5
    bpy.context.view_layer.update()
    facts = {
        "root": root.name,
        "type": points.type,
        "recipe": asdict(addon.scene.recipe.values(settings.recipe)),
        "points": settings.outcome.points,
        "kept": int(addon.scene.edits.kept(points).sum()),
        "attributes": {
            name: float(abs(addon.scene.points.read(points, name)).sum(dtype="f8"))
            for name in ("position", "radius", "colour", "scale", "rotation", "opacity")
        },
    }
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "old.blend"))
    (folder / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
