"""What takes minutes, away from Blender's main thread: installing, removing, fetching weights. One at a time.

Each has a log, progress and a way to cancel. :func:`pump`, called by a timer or by a test, ends it on the main thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import bpy
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import ImageTo3DError

from ..backend.installer import InstallError
from ..photos import session

TICK_SECONDS = 0.2
LOG_LINES = 300

Failure = InstallError | ImageTo3DError


@dataclass(eq=False)
class Task:
    """Something long, away from the main thread.

    Attributes:
        kind: ``install``, ``remove`` or ``weights``; for the choice of buttons after a failure.
        title: what it is, in words.
        work: runs on the thread; says what it does through :meth:`report` and :meth:`say`.
        then: called on the main thread after success.
        stage, fraction, log: what the panel shows.
        failure: why it ended, once it has.
    """

    kind: str
    title: str
    work: Callable[[Task], None]
    then: Callable[[], None]
    stage: str = ""
    fraction: float = 0.0
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    failure: Failure | None = None
    started: float = field(default_factory=time.monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self.thread = threading.Thread(target=self._run, name="image-to-3d installer", daemon=True)
        self.thread.start()

    @property
    def running(self) -> bool:
        """False once the thread has ended."""
        return self.thread is not None and self.thread.is_alive()

    @property
    def elapsed(self) -> float:
        """Seconds since the button was pressed."""
        return time.monotonic() - self.started

    def say(self, line: str) -> None:
        """A line for the log. Any thread."""
        self.log.extend(line.splitlines())

    def report(self, stage: str, fraction: float) -> None:
        """What is being done, and how far it is. Any thread; never goes back."""
        self.stage, self.fraction = stage, max(self.fraction, min(fraction, 1.0))

    def _run(self) -> None:
        try:
            self.work(self)
        except (InstallError, ImageTo3DError) as error:
            self.failure = error
        except Exception as error:  # the thread must not end in silence
            self.failure = InstallError("disk", f"It failed: {type(error).__name__}: {error}.", n_("Please report it."))
        if self.failure is not None:
            self.say(str(self.failure))


_task: Task | None = None
_last: Task | None = None


def current() -> Task | None:
    """The task under way."""
    return _task


def last() -> Task | None:
    """The task that ended last and failed, until somebody has read why."""
    return _last


def dismiss() -> None:
    """Somebody has read it."""
    global _last
    _last = None


def begin(kind: str, title: str, work: Callable[[Task], None], then: Callable[[], None]) -> Task:
    """Start a task.

    Raises:
        InstallError: ``busy`` while another one is under way.
    """
    global _task, _last
    if _task is not None:
        raise InstallError("busy", "Something is being installed already.", "Wait for it or cancel it.")
    _last = None
    _task = Task(kind, title, work, then)
    _task.start()
    start_timer()
    return _task


def pump() -> bool:
    """End a task whose thread has ended. Main thread; never waits.

    Returns:
        True while one is under way.
    """
    global _task, _last
    if _task is None or _task.running:
        return _task is not None
    done, _task = _task, None
    if done.failure is not None:
        _last = done
        return False
    try:
        done.then()
    except ImageTo3DError as error:
        session.current().failure = error
    return _task is not None


def wait(timeout: float) -> None:
    """Pump until nothing is under way: for scripts, which have no timers.

    Raises:
        InstallError, ImageTo3DError: what went wrong.
        TimeoutError: it took longer than ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while pump():
        if time.monotonic() > deadline:
            raise TimeoutError(f"still at it after {timeout:g} seconds")
        time.sleep(0.02)
    if _last is not None and _last.failure is not None:
        raise _last.failure


def start_timer() -> None:
    """Have :func:`pump` called until nothing is under way."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)


def _tick() -> float | None:
    busy = pump()
    session.redraw()
    return TICK_SECONDS if busy else None


def on_unregister() -> None:
    """Cancel what is under way; what was fetched stays for the next time."""
    global _task, _last
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _task is not None:
        _task.cancelled.set()
        if _task.thread is not None:
            _task.thread.join(10)
    _task = _last = None
