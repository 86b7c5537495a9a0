"""Looks at every state, and answers the question. With a network a whole installation is fetched: some minutes, 1.5 GB."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import Blender, save, side_by_side

_MINUTES = 30


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each."""
    desktop = blender.desktop
    blender.wait("empty", 300)
    blender.go_on("empty")
    sidebars = []
    for step in ("connected", "missing"):
        facts = blender.wait(step, 300)
        if facts.get("failure"):
            raise SystemExit(facts["failure"])
        time.sleep(1)
        sidebars.append(blender.sidebar(facts))
        blender.go_on(step)

    blender.wait("question", 300)
    desktop.run("xdotool", "mousemove_relative", "3", "3")  # dialogs are drawn again when the mouse moves
    time.sleep(1)
    question = desktop.picture("question")
    blender.go_on("question")
    desktop.keys("Return")

    for step in ("installing", "ended"):
        facts = blender.wait(step, 60 * _MINUTES)
        time.sleep(1)
        sidebars.append(blender.sidebar(facts))
        blender.go_on(step)
    print(f"{facts['message']}\nlongest pause of the main thread {facts['pause']:.2f} s")
    height = max(s.height for s in sidebars)
    save(side_by_side([s.crop((0, 0, s.width, height)) for s in sidebars]), output / "backend-states.png")
    save(question, output / "install-question.png")
    if not facts["message"]:
        blender.wait("photo", 600)
        time.sleep(3)
        save(desktop.picture("photo"), output / "first-photo.png")
        blender.go_on("photo")
        facts = blender.wait("removed", 600)
        blender.go_on("removed")
        if facts["state"] != "missing":
            raise SystemExit(f"After Remove the installation is {facts['state']}.")
    for name, seconds in facts["times"].items():
        print(f"{name}: {seconds:.1f} s")
