"""Where things lie, for tests and for the programs that tests start."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TESTS = REPOSITORY / "tests"
SUPPORT = TESTS / "support"
SAMPLE = TESTS / "data" / "living_a"
"""The sample room: photo.jpg, depth_mm.png, truth.json."""
SHARED = REPOSITORY.parent / "shared"
"""Reference tensors and pictures beside the repository; absent in public clones."""
BACKEND_PYTHON = os.environ.get("IMAGE_TO_3D_TEST_PYTHON", "")
"""The Python of the backend environment, for tests that run in Blender."""
