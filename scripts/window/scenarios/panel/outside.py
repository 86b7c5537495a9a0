"""Presses the button, and takes the pictures of the panel and of the sample room."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import Blender, save, side_by_side, tall_button


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each."""
    desktop = blender.desktop
    facts = blender.wait("empty")
    blender.widen_sidebar(facts, 60)
    blender.go_on("empty")

    facts = blender.wait("error")
    time.sleep(0.5)
    sidebars = [blender.sidebar(facts)]
    blender.go_on("error")

    facts = blender.wait("before")
    time.sleep(0.5)
    sidebars.append(blender.sidebar(facts))
    button = tall_button(sidebars[-1])
    blender.go_on("before")
    blender.click_in_sidebar(facts, button)

    facts = blender.wait("progress")
    sidebars.append(blender.sidebar(facts))
    blender.go_on("progress")

    facts = blender.wait("solid")
    print(f"Blender {facts['blender']}, longest pause of its main thread {facts['longest_pause']:.2f} s")
    time.sleep(3)
    picture = desktop.picture("solid")
    sidebars.append(blender.sidebar(facts, picture))
    save(picture, output / "panel.png")
    blender.go_on("solid")

    blender.wait("material")
    save(desktop.picture_once_coloured("material"), output / "material.png")
    blender.go_on("material")
    blender.wait("camera")
    time.sleep(5)
    save(desktop.picture("camera"), output / "camera.png")
    blender.go_on("camera")

    facts = blender.wait("undone")
    if facts["objects"]:
        raise SystemExit(f"Undo left {facts['objects']} objects.")
    blender.go_on("undone")
    height = max(s.height for s in sidebars) * 3 // 4
    save(side_by_side([s.crop((0, 0, s.width, height)) for s in sidebars]), output / "panel-states.png")
