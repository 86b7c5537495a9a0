"""What the panel says *Automatic* is, and a backend that leaves because nobody needs it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from drawn import Drawn, context  # noqa: E402


def welcome(auto: str, *unknown):
    """What a backend says whose engines are all ready."""
    from image_to_3d.catalogue import ENGINES
    from image_to_3d.protocol.messages import EngineState, Welcome

    engines = [
        EngineState(info.name, info.summary, info.metric, info.licence, info.needs_depth, "ready")
        for info in ENGINES.values()
    ]
    return Welcome("0.1.0", 1, "cpu", 0, 1, [*engines, *unknown], [], "", auto, "depth-map")


def drawn(panel) -> Drawn:
    layout = Drawn()
    panel.package.photos.engine_widgets.draw(layout, context(bpy), panel.recipe)
    return layout


def test_automatic_is_what_the_backend_says(panel_without_backend) -> None:
    panel = panel_without_backend
    panel.session.connection.welcome = welcome("midas-small")  # serve --engine midas-small
    text = drawn(panel).text
    assert "MiDaS Small: Ready" in text and "Free to use (MIT)" in text and "Not metric" in text
    panel.recipe.depth_path = "/a/depth.png"
    assert "Depth File: Ready" in drawn(panel).text
    panel.recipe.engine = "lite"
    assert "Free to use, comes with the backend" in drawn(panel).text


def test_an_engine_that_the_extension_does_not_know_is_drawn_by_what_the_backend_says(panel_without_backend) -> None:
    from image_to_3d.protocol.messages import EngineState

    panel = panel_without_backend
    new = EngineState("new", "", False, "x", False, "ready", title="Brand New", rights="Free as air")
    panel.session.connection.welcome = welcome("new", new)
    text = drawn(panel).text
    assert "Brand New: Ready" in text and "Free as air" in text and "Not metric" in text
    panel.session.connection.welcome = welcome("new", replace(new, state="on_the_moon"))
    assert "Brand New: on_the_moon" in drawn(panel).text


def test_a_backend_that_left_is_no_failure_and_comes_back_with_the_next_photo(panel, monkeypatch) -> None:
    from image_to_3d.protocol import published

    process = panel.package.backend.process
    panel.session.forget_backend()
    process.stop_running()
    start = process._start
    monkeypatch.setattr(process, "_start", lambda command, minutes: start(command, 0.03))
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    panel.generate()
    assert panel.session.connection.welcome is not None
    panel.pump_until(lambda: panel.session.connection.welcome is None, 30)
    for _ in range(20):
        panel.session.pump()
        time.sleep(0.02)
    assert published() is None and panel.session.failure is None and not panel.session.busy
    panel.generate()
    assert panel.session.failure is None
    panel.pump_until(lambda: panel.session.connection.welcome is None, 30)  # for the tests after this
