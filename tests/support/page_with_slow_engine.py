"""``image-to-3d`` with one more engine, which takes its time. Run as a program by the tests of the page."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from image_to_3d.catalogue import ENGINES, EngineInfo


class SlowEngine:
    """Reports progress for a minute."""

    info = EngineInfo("slow", "takes a minute", metric=True, implementation=f"{Path(__file__).stem}:SlowEngine")

    def __init__(self, options: object) -> None:
        del options

    def predict(self, photo, depth=None, progress=None):
        for step in range(600):
            progress("network", step / 600)
            time.sleep(0.1)
        raise AssertionError("nobody cancelled")

    def unload(self) -> None:
        """Nothing is held."""


ENGINES["slow"] = SlowEngine.info
sys.path.insert(0, str(Path(__file__).parent))  # where this module is found by its name

if __name__ == "__main__":
    from image_to_3d.cli import main

    sys.exit(main())
