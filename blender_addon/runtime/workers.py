"""Work away from Blender's main thread: ``run(work, done)``, and ``done`` is always called, with the result or the error.

Work of one lane is done one piece after the other, in the order in which it was given; lanes go on beside each other. ``work``
touches no bpy; ``done`` is called on the main thread by the pump.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import bpy

from image_to_3d.core import Cancelled

from . import objects
from .faults import as_failure
from .notices import Notices
from .pump import Pump

T = TypeVar("T")
LOG_LINES = 300
TICK_SECONDS = 0.05
LEAVE_SECONDS = 10.0
"""How long a piece of work that was told to end may take for it when the extension is switched off."""


@dataclass(eq=False)
class Handle:
    """A piece of work, for whoever asked for it and for ``work`` itself.

    Attributes:
        title: what it is, in words; empty for what nobody needs to know.
        lane: see the module.
        in_any_mode: ``done`` is called in edit mode too; else only in object mode, where undo knows what it changes.
        stage, fraction: how far it is, for panels.
        log: what it has said, the newest last.
        cancelled: set when nobody wants it any more; ``work`` ends as soon as it can.
        failure: why it failed, once it has.
        ended: set when ``work`` has come to its end; ``done`` follows.
    """

    title: str = ""
    lane: str = "files"
    in_any_mode: bool = False
    stage: str = ""
    fraction: float = 0.0
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    cancelled: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since it was asked for."""
        return time.monotonic() - self.started

    def say(self, line: str) -> None:
        """Lines for the log. Any thread."""
        self.log.extend(line.splitlines())

    def report(self, stage: str, fraction: float) -> None:
        """What is being done, and how far it is; never goes back. Any thread."""
        self.stage, self.fraction = stage, max(self.fraction, min(fraction, 1.0))


@dataclass(eq=False)
class _Job:
    handle: Handle
    work: Callable[[Handle], Any]
    done: Callable[[Any], None]
    known: tuple[type[Exception], ...]
    thread: threading.Thread | None = None
    outcome: Any = None

    def begin(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"image-to-3d {self.handle.lane}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.outcome = Cancelled() if self.handle.cancelled.is_set() else self.work(self.handle)
        except BaseException as error:  # whatever it was, somebody waits for an answer
            fault = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
            self.outcome = fault if isinstance(fault, self.known) else as_failure(fault)
        finally:
            self.handle.ended.set()


class Workers:
    """The pieces of work under way. Main thread, but for ``work`` itself."""

    def __init__(self) -> None:
        self._lanes: dict[str, deque[_Job]] = {}
        objects.of(Pump).add(self.tick, lambda: self.busy)

    def run(
        self,
        work: Callable[[Handle], T],
        done: Callable[[T | Exception], None],
        title: str = "",
        lane: str = "files",
        in_any_mode: bool = False,
        known: tuple[type[Exception], ...] = (),
    ) -> Handle:
        """Do ``work`` on a thread, then ``done`` with its result or its error on the main thread.

        Args:
            work: touches no bpy.
            done: gets an exception as a value where ``work`` failed or was cancelled: an ImageTo3DError, or one of ``known``.
            title, lane, in_any_mode: see :class:`Handle`.
            known: further kinds of errors that ``done`` understands; others become an ImageTo3DError in words.
        """
        job = _Job(Handle(title, lane, in_any_mode), work, done, known)
        waiting = self._lanes.setdefault(lane, deque())
        waiting.append(job)
        if len(waiting) == 1:
            job.begin()
        objects.of(Pump).wake(self.tick)
        return job.handle

    @property
    def busy(self) -> bool:
        """True while something is under way or waits for its ``done``."""
        return any(self._lanes.values())

    @property
    def title(self) -> str:
        """What is under way among files, in words; empty for what nobody needs to know."""
        waiting = self._lanes.get("files")
        return waiting[0].handle.title if waiting else ""

    def in_lane(self, lane: str) -> Handle | None:
        """What a lane is at."""
        waiting = self._lanes.get(lane)
        return waiting[0].handle if waiting else None

    def tick(self) -> float | None:
        """Finish at most one piece of each lane; never waits."""
        for waiting in list(self._lanes.values()):
            if (
                waiting
                and waiting[0].handle.ended.is_set()
                and (waiting[0].handle.in_any_mode or bpy.context.mode == "OBJECT")
            ):
                job = waiting.popleft()
                if waiting:
                    waiting[0].begin()
                self._finish(job)
        return TICK_SECONDS if self.busy else None

    def _finish(self, job: _Job) -> None:
        outcome, job.outcome = job.outcome, None
        if isinstance(outcome, Exception):
            job.handle.failure = outcome
            job.handle.say(str(outcome))
        try:
            job.done(outcome)
        except Exception as error:  # what waits behind it goes on, whatever happened here
            objects.of(Notices).fail("files", as_failure(error))

    def forget(self, lane: str = "files") -> None:
        """Cancel what a lane is at and drop what waits in it without a call of ``done``: the file it was for is gone."""
        waiting = self._lanes.pop(lane, deque())
        for job in waiting:
            job.handle.cancelled.set()

    def close(self) -> None:
        """Cancel everything; give long work the time to leave its files in order."""
        jobs = [waiting[0] for waiting in self._lanes.values() if waiting]
        for lane in list(self._lanes):
            self.forget(lane)
        deadline = time.monotonic() + LEAVE_SECONDS
        for job in jobs:
            if job.thread is not None and job.handle.lane != "files":
                job.thread.join(max(0.0, deadline - time.monotonic()))


def or_notice(source: str, done: Callable[[Any], None]) -> Callable[[Any], None]:
    """A ``done`` that puts errors into the panel, for work whose failure needs no other care."""

    def outcome(result: Any) -> None:
        if isinstance(result, Cancelled):
            return
        if isinstance(result, Exception):
            objects.of(Notices).fail(source, result)
        else:
            done(result)

    return outcome
