"""Nobody waits for the extension: what a person presses and what the pump does returns at once, whatever the backend is at."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

AT_ONCE = 0.1
TRIES = 3
"""Who waits for something waits each time; a busy machine does not hold the same lines up each time."""


def busy_factor() -> float:
    """How many times longer than on an idle machine things take now: the time that passes over the time that is worked."""
    wall, own = time.perf_counter(), time.thread_time()
    while time.thread_time() - own < 0.05:
        pass
    return max(1.0, (time.perf_counter() - wall) / (time.thread_time() - own))


def least_seconds(prepare: Callable[[], None], done: Callable[[], object]) -> float:
    """The shortest of some tries, as if on an idle machine."""
    found = []
    for _ in range(TRIES):
        prepare()
        before = busy_factor()
        begin = time.perf_counter()
        done()
        passed = time.perf_counter() - begin
        found.append(passed / max(before, busy_factor()))
    return min(found)


@pytest.fixture
def starting(panel_without_backend, monkeypatch, tmp_path) -> Callable[[], None]:
    """Has Test Connection wait for a backend that says nothing."""
    panel = panel_without_backend
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path))
    settings = panel.package.backend.settings.get()
    started = tmp_path / "started"
    settings.command = f"\"{sys.executable}\" -c \"import time; open(r'{started}', 'w'); time.sleep(60)\""

    def begin() -> None:
        started.unlink(missing_ok=True)
        assert bpy.ops.image_to_3d.test_connection() == {"FINISHED"}
        panel.pump_until(started.exists)

    return begin


def test_preferences_change_while_a_backend_starts(starting, panel_without_backend) -> None:
    settings = panel_without_backend.package.backend.settings.get()

    def change() -> None:
        settings.idle_minutes += 1
        panel_without_backend.session.pump()

    assert least_seconds(starting, change) < AT_ONCE


def test_the_connection_is_closed_while_a_backend_starts(starting, panel_without_backend) -> None:
    session = panel_without_backend.session

    def forget() -> None:
        session.forget_backend()
        session.pump()

    assert least_seconds(starting, forget) < AT_ONCE


def test_a_photo_arrives_in_small_steps(panel) -> None:
    """Measured is what the thread works, which other processes do not lengthen."""
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    panel.press()
    longest = 0.0
    while panel.session.busy:
        begin = time.thread_time()
        panel.session.pump()
        longest = max(longest, time.thread_time() - begin)
        time.sleep(0.002)
    assert panel.session.failure is None
    assert longest < AT_ONCE
