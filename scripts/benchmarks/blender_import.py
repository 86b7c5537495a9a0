"""How long Blender's main thread is held up when 1.18 million Gaussians arrive, in each Blender that exists here.

The backend's answer is made up, because only the arrival counts: the preparation on the client's thread, then ``pump()`` after
``pump()`` on the main thread, which make points, surface, material, camera and undo step with the window's turn in between. The
first photo of a session and the second one into the same file are timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from running_extension import RunningExtension

GRID = (2, 768, 768)
GAUSSIANS = 1_179_648
REPEATS = 5
REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "tests" / "data" / "living_a" / "photo.jpg"


def run(args: argparse.Namespace | None = None) -> list[dict[str, Any]]:
    """One row per Blender: medians in milliseconds.

    Args:
        args: may hold ``blender_python``, interpreters that have bpy; without it the project's own environments are used.
    """
    pythons = getattr(args, "blender_python", None) or _own_environments()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, REPOSITORY / "scripts" / "build_extension.py", "--output-dir", folder]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (path,) = Path(folder).glob("*.zip")
        for number, python in enumerate(pythons):
            user = Path(folder) / f"user-{number}"
            user.mkdir()
            environment = {
                **os.environ,
                "BLENDER_USER_RESOURCES": str(user),
                "IMAGE_TO_3D_HOME": str(user / "home"),
                "PYTHONPATH": "",
            }
            command = [python, __file__, path]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{python}: {done.stderr or done.stdout}")
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def _own_environments() -> list[Path]:
    from environments import available_blenders, blender_environment

    return [blender_environment(version).python for version in available_blenders()]


def _inside_blender(extension: str) -> dict[str, Any]:
    import statistics
    import time

    import bpy
    import numpy as np

    bpy.ops.wm.read_factory_settings()
    bpy.ops.extensions.package_install_files(filepath=extension, repo="user_default", enable_on_install=True)
    from bl_ext.user_default import image_to_3d as addon
    from bl_ext.user_default.image_to_3d.scene.photo_source import PhotoSource
    from bl_ext.user_default.image_to_3d.scene.recipe import values

    from image_to_3d.core import GaussianCloud, Intrinsics
    from image_to_3d.core.cloud.gaussians import Grid
    from image_to_3d.protocol.messages import Result, cloud_fields

    def cloud() -> GaussianCloud:
        """A wavy wall: SHARP's count and grid, so that there is a surface too."""
        rng = np.random.default_rng(0)
        intrinsics = Intrinsics.centred(GRID[2] * 2 * 0.8, GRID[2] * 2, GRID[1] * 2)
        x, y = intrinsics.pixel_rays(GRID[1], GRID[2])
        depth = 4 + 0.5 * np.sin(6 * x)[None, :] * np.cos(6 * y)[:, None]
        layers = np.stack([depth, depth + 0.1])
        positions = np.stack(np.broadcast_arrays(x[None, None, :] * layers, y[None, :, None] * layers, layers), axis=-1)
        rotations = rng.normal(size=(GAUSSIANS, 4))
        return GaussianCloud(
            positions=positions.reshape(-1, 3),
            scales=rng.uniform(0.001, 0.01, (GAUSSIANS, 3)),
            rotations=rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
            colours=rng.random((GAUSSIANS, 3)),
            opacities=rng.random(GAUSSIANS),
            intrinsics=intrinsics,
            grid=Grid(*GRID),
        )

    result = Result(**cloud_fields(cloud()))
    prepared: list[float] = []
    steps: dict[str, list[float]] = {"first": [], "second": []}
    totals: dict[str, list[float]] = {"first": [], "second": []}
    for _ in range(REPEATS):
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        bpy.ops.ed.undo_push(message="Start")
        current, scene = RunningExtension(addon), bpy.context.scene
        for which in steps:
            job = addon.photos.job.PhotoJob(
                values(scene.image_to_3d.recipe), scene.session_uid, 1.0, PhotoSource("photo.jpg", path=SAMPLE)
            )
            start = time.perf_counter()
            job.prepared = job.prepare(result)
            prepared.append(time.perf_counter() - start)
            current.job = job
            held = []
            while current.busy:
                start = time.perf_counter()
                current.pump()
                held.append(time.perf_counter() - start)
            steps[which].append(max(held))
            totals[which].append(sum(held))
            assert len(bpy.data.objects[current.last_root].children) == 3
    return {
        "blender": bpy.app.version_string,
        "gaussians": GAUSSIANS,
        "client's thread ms": round(1e3 * statistics.median(prepared), 1),
        **{f"{which} photo, all steps ms": round(1e3 * statistics.median(totals[which]), 1) for which in totals},
        **{f"{which} photo, longest step ms": round(1e3 * max(steps[which]), 1) for which in steps},
    }


if __name__ == "__main__":
    print(json.dumps(_inside_blender(sys.argv[1])))
