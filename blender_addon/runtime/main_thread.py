"""Work that only Blender's main thread may do, in steps, so that the window answers in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from image_to_3d.core import ErrorCode, ImageTo3DError

log = logging.getLogger(__name__)

Steps = Generator[None, None, None]
_T = TypeVar("_T")

_SECONDS_AT_ONCE = 0.02
_MOST_RESTARTS = 3


def as_failure(error: Exception) -> ImageTo3DError:
    """Words for whatever was raised; the traceback of what nobody expected goes to the console."""
    if isinstance(error, ImageTo3DError):
        return error
    if isinstance(error, MemoryError):
        return ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "There is not enough memory.", "Close other programs.")
    log.error("The extension made a mistake", exc_info=error)
    return ImageTo3DError(
        ErrorCode.INTERNAL,
        f"The extension made a mistake: {type(error).__name__}: {error}.",
        "Blender's console has the details; please report it.",
    )


def at_once(steps: Generator[None, None, _T]) -> _T:
    """What steps come to when they are done without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@dataclass(eq=False)
class Work:
    """Something under way.

    Attributes:
        begin: starts it, or starts it over; it yields where the window may have its turn.
        failed: is told why it failed.
    """

    begin: Callable[[], Steps]
    failed: Callable[[ImageTo3DError], None]
    steps: Steps | None = None
    starts: int = 0


class Stepwise:
    """A queue of such work."""

    def __init__(self) -> None:
        self._queue: list[Work] = []

    @property
    def busy(self) -> bool:
        """True while :meth:`pump` has something to do."""
        return bool(self._queue)

    def run(self, begin: Callable[[], Steps], failed: Callable[[ImageTo3DError], None]) -> Work:
        """Queue work; see :class:`Work`."""
        work = Work(begin, failed)
        self._queue.append(work)
        return work

    def drop(self, work: Work | None) -> None:
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

    def pump(self) -> None:
        """Do a step, and more of them while they are short. Main thread.

        Where somebody removes what a step has made, the work starts over.
        """
        end = time.perf_counter() + _SECONDS_AT_ONCE
        while self._queue:
            self._step(self._queue[0])
            if time.perf_counter() >= end:
                return

    def _step(self, work: Work) -> None:
        try:
            if work.steps is None:
                work.steps, work.starts = work.begin(), work.starts + 1
            next(work.steps)
        except StopIteration:
            self._queue.remove(work)
        except ReferenceError as error:
            work.steps = None
            if work.starts > _MOST_RESTARTS:
                self._fail(work, error)
        except Exception as error:  # what waits behind it goes on, whatever happened here
            self._fail(work, error)

    def _fail(self, work: Work, error: Exception) -> None:
        self._queue.remove(work)
        work.failed(as_failure(error))
