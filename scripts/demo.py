"""The main job from nothing: photo → backend process → real Blender → measured scene, with pictures.

``python scripts/demo.py [PHOTO] [--depth FILE] [--output DIR]``. Without a photo it takes the sample room, whose true lengths
are known, and compares. Makes its environments at first; writes ``scene.blend``, ``scene.ply``, ``render.png``,
``comparison.png`` and ``report.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environments import (
    REPOSITORY,
    SetupError,
    available_blenders,
    backend_environment,
    blender_environment,
    extension,
)

STEPS = REPOSITORY / "scripts" / "demo_steps"
SAMPLE = REPOSITORY / "tests" / "data" / "living_a"


def main() -> int:
    """0 if everything was written; 1 with a sentence on bad input; 3 if an environment or the backend is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("photo", nargs="?", type=Path, help="default: the sample room with its exact depth")
    parser.add_argument(
        "--depth", type=Path, metavar="FILE", help="depth map: 16-bit PNG in mm, EXR, NPZ or NPY in metres"
    )
    parser.add_argument("--focal-mm", type=float, metavar="MM", help="35 mm equivalent; default: from the photo")
    parser.add_argument("--output", type=Path, default=Path("output"), metavar="DIR", help="default: output/")
    parser.add_argument("--blender", metavar="VERSION", help="default: the newest whose Python is found")
    args = parser.parse_args()
    photo, depth = args.photo, args.depth
    if photo is None:
        photo, depth = SAMPLE / "photo.jpg", depth or SAMPLE / "depth_mm.png"
    for path in filter(None, (photo, depth)):
        if not path.is_file():
            print(f"There is no file {path}. Check the path for a typing error.", file=sys.stderr)
            return 1
    started = time.monotonic()
    try:
        blenders = available_blenders()
        if not blenders:
            raise SetupError("No Blender can be installed: it needs Python 3.11 or 3.13, which were not found.")
        backend, blender = backend_environment(), blender_environment(args.blender or list(blenders)[-1])
    except (SetupError, KeyError) as failure:
        print(f"{failure}", file=sys.stderr)
        return 3
    seconds = {"environments": time.monotonic() - started}
    started = time.monotonic()
    try:
        archive = extension(backend.python)
    except SetupError as failure:
        print(failure, file=sys.stderr)
        return 3
    seconds["extension"] = time.monotonic() - started
    output = args.output.resolve()
    with tempfile.TemporaryDirectory(prefix="image-to-3d-demo-") as folder:
        return run(
            backend.python,
            blender.python,
            archive,
            photo.resolve(),
            depth and depth.resolve(),
            args.focal_mm,
            output,
            Path(folder),
            seconds,
        )


def run(
    backend: Path,
    blender: Path,
    archive: Path,
    photo: Path,
    depth: Path | None,
    focal_mm: float | None,
    output: Path,
    work: Path,
    seconds: dict[str, float],
) -> int:
    """The job itself, in a folder for what is thrown away: Blender's settings, keys of the backend."""
    environment = {
        **os.environ,
        "IMAGE_TO_3D_HOME": str(work / "home"),
        "BLENDER_USER_RESOURCES": str(work / "blender"),
    }
    (work / "blender").mkdir()

    start = time.monotonic()
    server = subprocess.Popen(
        [backend, "-m", "image_to_3d", "serve", "--idle-exit", "30"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        line = server.stderr.readline().strip() if server.stderr else ""
        if not line.startswith("Serving"):
            print(line or "The backend did not start.", file=sys.stderr)
            return 3
        seconds["backend_start"] = time.monotonic() - start
        job = {
            "extension": str(archive),
            "photo": str(photo),
            "depth": str(depth or ""),
            "focal_mm": focal_mm,
            "truth": str(truth) if (truth := photo.parent / "truth.json").is_file() else "",
            "output": str(output),
            "work": str(work),
        }
        (work / "job.json").write_text(json.dumps(job))
        failed = _step([blender, STEPS / "in_blender.py", work / "job.json"], environment)
    finally:
        subprocess.run([backend, "-m", "image_to_3d", "stop"], env=environment, stdout=subprocess.DEVNULL)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
    if failed:
        return failed
    (work / "seconds.json").write_text(json.dumps(seconds))
    return _step([backend, STEPS / "in_backend.py", work / "job.json"], environment)


def _step(command: list[Path | str], environment: dict[str, str]) -> int:
    return subprocess.run([str(part) for part in command], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
