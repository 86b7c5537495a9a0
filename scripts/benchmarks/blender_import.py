"""How long Blender's main thread is held up when 1.18 million Gaussians arrive, in each Blender that exists here.

The backend's answer is made up, because only the arrival counts: the preparation on the client's thread, then one ``pump()`` on the
main thread, which builds collection, points, material and camera and pushes the undo step.
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
    from bl_ext.user_default.image_to_3d import session
    from bl_ext.user_default.image_to_3d.photo_source import PhotoSource
    from bl_ext.user_default.image_to_3d.properties import values

    from image_to_3d.core import GaussianCloud, Intrinsics
    from image_to_3d.protocol.messages import Result, cloud_fields

    rng = np.random.default_rng(0)
    rotations = rng.normal(size=(GAUSSIANS, 4))
    cloud = GaussianCloud(
        positions=rng.uniform(-1, 1, (GAUSSIANS, 3)) + np.array([0, 0, 5]),
        scales=rng.uniform(0.001, 0.01, (GAUSSIANS, 3)),
        rotations=rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        colours=rng.random((GAUSSIANS, 3)),
        opacities=rng.random(GAUSSIANS),
        intrinsics=Intrinsics.centred(700, 960, 640),
    )
    result = Result(**cloud_fields(cloud))
    prepared, held = [], []
    for _ in range(REPEATS):
        bpy.ops.wm.read_homefile(use_factory_startup=True)
        bpy.ops.ed.undo_push(message="Start")
        current, scene = session.current(), bpy.context.scene
        job = session.Job(values(scene.image_to_3d.recipe), scene.name, 1.0, PhotoSource("photo.jpg", path=SAMPLE))
        start = time.perf_counter()
        job.arrival = job.prepare(result)
        prepared.append(time.perf_counter() - start)
        current.job = job
        start = time.perf_counter()
        current.pump()
        held.append(time.perf_counter() - start)
        assert len(bpy.data.objects[current.last_root].children) == 2
    return {
        "blender": bpy.app.version_string,
        "gaussians": GAUSSIANS,
        "client's thread ms": round(1e3 * statistics.median(prepared), 1),
        "main thread ms": round(1e3 * statistics.median(held), 1),
        "main thread worst ms": round(1e3 * max(held), 1),
    }


if __name__ == "__main__":
    print(json.dumps(_inside_blender(sys.argv[1])))
