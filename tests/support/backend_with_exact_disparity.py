"""``image-to-3d`` whose ``midas-small`` is perfect: it gives the exact inverse depth of a known room, up to scale and shift.

Run as a program by the tests. The depth, in millimetres, is the file beside the photo of the sample room.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from image_to_3d.catalogue import ENGINES, EngineInfo
from image_to_3d.core import Provenance
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.core.depth.relative_depth import assume
from image_to_3d.engines.base import Prediction, no_progress
from paths import SAMPLE

DEPTH = SAMPLE / "depth_mm.png"
INFO = EngineInfo(
    "midas-small", "exact, but relative", metric=False, implementation=f"{Path(__file__).stem}:ExactDisparityEngine"
)
SCALE, SHIFT = 730.0, -41.0  # of no meaning, as those of a network


class ExactDisparityEngine:
    """1/z · SCALE + SHIFT of the sample room."""

    info = INFO

    def __init__(self, options: object = None) -> None:
        del options

    def predict(self, photo, depth=None, progress=no_progress) -> Prediction:
        with Image.open(DEPTH) as image:
            disparity = SCALE * 1000.0 / np.asarray(image, np.float64) + SHIFT
        affine = assume(disparity, photo.intrinsics)
        details = {"inverse_depth": affine.to_details()}
        provenance = Provenance("midas-small", False, photo.focal.source, photo.name, details)
        return Prediction(lift(photo.pixels, affine.depth(disparity), photo.intrinsics, provenance=provenance))

    def unload(self) -> None:
        """Nothing is held."""


sys.modules["image_to_3d.engines.torch_runtime"] = None  # type: ignore[assignment]  # no PyTorch: starts in half a second
ENGINES[INFO.name] = INFO
sys.path.insert(0, str(Path(__file__).parent))  # where this module is found by its name

if __name__ == "__main__":
    from image_to_3d.cli import main

    sys.exit(main())
