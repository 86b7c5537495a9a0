"""The part of the demo that runs in Blender: install the zip, press the button, measure, save, render.

Reads the job that ``scripts/demo.py`` wrote; leaves ``facts.json`` in the job's work folder.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bpy_process import leave
from running_extension import RunningExtension

MODULE = "bl_ext.user_default.image_to_3d"
SAMPLES = 16


def main(job: dict) -> int:
    """0, or 1 with a sentence."""
    seconds: dict[str, float] = {}
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with _timed(seconds, "install"):
        bpy.ops.extensions.package_install_files(filepath=job["extension"], repo="user_default", enable_on_install=True)
    session = RunningExtension(importlib.import_module(MODULE))
    roles = importlib.import_module(f"{MODULE}.scene.roles")
    from image_to_3d.core import ImageTo3DError

    recipe = bpy.context.scene.image_to_3d.recipe
    recipe.source, recipe.photo_path, recipe.depth_path = "FILE", job["photo"], job["depth"]
    if job["focal_mm"]:
        recipe.focal, recipe.mm35 = "MM35", job["focal_mm"]
    try:
        with _timed(seconds, "generate"):
            bpy.ops.image_to_3d.generate()
            session.wait(600)
    except (ImageTo3DError, TimeoutError, RuntimeError) as error:
        print(str(error).removeprefix("Error: ").strip(), file=sys.stderr)
        return 1
    built = roles.find(bpy.data.objects[session.last_root])
    bpy.context.view_layer.update()

    output, work = Path(job["output"]), Path(job["work"])
    output.mkdir(parents=True, exist_ok=True)
    facts = _facts(built, job, seconds)
    with _timed(seconds, "save"):
        bpy.ops.wm.save_as_mainfile(filepath=str(output / "scene.blend"), compress=True)
        bpy.ops.image_to_3d.export_splats(filepath=str(output / "scene.ply"), apply_transform=False)
        session.wait(60)
    with _timed(seconds, "render"):
        _render(bpy.context.scene, output / "render.png")
    (work / "facts.json").write_text(json.dumps(facts))
    return 0


class _timed:  # noqa: N801 - reads like a keyword
    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = time.perf_counter() - self._start


def _facts(built, job: dict, seconds: dict[str, float]) -> dict:
    """What the imported scene says about itself, measured between world positions of its points."""
    from image_to_3d.core.cameras import axes

    camera = importlib.import_module(f"{MODULE}.scene.camera")
    pointcloud = importlib.import_module(f"{MODULE}.scene.points")
    translations = importlib.import_module(f"{MODULE}.translations")
    outcome = built.root.image_to_3d.outcome
    local = pointcloud.read(built.points, "position").astype(np.float64)
    matrix = np.array(built.points.matrix_world)
    world = local @ matrix[:3, :3].T + matrix[:3, 3]
    k = camera.intrinsics_of(built.camera, bpy.context.scene)
    world_to_camera = axes.world_to_camera_opencv(np.array(built.camera.matrix_world))
    seen = axes.points_to_opencv(world) @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    # What is filled behind depth edges is a guess: nothing is measured on it.
    photographed = np.ones(len(local), bool)
    if pointcloud.INVENTED in built.points.data.attributes:
        photographed = ~pointcloud.read(built.points, pointcloud.INVENTED)
    return {
        "blender": bpy.app.version_string,
        "engine": outcome.engine,
        "gaussians": outcome.points,
        "extent_m": list(outcome.extent),
        "focal": {"px": outcome.focal_px, "mm35": outcome.mm35, "source": outcome.focal_source},
        "warnings": [translations.sentence(line) for line in outcome.warnings.splitlines() if line],
        "lengths": _lengths(job["truth"], world[photographed], k.project(seen[photographed])),
        "seconds": seconds,
    }


def _lengths(truth: str, world: np.ndarray, pixels: np.ndarray) -> list[dict]:
    """Known lengths against the distance between the imported points that the camera sees at their pixels."""
    if not truth:
        return []
    rows = []
    for known in json.loads(Path(truth).read_text()).get("measurements", []):
        ends = [int(np.argmin(((pixels - uv) ** 2).sum(axis=1))) for uv in known["uv"]]
        off = max(float(np.hypot(*(pixels[i] - uv))) for i, uv in zip(ends, known["uv"], strict=True))
        if off > 1.0:
            continue  # there is no point at that pixel
        measured = float(np.linalg.norm(world[ends[0]] - world[ends[1]])) * bpy.context.scene.unit_settings.scale_length
        rows.append(
            {
                "name": known["name"],
                "true_m": known["length_m"],
                "measured_m": measured,
                "error_percent": 100 * (measured / known["length_m"] - 1),
            }
        )
    return rows


def _render(scene, path: Path) -> None:
    """What the imported camera sees, by Cycles on the CPU; holes are transparent."""
    scene.render.engine = "CYCLES"
    scene.cycles.device, scene.cycles.samples, scene.cycles.use_denoising = "CPU", SAMPLES, False
    scene.render.film_transparent = True
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    leave(main(json.loads(Path(sys.argv[1]).read_text())))
