"""Chooses the add-on in the menu that Blender opens."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import SCREEN, Blender, save


def drive(blender: Blender, output: Path) -> None:
    """``output`` gets a picture of the menu."""
    desktop = blender.desktop
    blender.wait("empty")
    desktop.run("xdotool", "mousemove", str(SCREEN[0] // 3), str(SCREEN[1] // 3))
    blender.go_on("empty")
    blender.wait("menu")
    time.sleep(1)
    save(desktop.picture("menu"), output / "drop-menu.png")
    desktop.keys("i")  # the letter that is underlined in "Image to 3D"
    blender.go_on("menu")
    facts = blender.wait("made", 300)
    print(f"Blender {facts['blender']}: {facts['name']} became {facts['root']}")
    blender.go_on("made")
