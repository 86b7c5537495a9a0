"""Saves two files for a Blender without a window: a camera move drawn by the splats' engine, and a final picture by EEVEE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy

import window

FRAMES = 4


def as_png(scene: bpy.types.Scene, colour: str) -> None:
    """8 bits, without the noise that hides steps."""
    scene.render.dither_intensity = 0.0
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", colour, "8"


def steps() -> Iterator[float]:
    """See :mod:`window`."""
    addon = window.install()
    bpy.ops.wm.save_userpref()  # the add-on is enabled in the next Blender, too
    scene = bpy.context.scene
    root = yield from window.make_sample(addon)
    built = addon.scene.roles.find(root)
    bpy.context.view_layer.objects.active = root
    bpy.ops.image_to_3d.add_camera_move(move="SWIPE", frames=FRAMES)
    scene.render.engine = "IMAGE_TO_3D_SPLATS"
    scene.render.resolution_percentage = 50
    scene.render.film_transparent = True
    as_png(scene, "RGBA")
    folder = Path(window.FOLDER)
    scene.render.filepath = "//frames/"
    bpy.ops.image_to_3d.export_camera_path(filepath=str(folder / "path.json"), frame="PHOTO")
    bpy.ops.image_to_3d.export_splats(filepath=str(folder / "cloud.ply"), apply_transform=False)
    yield from window.finished(addon)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "move.blend"))
    yield from window.show("move", frames=FRAMES)

    scene.camera = built.camera
    _, floor, up, _ = built.surface.ray_cast((0, 0, 0), (-0.20, 1, -0.33))
    bpy.ops.mesh.primitive_cube_add(size=0.4, location=floor + up * 0.2, rotation=up.to_track_quat("Z", "Y").to_euler())
    wood = bpy.data.materials.new("Red")
    if bpy.app.version < (5, 0, 0):
        wood.use_nodes = True
    wood.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.8, 0.05, 0.03, 1)
    bpy.context.object.data.materials.append(wood)
    engines = {item.identifier for item in type(scene.render).bl_rna.properties["engine"].enum_items}
    scene.render.engine = "BLENDER_EEVEE_NEXT" if "BLENDER_EEVEE_NEXT" in engines else "BLENDER_EEVEE"
    if hasattr(scene.eevee, "taa_render_samples"):
        scene.eevee.taa_render_samples = 8
    scene.frame_set(1)
    bpy.ops.image_to_3d.set_up_final_picture()
    scene.render.resolution_percentage = 60
    scene.render.filepath = "//eevee_"
    as_png(scene, "RGB")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "eevee.blend"))
    yield from window.show("eevee")
