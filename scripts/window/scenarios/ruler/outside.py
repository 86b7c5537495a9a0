"""Draws a ruler with the mouse and checks what Blender made of it."""

from __future__ import annotations

import time
from pathlib import Path

from window.runner import Blender, save

_PIXEL_M = 0.012
"""What a pixel of the screen covers on the door, metres."""


def drive(blender: Blender, output: Path) -> None:
    """All steps, with a picture of the last two."""
    desktop = blender.desktop
    facts = blender.wait("empty", 900)
    blender.widen_sidebar(facts, 90)
    blender.go_on("empty")

    facts = blender.wait("before", 900)
    time.sleep(3)
    (x0, y0), (x1, y1) = ((round(x), round(y)) for x, y in facts["ends"])
    desktop.run("xdotool", "mousemove", str(x0), str(y0), "sleep", "1", "mousedown", "1", "sleep", "1")
    for k in range(1, 6):
        x, y = x0 + (x1 - x0) * k / 5, y0 + (y1 - y0) * k / 5
        desktop.run("xdotool", "mousemove", str(round(x)), str(round(y)), "sleep", "1")
    desktop.run("xdotool", "mouseup", "1", "sleep", "1")
    blender.go_on("before")

    facts = blender.wait("drawn", 900)
    print(f"{facts['length']:.3f} m for {facts['true_length']:.3f} m, shown as {facts['text']}")
    time.sleep(3)
    save(desktop.picture("drawn"), output / "ruler.png")
    if max(facts["off_surface"]) > 0.005:
        raise SystemExit(f"The ruler does not lie on the surface: {facts['off_surface']} m off.")
    if abs(facts["length"] - facts["true_length"]) > 2 * _PIXEL_M:
        raise SystemExit(f"The ruler is {facts['length']:.3f} m long instead of {facts['true_length']:.3f} m.")
    blender.go_on("drawn")

    facts = blender.wait("calibrated", 900)
    time.sleep(3)
    desktop.picture("calibrated").save(output / "ruler-calibrated.png")
    if abs(facts["length"] - 2.01) > 1e-3 or facts["leaning"] > 0.02:
        raise SystemExit(
            f"After calibration the ruler is {facts['length']:.4f} m long and leans by {facts['leaning']:.3f}."
        )
    blender.go_on("calibrated")
