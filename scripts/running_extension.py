"""The running extension as tests and scripts drive it: what a person sees, and the pump, which has no timer in the bpy module."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any


class RunningExtension:
    """Queue, connection and notices of the extension in one object."""

    def __init__(self, package: ModuleType) -> None:
        self.package = package

    def of(self, kind: type) -> Any:
        """The object of a class in the running extension."""
        return self.package.runtime.objects.of(kind)

    @property
    def queue(self) -> Any:
        return self.of(self.package.photos.queue.PhotoQueue)

    @property
    def connection(self) -> Any:
        return self.of(self.package.backend.connection.Connection)

    @property
    def notices(self) -> Any:
        return self.of(self.package.runtime.notices.Notices)

    @property
    def workers(self) -> Any:
        return self.of(self.package.runtime.workers.Workers)

    @property
    def sliced(self) -> Any:
        return self.of(self.package.runtime.main_thread.SlicedRunner)

    @property
    def _pump(self) -> Any:
        return self.of(self.package.runtime.pump.Pump)

    @property
    def tasks(self) -> Any:
        """What takes minutes."""
        return self.of(self.package.backend.long_tasks.LongTasks)

    def wait_for_task(self, timeout: float) -> None:
        """Pump until no task is under way; raises what went wrong."""
        end = time.monotonic() + timeout
        while self.tasks.current is not None:
            assert time.monotonic() < end, "timed out"
            self._pump.run(everything=True)
            time.sleep(0.01)
        if self.tasks.last is not None:
            raise self.tasks.last.failure

    @property
    def job(self) -> Any:
        return self.queue.job

    @job.setter
    def job(self, job: Any) -> None:
        self.queue.job = job

    @property
    def waiting(self) -> list:
        return self.queue.waiting

    @property
    def failed(self) -> list:
        return self.queue.failed

    @property
    def failure(self) -> Exception | None:
        return self.notices.failure

    @failure.setter
    def failure(self, failure: Exception | None) -> None:
        self.notices.begin()
        if failure is not None:
            self.notices.fail("test", failure)

    @property
    def notice(self) -> str:
        return self.notices.text

    @property
    def welcome(self) -> Any:
        return self.connection.welcome

    @welcome.setter
    def welcome(self, welcome: Any) -> None:
        self.connection.welcome = welcome

    @property
    def status(self) -> Any:
        return self.connection.status

    @property
    def last_root(self) -> str:
        """Name of the root of what was made last; empty for none."""
        import bpy

        root = self.package.runtime.session_uids.find(bpy.data.objects, self._last_result.uid)
        return "" if root is None else root.name

    @last_root.setter
    def last_root(self, name: str) -> None:
        import bpy

        self._last_result.uid = bpy.data.objects[name].session_uid if name else 0

    @property
    def _last_result(self) -> Any:
        return self.of(self.package.scene.active.LastResult)

    @property
    def busy(self) -> bool:
        return self._pump.busy

    def pump(self) -> bool:
        """What the timer does in a window; True while something is under way."""
        self._pump.run(everything=True)
        return self.busy

    def wait(self, timeout: float) -> None:
        """Pump until nothing is under way; raises what went wrong."""
        self.package.runtime.pump.wait(timeout)

    def cancel(self) -> None:
        self.queue.cancel()

    def cancel_all(self) -> None:
        self.queue.cancel_all()

    def forget_backend(self) -> None:
        self.connection.forget()
