"""The one timer: parts of the extension that have something to carry on are called on Blender's main thread, each at its time.

A part is a function that says in how many seconds it wants to be called again, or None to sleep until somebody wakes it. Blender
calls timers only while it has a window; scripts call :func:`wait`, or :meth:`Pump.run` themselves.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import bpy

from . import objects
from .faults import as_failure
from .notices import Notices

log = logging.getLogger(__name__)

Tick = Callable[[], float | None]
PAUSE_SECONDS = 0.005
_AFTER_FAULT_SECONDS = 1.0
AFTER: list[Callable[[], None]] = []
"""What is called when the parts have had their turn; put here by modules when they are registered."""


@dataclass(eq=False)
class _Part:
    tick: Tick
    busy: Callable[[], bool]
    due: float | None = None


class Pump:
    """Who is called when. Main thread."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._once: list[Callable[[], None]] = []
        self._running = False

    def add(self, tick: Tick, busy: Callable[[], bool] = lambda: False) -> None:
        """Have a part called once it has been woken.

        Args:
            tick: never waits; an error in it is said, and the others go on.
            busy: whether a script that waits for the end of everything has to wait for this part.
        """
        if all(part.tick != tick for part in self._parts):
            self._parts.append(_Part(tick, busy))

    def soon(self, function: Callable[[], None]) -> None:
        """Have a function called once, at the next turn: for what must not be done while panels are drawn."""
        self._once.append(function)
        self.add(self._soon, lambda: bool(self._once))
        self.wake(self._soon)

    def _soon(self) -> None:
        functions, self._once = self._once, []
        for function in functions:
            function()

    def remove(self, tick: Tick) -> None:
        """Undo :meth:`add`."""
        self._parts = [part for part in self._parts if part.tick != tick]

    def wake(self, tick: Tick) -> None:
        """Have a part called as soon as Blender has a moment."""
        for part in self._parts:
            if part.tick == tick:
                part.due = 0.0
        if self._running:
            return  # :meth:`run` looks at the times once more
        if bpy.app.timers.is_registered(_on_timer):
            bpy.app.timers.unregister(_on_timer)  # it may sleep for longer than that
        bpy.app.timers.register(_on_timer, persistent=True)

    @property
    def busy(self) -> bool:
        """Whether a part is."""
        return any(part.busy() for part in self._parts)

    def run(self, everything: bool = False) -> float | None:
        """Call the parts whose time has come.

        Args:
            everything: also those that are not due, as scripts want it.

        Returns:
            Seconds until the next one, None if all sleep.
        """
        self._running = True
        try:
            for part in list(self._parts):
                if everything or (part.due is not None and part.due <= time.monotonic()):
                    part.due = None  # who is woken meanwhile stays awake
                    pause = self._call(part)
                    if pause is not None:
                        due = time.monotonic() + pause
                        part.due = due if part.due is None else min(part.due, due)
        finally:
            self._running = False
        for after in AFTER:
            after()
        dues = [part.due for part in self._parts if part.due is not None]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _call(self, part: _Part) -> float | None:
        try:
            return part.tick()
        except Exception as error:  # one part must not stop the others
            objects.of(Notices).fail("extension", as_failure(error))
            return _AFTER_FAULT_SECONDS if part.busy() else None

    def close(self) -> None:
        """Stop the timer."""
        if bpy.app.timers.is_registered(_on_timer):
            bpy.app.timers.unregister(_on_timer)
        self._parts.clear()


def _on_timer() -> float | None:
    return objects.of(Pump).run() if objects.running() else None


def wait(timeout: float) -> None:
    """Carry everything on until nothing is under way: for scripts, which have no timers.

    Raises:
        ImageTo3DError: what went wrong.
        TimeoutError: it took longer than ``timeout`` seconds.
    """
    pump = objects.of(Pump)
    deadline = time.monotonic() + timeout
    while True:
        pump.run(everything=True)
        if not pump.busy:
            break
        if time.monotonic() > deadline:
            raise TimeoutError(f"still busy after {timeout:g} seconds")
        time.sleep(PAUSE_SECONDS)
    failure = objects.of(Notices).failure
    if failure is not None:
        raise failure
