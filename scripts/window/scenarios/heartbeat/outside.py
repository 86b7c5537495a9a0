"""Makes a photo that gives as many Gaussians as SHARP does, and prints how long the window stood still. No pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from window.runner import Blender

SIZE = (1152, 1024)
"""Of the photo: 1,179,648 pixels, one Gaussian each."""
WINDOW = (1024, 640)
"""Small, because without a graphics card drawing the empty window takes as long as it has pixels."""
BEHIND_MM = 6000
"""Depth where the sample room has none."""


def drive(blender: Blender, output: Path) -> None:
    """Wait, and print the table; ``output`` stays as it is."""
    facts = blender.wait("empty")
    sample = blender.desktop.folder / "living_a"
    Image.open(sample / "photo.jpg").resize(SIZE).save(sample / "large.jpg", quality=92)
    depth = np.array(Image.open(sample / "depth_mm.png").resize(SIZE, Image.Resampling.NEAREST)).astype(np.uint16)
    depth[depth == 0] = BEHIND_MM
    Image.fromarray(depth).save(sample / "large.png")
    blender.go_on("empty")
    facts = blender.wait("measured", 1500)
    print(json.dumps(facts["measured"], indent=2))
    blender.go_on("measured")
