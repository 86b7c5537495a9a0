"""``image-to-3d`` with one more engine and another renderer, both of which do as they are told. Run as a program by the tests.

Worker processes import the main module again when they start, so that they know both too.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from image_to_3d import render
from image_to_3d.catalogue import ENGINES, EngineInfo
from image_to_3d.core import GaussianCloud, Provenance
from image_to_3d.engines.base import Prediction, no_progress

INFO = EngineInfo(
    "scripted",
    "does what the photo's name says",
    metric=True,
    implementation=f"{Path(__file__).stem}:ScriptedEngine",
)


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
            return Prediction(cloud_of(int(argument) if argument.isdecimal() else 1))  # fuzzing reaches this name, too
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


class FlatRenderer:
    """Fills the picture with the first cloud's mean colour at its mean z. ``eps2d`` says how it fails."""

    name = "flat"

    def render(self, instances, camera, settings) -> render.Frame:
        if settings.eps2d == 11:
            raise ValueError("a picture that cannot be")
        if settings.eps2d == 12:
            raise KeyError("a bug in the renderer")
        if settings.eps2d == 13:
            raise MemoryError
        if settings.eps2d == 14:
            raise RuntimeError("CUDA error: unspecified launch failure")
        if settings.eps2d == 15:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        if settings.eps2d >= 100:
            time.sleep(settings.eps2d / 1000)
        shape = (camera.height, camera.width)
        if not instances:
            nothing = np.zeros(shape, np.float32)
            return render.Frame(np.zeros((*shape, 3), np.float32), nothing, nothing)
        cloud, scale = instances[0].cloud, np.cbrt(np.linalg.det(instances[0].object_to_world[:3, :3]))
        colour = np.broadcast_to(cloud.colours.mean(axis=0), (*shape, 3)).astype(np.float32)
        z = np.full(shape, cloud.positions[:, 2].mean() * scale, np.float32)
        return render.Frame(colour, np.ones(shape, np.float32), z)


sys.modules["image_to_3d.engines.torch_runtime"] = None  # type: ignore[assignment]  # no PyTorch: starts in half a second
render.choose_renderer = lambda *_: (FlatRenderer(), "The picture is flat.")
ENGINES[INFO.name] = INFO
sys.path.insert(0, str(Path(__file__).parent))  # where this module is found by its name

if __name__ == "__main__":
    from image_to_3d.cli import main

    sys.exit(main())
