"""``image-to-3d`` with one more engine, which does what the photo's name says. Run as a program by the tests.

Worker processes import the main module again when they start, so that they know the engine too.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from image_to_3d.core import GaussianCloud, Provenance
from image_to_3d.engines.base import EngineInfo, Prediction, no_progress
from image_to_3d.engines.registry import ENGINES, EngineEntry

INFO = EngineInfo(name="scripted", summary="does what the photo's name says", metric=True)


def cloud_of(count: int) -> GaussianCloud:
    """``count`` Gaussians along a line."""
    positions = np.zeros((count, 3), np.float32)
    positions[:, 2] = np.linspace(1, 2, count)
    return GaussianCloud(
        positions=positions,
        scales=np.full((count, 3), 0.01, np.float32),
        rotations=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        colours=np.full((count, 3), 0.5, np.float32),
        opacities=np.full(count, 0.9, np.float32),
        provenance=Provenance("scripted"),
    )


class ScriptedEngine:
    """``work S``: progress for S seconds. ``hang S``: silence for S seconds. ``points N``. Others fail in their own way."""

    info = INFO

    def __init__(self, options: object = None) -> None:
        del options

    def predict(self, photo, depth=None, progress=no_progress) -> Prediction:
        what, _, argument = photo.name.partition(" ")
        if what == "work":
            start, seconds = time.monotonic(), float(argument)
            while (gone := time.monotonic() - start) < seconds:
                progress("network", gone / seconds)
                time.sleep(0.01)
        elif what == "hang":
            progress("network", 0.5)
            time.sleep(float(argument))
        elif what == "points":
            return Prediction(cloud_of(int(argument)))
        elif what == "raise":
            raise ValueError("a bug in the engine")
        elif what == "memory":
            raise MemoryError
        elif what == "cuda":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        elif what == "cuda-memory":
            raise type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to allocate 20.00 GiB")
        elif what == "die":
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        elif what == "exit":
            sys.exit("the engine leaves")
        return Prediction(cloud_of(3))

    def unload(self) -> None:
        """Nothing is held."""


ENGINES["scripted"] = EngineEntry(INFO, f"{Path(__file__).stem}:ScriptedEngine")
sys.path.insert(0, str(Path(__file__).parent))  # where this module is found by its name

if __name__ == "__main__":
    from image_to_3d.cli import main

    sys.exit(main())
