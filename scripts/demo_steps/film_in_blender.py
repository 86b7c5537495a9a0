"""Step of the film demo inside Blender: the photo, a table and a lamp on its floor, a camera move, a final picture per frame.

``python film_in_blender.py JOB.json``, with ``bpy``. Frames that are there already are not rendered again.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from pathlib import Path

JOB = json.loads(Path(sys.argv[1]).read_text("utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="resources-", dir=JOB["folder"])

import bpy  # noqa: E402 - reads the variable when it is imported
from mathutils import Matrix, Vector  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bpy_process import leave  # noqa: E402 - the folder of the scripts above
from running_extension import RunningExtension  # noqa: E402


def main() -> None:
    """Build the scene and render what is missing."""
    bpy.ops.extensions.package_install_files(filepath=JOB["extension"], repo="user_default", enable_on_install=True)
    import bl_ext.user_default.image_to_3d as addon

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    scene = bpy.context.scene
    recipe = scene.image_to_3d.recipe
    recipe.photo_path, recipe.depth_path, recipe.engine = JOB["photo"], JOB["depth"], "depth-map"
    bpy.ops.image_to_3d.generate()
    session = RunningExtension(addon)
    session.wait(300)
    root = bpy.data.objects[session.last_root]
    built = addon.scene.roles.find(root)

    bpy.context.view_layer.update()
    _, floor, up, _ = built.surface.ray_cast((0, 0, 0), (-0.20, 1, -0.33))
    furnish(Matrix.Translation(floor) @ up.to_track_quat("Z", "Y").to_matrix().to_4x4())

    bpy.context.view_layer.objects.active = root
    bpy.ops.image_to_3d.add_camera_move(move=JOB["move"], frames=JOB["frames"], strength=JOB["strength"])
    bpy.context.view_layer.objects.active = root
    scene.render.engine = "CYCLES"
    scene.cycles.samples = JOB["samples"]
    scene.cycles.use_adaptive_sampling = False
    scene.render.use_persistent_data = True
    bpy.ops.image_to_3d.set_up_final_picture()
    scene.image_to_3d.render.eps2d = 0.3  # the film is smaller than the photo
    scene.render.resolution_x, scene.render.resolution_y = JOB["size"]
    scene.render.use_overwrite = False
    scene.render.filepath = str(Path(JOB["frames_folder"]) / "frame_")
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode = "PNG", "RGB"
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(JOB["output"]) / "film.blend"), compress=True)
    bpy.ops.render.render(animation=True)


def furnish(place: Matrix) -> None:
    """A round table and a lamp that shines, standing at ``place``; metres."""
    wood = material("Wood", (0.35, 0.17, 0.07))
    brass = material("Brass", (0.7, 0.5, 0.2), metallic=1.0, roughness=0.3)
    shade = material("Shade", (1.0, 0.85, 0.6), glow=2.5)
    cylinder("Top", place, (0, 0, 0.46), 0.30, 0.03, wood)
    for turn in range(3):
        angle = math.tau * turn / 3
        cylinder(f"Leg {turn + 1}", place, (0.2 * math.cos(angle), 0.2 * math.sin(angle), 0.2225), 0.018, 0.445, wood)
    cylinder("Foot", place, (0, 0, 0.485), 0.07, 0.02, brass)
    cylinder("Stem", place, (0, 0, 0.595), 0.010, 0.2, brass)
    bpy.ops.mesh.primitive_cone_add(vertices=48, radius1=0.15, radius2=0.09, depth=0.17, end_fill_type="NOTHING")
    cone = bpy.context.object
    cone.name, cone.matrix_world = "Shade", place @ Matrix.Translation((0, 0, 0.76))
    cone.data.materials.append(shade)
    bulb = bpy.data.objects.new("Bulb", bpy.data.lights.new("Bulb", "POINT"))
    bulb.data.energy, bulb.data.shadow_soft_size, bulb.data.color = 10.0, 0.04, (1.0, 0.8, 0.55)
    bulb.matrix_world = place @ Matrix.Translation((0, 0, 0.74))
    bpy.context.scene.collection.objects.link(bulb)


def cylinder(
    name: str, place: Matrix, centre: tuple[float, float, float], radius: float, height: float, look: bpy.types.Material
) -> None:
    """An upright cylinder."""
    bpy.ops.mesh.primitive_cylinder_add(vertices=48, radius=radius, depth=height)
    obj = bpy.context.object
    obj.name, obj.matrix_world = name, place @ Matrix.Translation(Vector(centre))
    obj.data.materials.append(look)


def material(
    name: str, colour: tuple[float, float, float], metallic: float = 0.0, roughness: float = 0.6, glow: float = 0.0
) -> bpy.types.Material:
    """A plain one."""
    made = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        made.use_nodes = True
    inputs = made.node_tree.nodes["Principled BSDF"].inputs
    inputs["Base Color"].default_value = (*colour, 1.0)
    inputs["Metallic"].default_value, inputs["Roughness"].default_value = metallic, roughness
    inputs["Emission Color"].default_value, inputs["Emission Strength"].default_value = (*colour, 1.0), glow
    return made


main()
leave(0)
