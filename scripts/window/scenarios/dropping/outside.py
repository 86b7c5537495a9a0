"""Drags a photo from another program's window into Blender's, and chooses the add-on in the menu that opens."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import Blender, save

_SOURCE = (300, 700)
_TARGET = (400, 300)


def drive(blender: Blender, output: Path) -> None:
    """``output`` gets a picture of the menu."""
    desktop = blender.desktop
    blender.wait("empty")
    photo = desktop.path("living_a/photo.jpg")
    desktop.start("python3", desktop.path("scenario/source.py"), *map(str, _SOURCE), photo)
    time.sleep(3)
    x, y = _SOURCE[0] + 80, _SOURCE[1] + 30
    words = ["xdotool", "mousemove", str(x), str(y), "sleep", "0.3", "mousedown", "1"]
    steps = 20
    for i in range(1, steps + 1):
        along = i / steps
        at = [round(a + along * (b - a)) for a, b in zip((x, y), _TARGET, strict=True)]
        words += ["sleep", "0.05", "mousemove", *map(str, at)]
    desktop.run(*words, "sleep", "1", "mouseup", "1")
    time.sleep(2)
    save(desktop.picture("menu"), output / "drop-menu.png")
    desktop.keys("i")  # the letter that is underlined in "Image to 3D"
    blender.go_on("empty")
    facts = blender.wait("made", 300)
    print(f"Blender {facts['blender']}: {facts['name']} became {facts['root']}")
    blender.go_on("made")
