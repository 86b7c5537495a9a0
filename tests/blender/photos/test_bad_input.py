"""Whatever is wrong, there is a sentence and a hint, nothing is left behind, and the next try works."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from paths import SAMPLE

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")


def fails_with(panel, words: str) -> None:
    """Press, wait, and check the sentence; then check that nothing was left."""
    names = set(bpy.data.objects.keys()), len(bpy.data.collections), len(bpy.data.materials)
    bpy.ops.image_to_3d.generate()
    panel.finish()
    failure = panel.session.failure
    assert failure is not None and words in failure.message, failure
    assert failure.message.endswith(".") and failure.hint and "Traceback" not in str(failure)
    assert (set(bpy.data.objects.keys()), len(bpy.data.collections), len(bpy.data.materials)) == names


def test_no_photo_chosen(panel_without_backend) -> None:
    fails_with(panel_without_backend, "No photo is chosen")


def test_no_image_chosen(panel_without_backend) -> None:
    panel_without_backend.recipe.source = "IMAGE"
    fails_with(panel_without_backend, "No image is chosen")


def test_missing_photo(panel, tmp_path: Path) -> None:
    panel.recipe.photo_path = str(tmp_path / "nothing.jpg")
    fails_with(panel, "There is no file")


def test_missing_depth_file(panel, tmp_path: Path) -> None:
    panel.choose_sample()
    panel.recipe.depth_path = str(tmp_path / "nothing.png")
    fails_with(panel, "There is no file")


def test_a_folder(panel, tmp_path: Path) -> None:
    panel.recipe.photo_path = str(tmp_path)
    fails_with(panel, "cannot be opened")


def test_not_an_image(panel, tmp_path: Path) -> None:
    path = tmp_path / "text.jpg"
    path.write_text("This is a letter.")
    panel.choose_sample()
    panel.recipe.photo_path = str(path)
    fails_with(panel, "cannot be read")


def test_truncated_photo(panel, tmp_path: Path) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes((SAMPLE / "photo.jpg").read_bytes()[:20_000])
    panel.choose_sample()
    panel.recipe.photo_path = str(path)
    fails_with(panel, "cannot be read")


def test_depth_of_another_size(panel, tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.full((320, 480), 2.0, np.float32))
    panel.choose_sample()
    panel.recipe.depth_path = str(tmp_path / "depth.npy")
    fails_with(panel, "480×320")
    panel.recipe.resize_depth = True
    assert panel.generate().root is not None


def test_depth_of_another_aspect(panel, tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.full((300, 300), 2.0, np.float32))
    panel.choose_sample()
    panel.recipe.depth_path, panel.recipe.resize_depth = str(tmp_path / "depth.npy"), True
    fails_with(panel, "aspect")


def test_unknown_depth_everywhere(panel, tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.zeros((640, 960), np.float32))
    panel.choose_sample()
    panel.recipe.depth_path = str(tmp_path / "depth.npy")
    fails_with(panel, "cannot be used")


def test_engine_that_needs_a_depth_file(panel) -> None:
    panel.choose_sample()
    panel.recipe.depth_path = ""
    fails_with(panel, "needs a depth file")


def test_command_that_does_not_exist(panel_without_backend, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path))
    panel_without_backend.package.backend.settings.get().command = str(tmp_path / "no-such-program")
    panel_without_backend.choose_sample()
    fails_with(panel_without_backend, "cannot be run")


def test_no_backend_anywhere(panel_without_backend, tmp_path: Path, monkeypatch) -> None:
    panel = panel_without_backend
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path))
    monkeypatch.delenv("IMAGE_TO_3D_BACKEND")
    monkeypatch.setenv("PATH", str(tmp_path))
    panel.package.backend.settings.get().idle_minutes = 7  # other settings, so that the add-on looks for it anew
    panel.choose_sample()
    fails_with(panel, "not installed")


def test_backend_that_dies_while_starting(panel_without_backend, tmp_path: Path, monkeypatch) -> None:
    panel = panel_without_backend
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path))
    script = tmp_path / "dies.py"
    script.write_text("raise SystemExit('image-to-3d: No module named torch.')")
    panel.package.backend.settings.get().command = f'"{sys.executable}" "{script}"'
    panel.choose_sample()
    fails_with(panel, "stopped while it was starting")
    assert "torch" in panel.session.failure.hint


def test_another_computer_without_permission_for_the_network(panel_without_backend, addon) -> None:
    preferences = addon.backend.settings.get()
    preferences.location, preferences.address = "REMOTE", "studio.example:5555"
    panel_without_backend.choose_sample()
    fails_with(panel_without_backend, "may not use the network")


def test_another_computer_without_address(panel_without_backend, addon) -> None:
    addon.backend.settings.get().location = "REMOTE"
    panel_without_backend.choose_sample()
    fails_with(panel_without_backend, "address")


def test_backend_killed_in_the_middle_and_started_again(panel) -> None:
    from image_to_3d.protocol import published

    panel.choose_sample()
    panel.press()
    panel.pump_until_working()
    killed = published()
    os.kill(killed.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    panel.finish()
    assert "connection to the backend was lost" in panel.session.failure.message and panel.session.failure.hint
    assert len(bpy.data.collections) == 1
    time.sleep(0.3)  # a process that was killed closes its sockets one after the other
    assert panel.generate().root is not None
    assert published().pid != killed.pid


def test_result_is_placed_even_if_its_scene_was_deleted(panel) -> None:
    panel.choose_sample()
    bpy.data.scenes.new("Other")
    panel.press()
    bpy.data.scenes.remove(bpy.data.scenes["Scene"])
    panel.finish()
    assert panel.session.failure is None and panel.session.last_root in bpy.data.objects


def test_photo_removed_while_it_is_processed(panel, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    shutil.copy(SAMPLE / "photo.jpg", path)
    panel.choose_sample()
    panel.recipe.photo_path = str(path)
    panel.press()
    panel.pump_until_working()
    path.unlink()
    panel.finish()
    assert panel.session.failure is None and panel.session.last_root in bpy.data.objects


def test_connection_can_be_tested(panel) -> None:
    assert bpy.ops.image_to_3d.test_connection() == {"FINISHED"}
    panel.finish()
    assert panel.session.failure is None and panel.session.welcome is not None
    assert any(engine.name == "depth-map" and engine.state == "ready" for engine in panel.session.welcome.engines)
