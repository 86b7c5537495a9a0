"""Looks at every state, and answers the question. Without a network the installation ends with a sentence."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import Blender, save, side_by_side


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each."""
    desktop = blender.desktop
    facts = blender.wait("empty", 300)
    blender.widen_sidebar(facts, 90)
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

    for step in ("installing", "failed"):
        facts = blender.wait(step, 300)
        time.sleep(1)
        sidebars.append(blender.sidebar(facts))
        blender.go_on(step)
    print(f"{facts['message']}\nlongest pause of the main thread {facts['pause']:.2f} s")
    height = max(s.height for s in sidebars) * 4 // 5
    save(side_by_side([s.crop((0, 0, s.width, height)) for s in sidebars]), output / "backend-states.png")
    save(question, output / "install-question.png")
