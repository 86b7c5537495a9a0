"""Presses F12, Ctrl-F12 and Escape."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from window.runner import SCREEN, Blender, save

F12 = "96"
"""Its key code: by its name xdotool presses Alt with it, which is the sequencer's picture."""


def drive(blender: Blender, output: Path) -> None:
    """``output`` gets a picture of what F12 shows."""
    desktop = blender.desktop
    blender.wait("ready", 300)
    desktop.click(SCREEN[0] // 3, SCREEN[1] // 3)
    blender.go_on("ready")
    desktop.keys(F12)
    facts = blender.wait("picture", 300)
    picture = desktop.picture("picture")
    save(picture, output / "rendering.png")
    bright = float((np.asarray(picture).max(axis=2) > 120).mean())
    print(f"F12: {bright:.0%} of the screen is bright", flush=True)
    if not facts["has"] or bright < 0.15:
        raise SystemExit("F12 shows no picture.")
    blender.go_on("picture")

    blender.wait("viewport")
    desktop.keys("Escape", f"ctrl+{F12}")
    blender.go_on("viewport")
    blender.wait("animation", 300)
    time.sleep(1)
    blender.go_on("animation")
    desktop.keys("Escape")
    facts = blender.wait("stopped", 300)
    print(f"Escape: stopped after {facts['written']} frames", flush=True)
    files = sorted((desktop.folder / "frames").glob("*.png"))
    if len(files) != facts["written"] or any(path.stat().st_size < 10_000 for path in files):
        raise SystemExit("Frames are missing or half written.")
    blender.go_on("stopped")

    blender.wait("lost")
    desktop.keys("Escape", F12)
    blender.go_on("lost")
    blender.wait("said", 300)
    red = np.asarray(desktop.picture("said"))[-30:].astype(int)  # the status bar
    if not ((red[..., 0] > 120) & (red[..., 1] < 60)).any():
        raise SystemExit("Nothing says that the backend is gone.")
    log = (desktop.folder / "blender.log").read_text(errors="replace")
    if complaints := [line for line in log.splitlines() if "Traceback" in line]:
        raise SystemExit("\n".join(complaints))
    blender.go_on("said")
