"""Draws the lasso, and takes the pictures of what is selected, removed and cropped."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from PIL import Image

from window.runner import Blender, save, side_by_side

_CENTRE, _RADIUS = (0.42, 0.5), 0.16
"""Of the lasso, in shares of the viewport."""


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of each."""
    desktop = blender.desktop
    facts = blender.wait("lasso", 240)
    x, y, width, height = facts["area"]
    left, top = x, facts["window_height"] - y - height
    path = [
        (
            left + int(width * (_CENTRE[0] + _RADIUS * 0.7 * math.cos(angle))),
            top + int(height * (_CENTRE[1] + _RADIUS * math.sin(angle))),
        )
        for angle in (i * math.pi / 8 for i in range(16))
    ]
    moves = [word for place in path[1:] for word in ("mousemove", str(place[0]), str(place[1]), "sleep", "0.3")]
    desktop.run(
        "xdotool",
        "mousemove",
        str(path[0][0]),
        str(path[0][1]),
        "sleep",
        "0.5",
        "mousedown",
        "1",
        *moves,
        "mouseup",
        "1",
    )
    blender.go_on("lasso")
    pictures = []
    for step in ("selected", "removed", "undone", "cropped"):
        facts = blender.wait(step, 240)
        time.sleep(3)
        print(f"{step}: {facts['count']:,} points")
        if step == "undone":
            if facts["count"]:
                raise SystemExit(f"Undo left {facts['count']} points removed.")
        else:
            pictures.append(_view(desktop.picture(step), facts))
        blender.go_on(step)
    save(side_by_side(pictures), output / "editing.png")


def _view(picture: Image.Image, facts: dict[str, Any]) -> Image.Image:
    """The viewport without its sidebar, half as large."""
    x, y, _, height = facts["area"]
    top, right = facts["window_height"] - y - height, facts["sidebar"][0]
    return picture.crop((x, top + 60, right, top + height)).resize(((right - x) // 2, (height - 60) // 2))
