"""Work that only Blender's main thread may do, in steps, so that the window answers in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import bpy

from image_to_3d.core import ImageTo3DError

from . import objects
from .faults import as_failure
from .pump import Pump

Steps = Generator[None, None, None]
_T = TypeVar("_T")

TIME_SLICE_S = 0.02
MAX_RESTARTS = 3
WAIT_SECONDS = 0.05
"""Between two looks whether the person has left another mode."""


def at_once(steps: Generator[None, None, _T]) -> _T:
    """What steps come to when they are done without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@dataclass(eq=False)
class SlicedTask:
    """Something under way.

    Attributes:
        begin: starts it, or starts it over; it yields where the window may have its turn.
        failed: is told why it failed.
    """

    begin: Callable[[], Steps]
    failed: Callable[[ImageTo3DError], None]
    steps: Steps | None = None
    starts: int = 0


class SlicedRunner:
    """A queue of such work."""

    def __init__(self) -> None:
        self._queue: list[SlicedTask] = []
        objects.of(Pump).add(self.tick, lambda: self.busy)

    @property
    def busy(self) -> bool:
        """True while :meth:`pump` has something to do."""
        return bool(self._queue)

    def run(self, begin: Callable[[], Steps], failed: Callable[[ImageTo3DError], None]) -> SlicedTask:
        """Queue work; see :class:`SlicedTask`."""
        work = SlicedTask(begin, failed)
        self._queue.append(work)
        objects.of(Pump).wake(self.tick)
        return work

    def drop(self, work: SlicedTask | None) -> None:
        """Stop work between two steps; it cleans up after itself."""
        if work in self._queue:
            self._queue.remove(work)
            if work.steps is not None:
                work.steps.close()

    def drop_all(self) -> None:
        """Stop everything."""
        for work in list(self._queue):
            self.drop(work)

    def start_over(self) -> None:
        """Give up what has been made, because it is about to be swept away, and begin anew with the next :meth:`pump`.

        To be called before undo and redo: afterwards, touching a data-block that they removed ends Blender.
        """
        for work in self._queue:
            if work.steps is not None:
                work.steps.close()
                work.steps = None
                work.starts = 0

    def tick(self) -> float | None:
        """Carry on, in object mode only; the window has its turn before the next slice."""
        if not self.busy:
            return None
        if bpy.context.mode != "OBJECT":
            return WAIT_SECONDS
        self.pump()
        return 0.0

    def pump(self) -> None:
        """Do a step, and more of them while they are short. Main thread.

        Where somebody removes what a step has made, the work starts over.
        """
        end = time.perf_counter() + TIME_SLICE_S
        while self._queue:
            self._step(self._queue[0])
            if time.perf_counter() >= end:
                return

    def _step(self, work: SlicedTask) -> None:
        try:
            if work.steps is None:
                work.steps, work.starts = work.begin(), work.starts + 1
            next(work.steps)
        except StopIteration:
            self._queue.remove(work)
        except ReferenceError as error:
            work.steps = None
            if work.starts > MAX_RESTARTS:
                self._fail(work, error)
        except Exception as error:  # what waits behind it goes on, whatever happened here
            self._fail(work, error)

    def _fail(self, work: SlicedTask, error: Exception) -> None:
        self._queue.remove(work)
        work.failed(as_failure(error))
