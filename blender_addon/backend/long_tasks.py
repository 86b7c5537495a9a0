"""What takes minutes: installing, removing, fetching weights. One at a time, with a log, progress and a way to cancel."""

from __future__ import annotations

from collections.abc import Callable

from ..runtime.objects import of
from ..runtime.workers import Handle, Workers
from ..ui import reporting
from .installer.errors import InstallError

LANE = "install"


class LongTasks:
    """The one under way, and the one that failed last. Main thread."""

    def __init__(self) -> None:
        self.last: Handle | None = None
        """The task that ended last and failed, until somebody has read why."""

    @property
    def current(self) -> Handle | None:
        """The task under way."""
        return of(Workers).in_lane(LANE)

    def dismiss(self) -> None:
        """Somebody has read why the last one failed."""
        self.last = None

    def begin(self, title: str, work: Callable[[Handle], None], then: Callable[[], None]) -> Handle:
        """Start a task.

        Args:
            title: what it is, in words.
            work: runs on a thread; says what it does through its handle.
            then: called on the main thread after success.

        Raises:
            InstallError: ``busy`` while another one is under way.
        """
        if self.current is not None:
            raise InstallError("busy", "Something is being installed already.", "Wait for it or cancel it.")
        self.last = None

        def done(outcome: Exception | None) -> None:
            if isinstance(outcome, Exception):
                self.last = handle
            else:
                then()

        handle = of(Workers).run(work, done, title, LANE, in_any_mode=True, known=(InstallError,))
        return handle


def _shown() -> object:
    task = of(LongTasks).current
    return of(LongTasks).last, task and (task.stage, task.fraction, len(task.log), int(task.elapsed))


def on_register() -> None:
    """Have panels follow how far a task is."""
    reporting.WATCHED.append(_shown)
