"""Step of the film demo with the backend's packages: frames → MP4 and contact sheet. ``python film_in_backend.py JOB.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from image_to_3d.io.video import VideoWriter

JOB = json.loads(Path(sys.argv[1]).read_text("utf-8"))
COLUMNS = 10

frames = [np.array(Image.open(file).convert("RGB")) for file in sorted(Path(JOB["frames_folder"]).glob("frame_*.png"))]
height, width = frames[0].shape[:2]
with VideoWriter(Path(JOB["output"]) / "film.mp4", width, height, JOB["fps"]) as film:
    for frame in frames:
        film.write(frame)
small = [
    Image.fromarray(frame).resize((160, round(160 * height / width)), Image.Resampling.LANCZOS) for frame in frames
]
rows = -(-len(small) // COLUMNS)
sheet = Image.new("RGB", (160 * COLUMNS, small[0].height * rows))
for number, picture in enumerate(small):
    sheet.paste(picture, (160 * (number % COLUMNS), small[0].height * (number // COLUMNS)))
sheet.save(Path(JOB["output"]) / "film.jpg", quality=85)
