"""Renders both files with ``blender -b``, and compares the move with what ``image-to-3d render`` makes of the exported path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from window.runner import REPOSITORY, Blender

_SECONDS = 1200


def drive(blender: Blender, output: Path) -> None:
    """Both steps. The picture of EEVEE goes to the output folder, to be looked at."""
    folder = blender.desktop.folder
    frames = blender.wait("move", 300)["frames"]
    background(blender, "move.blend", "-a")
    ours = sorted((folder / "frames").glob("*.png"))
    if len(ours) != frames:
        raise SystemExit(f"{len(ours)} pictures in place of {frames}: {log(blender)}")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "backend")}
    command = [sys.executable, "-m", "image_to_3d", "render", folder / "cloud.ply", "-o", folder / "rendered"]
    options = ["--trajectory", folder / "path.json", "--write", "png", "--renderer", "cpu"]
    subprocess.run([*command, *options], env=environment, check=True)
    theirs = sorted((folder / "rendered").rglob("*.png"))
    for mine, yours in zip(ours, theirs, strict=True):
        a, b = (np.asarray(Image.open(path).convert("RGBA")).astype(int) for path in (mine, yours))
        opaque = b[..., 3] > 127
        worst, alpha = np.abs(a - b)[opaque].max(), np.abs(a[..., 3] - b[..., 3]).max()
        print(
            f"{mine.name}: {opaque.mean():.0%} covered, differs by at most {worst}/255, alpha by {alpha}/255",
            flush=True,
        )
        if worst > 1 or alpha > 1 or opaque.mean() < 0.5:
            raise SystemExit("The pictures are not the same.")
    blender.go_on("move")

    blender.wait("eevee", 300)
    background(blender, "eevee.blend", "-f", "1")
    (picture,) = folder.glob("eevee_*.png")
    output.mkdir(parents=True, exist_ok=True)
    Image.open(picture).save(output / "eevee.png")
    blender.go_on("eevee")


def background(blender: Blender, name: str, *arguments: str) -> None:
    """Run a Blender without a window on a file of the work folder."""
    desktop = blender.desktop
    process = desktop.start(
        *["blender", "-b", desktop.path(name), *arguments],
        IMAGE_TO_3D_HOME=desktop.path("home"),
        BLENDER_USER_RESOURCES=desktop.path("user"),
    )
    if process.wait(_SECONDS):
        raise SystemExit(f"blender -b {name} failed: {log(blender)}")


def log(blender: Blender) -> str:
    """The end of what Blender said."""
    return (blender.desktop.folder / "blender.log").read_text(errors="replace")[-3000:]
