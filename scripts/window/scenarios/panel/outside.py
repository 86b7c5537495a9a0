"""Presses the button, and takes the pictures of the panel and of the sample room."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import Blender, save, side_by_side, tall_button

_ERRORS = ("missing", "unreadable", "weights")


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each."""
    desktop = blender.desktop
    blender.wait("empty")
    blender.go_on("empty")

    errors = []
    for step in _ERRORS:
        facts = blender.wait(step)
        time.sleep(1)
        errors.append(blender.sidebar(facts))
        blender.go_on(step)

    facts = blender.wait("before")
    time.sleep(1)
    states = [blender.sidebar(facts)]
    button = tall_button(states[-1])
    blender.go_on("before")
    blender.click_in_sidebar(facts, button)

    facts = blender.wait("progress")
    states.append(blender.sidebar(facts))
    blender.go_on("progress")
    if not facts["running"]:
        raise SystemExit("The photo was done before its progress was on a picture.")

    facts = blender.wait("solid")
    print(f"Blender {facts['blender']}, longest pause of its main thread {facts['longest_pause']:.2f} s")
    time.sleep(3)
    picture = desktop.picture("solid")
    states.append(blender.sidebar(facts, picture))
    save(picture, output / "panel.png")
    blender.go_on("solid")

    blender.wait("material")
    save(desktop.picture_once_coloured("material"), output / "material.png")
    blender.go_on("material")
    blender.wait("camera")
    time.sleep(5)
    save(desktop.picture("camera"), output / "camera.png")
    blender.go_on("camera")
    facts = blender.wait("chinese")
    time.sleep(5)
    states.append(blender.sidebar(facts))
    blender.go_on("chinese")

    facts = blender.wait("undone")
    if facts["objects"]:
        raise SystemExit(f"Undo left {facts['objects']} objects.")
    blender.go_on("undone")
    save(side_by_side(states), output / "panel-states.png")
    save(side_by_side([s.crop((0, 0, s.width, s.height * 5 // 8)) for s in errors]), output / "panel-errors.png")
