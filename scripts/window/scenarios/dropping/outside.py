"""Chooses the add-on in the menu that Blender opens."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import SCREEN, Blender


def drive(blender: Blender, output: Path) -> None:
    """The last line of the menu is that of the handler that came last; ``output`` gets a picture of it."""
    desktop = blender.desktop
    blender.wait("empty")
    desktop.run("xdotool", "mousemove", str(SCREEN[0] // 3), str(SCREEN[1] // 3))
    blender.go_on("empty")
    blender.wait("menu")
    time.sleep(1)
    desktop.keys("Up")
    output.mkdir(parents=True, exist_ok=True)
    desktop.picture("menu").save(output / "drop-menu.png")
    desktop.keys("Return")
    blender.go_on("menu")
    facts = blender.wait("made", 300)
    print(f"Blender {facts['blender']}: {facts['name']} became {facts['root']}")
    blender.go_on("made")
