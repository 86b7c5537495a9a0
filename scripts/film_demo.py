"""A film from one photo: the sample room with a table and a lamp that are not in it, a camera that moves, MP4.

``python scripts/film_demo.py [--output DIR] [--frames N] [--size WxH] [--samples N] [--move NAME] [--strength F]``. Writes
``film.blend``, ``frames/``, ``film.mp4`` and the contact sheet ``film.jpg``. Stopped and started again it goes on with the
frames that are missing.
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
MOVES = ("rotate_forward", "swipe", "shake", "rotate", "dolly", "look_around")
FPS = 24


def main() -> int:
    """0 if the film was written; 3 with a sentence if an environment or a step failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--output", type=Path, default=Path("output/film"), metavar="DIR", help="default: output/film")
    parser.add_argument("--frames", type=int, default=60, metavar="N", help="default: 60")
    parser.add_argument("--size", type=_size, default=(336, 224), metavar="WxH", help="default: 336x224")
    parser.add_argument("--samples", type=int, default=8, metavar="N", help="of Cycles, denoised; default: 8")
    parser.add_argument("--move", choices=MOVES, default=MOVES[0], help="default: rotate_forward")
    parser.add_argument(
        "--strength", type=float, default=1.0, metavar="F", help="reach of the move; default: 1, as published"
    )
    parser.add_argument("--blender", metavar="VERSION", help="default: the newest whose Python is found")
    args = parser.parse_args()
    try:
        blenders = available_blenders()
        if not blenders:
            raise SetupError("No Blender can be installed: it needs Python 3.11 or 3.13, which were not found.")
        backend, blender = backend_environment(), blender_environment(args.blender or list(blenders)[-1])
        archive = extension(backend.python)
    except (SetupError, KeyError) as failure:
        print(f"{failure}", file=sys.stderr)
        return 3
    return film(backend.python, blender.python, archive, args)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 16 and int(height) >= 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 336x224")
    return int(width) // 2 * 2, int(height) // 2 * 2


def film(backend: Path, blender: Path, archive: Path, args: argparse.Namespace) -> int:
    """Render what is missing, then encode."""
    output = args.output.resolve()
    frames = output / "frames"
    frames.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="image-to-3d-film-") as folder:
        job = Path(folder) / "job.json"
        job.write_text(
            json.dumps(
                {
                    "extension": str(archive),
                    "photo": str(SAMPLE / "photo.jpg"),
                    "depth": str(SAMPLE / "depth_mm.png"),
                    "folder": folder,
                    "output": str(output),
                    "frames_folder": str(frames),
                    "frames": args.frames,
                    "size": args.size,
                    "samples": args.samples,
                    "move": args.move.upper(),
                    "strength": args.strength,
                    "fps": FPS,
                }
            ),
            "utf-8",
        )
        environment = {
            **os.environ,
            "IMAGE_TO_3D_HOME": str(Path(folder) / "home"),
            "IMAGE_TO_3D_BACKEND": f'"{backend}" -m image_to_3d',
            "PYTHONPATH": str(REPOSITORY / "backend"),
        }
        try:
            for python, step in ((blender, "film_in_blender.py"), (backend, "film_in_backend.py")):
                if subprocess.run([python, STEPS / step, job], env=environment, check=False).returncode:
                    print(f"The step {step} failed; its last lines are above.", file=sys.stderr)
                    return 3
        finally:
            subprocess.run([backend, "-m", "image_to_3d", "stop"], env=environment, check=False, capture_output=True)
    print(f"{args.frames} frames in {time.monotonic() - started:.0f} s → {output / 'film.mp4'}, {output / 'film.jpg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
