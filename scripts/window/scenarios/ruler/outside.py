"""Measures with the mouse, and checks what Blender made of it: a ruler, the laser, a box and a lasso."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from window.runner import Blender, save

_ACROSS_M = 4.192
"""From the leaf of the door to the wall opposite."""


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
    if abs(facts["length"] / facts["true_length"] - 1) > 0.01:
        raise SystemExit(f"The ruler is {facts['length']:.3f} m long instead of {facts['true_length']:.3f} m.")
    blender.go_on("drawn")

    facts = blender.wait("laser", 900)
    desktop.click(*(round(x) for x in facts["at"]))
    blender.go_on("laser")
    length = blender.wait("laser shown", 900)["length"]
    print(f"laser: {length:.3f} m for {_ACROSS_M} m", flush=True)
    blender.go_on("laser shown")
    if abs(length / _ACROSS_M - 1) > 0.01:
        raise SystemExit(f"The laser shows {length} m.")
    for shape, tilt, tolerance in (("box", 90, 0.3), ("lasso", 0, 0.5)):
        facts = blender.wait(shape, 900)
        corners = facts["corners"]
        trace(blender, corners[:1] + corners[-1:] if shape == "box" else [*corners, corners[0]])
        blender.go_on(shape)
        facts = blender.wait(f"{shape} shown", 900)
        time.sleep(3)
        desktop.picture(f"{shape}-shown").save(output / f"ruler-{shape}.png")
        print(f"{shape}: tilt {facts['tilt']:.2f}° for {tilt}°, {facts['square_m']:.2f} m²", flush=True)
        if abs(facts["tilt"] - tilt) > tolerance:
            raise SystemExit(f"The {shape} has a tilt of {facts['tilt']}°.")
        blender.go_on(f"{shape} shown")

    facts = blender.wait("calibrated", 900)
    time.sleep(3)
    desktop.picture("calibrated").save(output / "ruler-calibrated.png")
    if abs(facts["length"] - 2.01) > 1e-3 or facts["leaning"] > 0.02:
        raise SystemExit(
            f"After calibration the ruler is {facts['length']:.4f} m long and leans by {facts['leaning']:.3f}."
        )
    blender.go_on("calibrated")


def trace(blender: Blender, corners: list[list[float]]) -> None:
    """Press the left button at the first place, go straight from one to the next, let go."""
    words = []
    for a, b in itertools.pairwise(corners):
        for k in range(1, 9):
            x, y = (round(p + (q - p) * k / 8) for p, q in zip(a, b, strict=True))
            words += ["mousemove", str(x), str(y), "sleep", "0.3"]
    start = [str(round(x)) for x in corners[0]]
    blender.desktop.run("xdotool", "mousemove", *start, "sleep", "1", "mousedown", "1", "sleep", "0.5", *words)
    blender.desktop.run("xdotool", "mouseup", "1")
