"""Looks at the live preview, takes its backend away and gives it another one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from window.runner import REPOSITORY, SCREEN, Blender, save

_SIZES = 50
_ROUNDS = 5
_GROWTH_MB = 60
"""Most that fifty switches on and off may add to Blender's memory."""


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each that is worth one."""
    desktop = blender.desktop
    pictures, found = {}, {}
    for step in (
        *("points", "cube", "solid", "material", "rendered", "quad", "windows"),
        *(f"{what} {turn}" for turn in range(_ROUNDS) for what in ("resize", "resized")),
        *("reloaded", "lost", "back", "toggled", "toggled again", "deleted", "off"),
    ):
        facts = found[step] = blender.wait(step, 600)
        time.sleep(2)
        pictures[step] = desktop.picture(step)
        print(step, {k: v for k, v in facts.items() if k not in _PLACES}, flush=True)
        if step == "solid":
            save(pictures[step], output / "live-preview.png")
        if step.startswith("resize "):
            resize(blender)
        if step == "lost":
            start_backend(blender)
        blender.go_on(step)
    half = red(pictures["solid"]) / red(pictures["cube"])
    print(f"{half:.0%} of the cube is seen", flush=True)
    wanted = {
        "a cube half in the wall is half visible": 0.3 < half < 0.8,
        "native points are hidden": found["solid"]["hidden"] and found["reloaded"]["hidden"],
        "four streams in quad view": found["quad"]["streams"] == 4,
        "a second window and its end": (found["windows"]["streams"], found["windows"]["after"]) == (2, 1),
        "points come back with a lost backend": found["lost"]["points"],
        "no picture of what was deleted": found["deleted"]["pictures"] == 0,
        "no timer and no streams when off": not found["off"]["timer"] and not found["off"]["streams"],
        "pictures are let go": all(facts.get("pictures", 0) <= 2 for facts in found.values()),
        "threads end": found["toggled again"]["threads"] <= found["toggled"]["threads"],
    }
    rounds = [round(found[f"resized {turn}"]["memory"]) for turn in range(_ROUNDS)]
    print(f"MB after each round of {_SIZES} sizes, driver included: {rounds}", flush=True)
    toggled = [found[step]["memory"] for step in ("toggled", "toggled again")]
    wanted["memory is let go"] = toggled[1] - toggled[0] < _GROWTH_MB
    log = (desktop.folder / "blender.log").read_text(errors="replace")
    complaints = [line for line in log.splitlines() if "Traceback" in line or "Error" in line]
    wanted["no error in the console:\n" + "\n".join(complaints)] = not complaints
    if failed := [what for what, holds in wanted.items() if not holds]:
        raise SystemExit("This does not hold: " + "; ".join(failed))


_PLACES = {"window_height", "sidebar", "area", "blender"}


def red(picture: Image.Image) -> int:
    """Pixels of the cube's colour in the viewport."""
    rgb = np.asarray(picture).astype(int)
    return int(((rgb[..., 0] > 90) & (rgb[..., 0] > 3 * rgb[..., 1]) & (rgb[..., 0] > 3 * rgb[..., 2])).sum())


def resize(blender: Blender) -> None:
    """Give the window fifty sizes one after the other; the last is the first."""
    sizes = [(SCREEN[0] - 8 * (_SIZES - 1 - i), SCREEN[1] - 5 * (_SIZES - 1 - i)) for i in range(_SIZES)]
    words = ["xdotool", "search", "--class", "blender"]
    for width, height in sizes:
        words += ["windowsize", "%1", str(width), str(height), "sleep", "0.15"]
    blender.desktop.run(*words)


def start_backend(blender: Blender) -> None:
    """Another one for the same account."""
    folder = blender.desktop.folder
    environment = {**os.environ, "IMAGE_TO_3D_HOME": str(folder / "home"), "PYTHONPATH": str(REPOSITORY / "backend")}
    command = [sys.executable, "-m", "image_to_3d", "serve", "--idle-exit", "10"]
    blender.desktop.processes.append(subprocess.Popen(command, env=environment, cwd=REPOSITORY))
