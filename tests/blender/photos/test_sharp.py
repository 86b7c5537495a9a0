"""SHARP's code path from the button to the point cloud, with a small network of made-up weights."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from backend import stop_backend  # noqa: E402
from paths import SAMPLE, SUPPORT  # noqa: E402

WRITE = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import sharp_recipe
sharp_recipe.write_checkpoint(pathlib.Path(sys.argv[2]))
"""


@pytest.fixture
def sharp_backend(panel, tmp_path, monkeypatch):
    """A backend that starts with SHARP's weights at hand."""
    checkpoint = tmp_path / "micro.pt"
    subprocess.run([os.environ["IMAGE_TO_3D_TEST_PYTHON"], "-c", WRITE, str(SUPPORT), str(checkpoint)], check=True)
    monkeypatch.setenv("IMAGE_TO_3D_SHARP_CHECKPOINT", str(checkpoint))
    stop_backend()
    yield
    panel.session.cancel()
    stop_backend()


def test_a_bare_photo_goes_through_sharp_to_points_on_two_layers(panel, addon, sharp_backend) -> None:
    panel.recipe.photo_path = str(SAMPLE / "photo.jpg")
    panel.recipe.engine = "auto"
    stages = set()
    panel.press()
    panel.pump_until(lambda: panel.session.job is None or stages.add(panel.session.job.stage), 120)
    assert panel.session.failure is None, panel.session.failure
    built = addon.scene.roles.find(bpy.data.objects[panel.session.last_root])
    outcome = built.root.image_to_3d.outcome
    assert (outcome.engine, outcome.points, outcome.metric) == ("sharp", 2 * 64 * 64, True)
    assert stages & {"network", "patches", "image", "decoder", "preprocess", "postprocess"}, stages
    positions = addon.scene.points.read(built.points, "position")
    assert (positions[:, 1] > 0).all() and np.isfinite(positions).all()  # before the camera, which looks along +Y
    rotations = addon.scene.points.read(built.points, "rotation")
    assert np.allclose(np.linalg.norm(rotations, axis=1), 1, atol=1e-5)
