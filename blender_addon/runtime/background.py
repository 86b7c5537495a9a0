"""Work on files away from Blender's main thread, one piece after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from image_to_3d.core import ImageTo3DError

from .main_thread import as_failure


class Background:
    """A queue of functions that touch no bpy, each with one that does with its result, called by :meth:`pump`."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._under_way: list[tuple[Future[Any], Callable[[Any], None], str]] = []

    @property
    def busy(self) -> bool:
        """True while something is under way or waits for :meth:`pump`."""
        return bool(self._under_way)

    @property
    def title(self) -> str:
        """What is under way, in words; empty for what nobody needs to know."""
        return self._under_way[0][2] if self._under_way else ""

    def run(self, work: Callable[[], Any], done: Callable[[Any], None], title: str = "") -> None:
        """Do ``work`` on the thread, then ``done`` with its result on the main thread; ``title`` says what it is."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="image-to-3d files")
        self._under_way.append((self._executor.submit(work), done, title))

    def pump(self) -> ImageTo3DError | None:
        """Finish at most one piece of work. Main thread; never waits.

        Returns:
            Why it failed, if it did.
        """
        if not self._under_way or not self._under_way[0][0].done():
            return None
        future, done, _ = self._under_way.pop(0)
        try:
            done(future.result())
        except Exception as error:  # what waits behind it goes on, whatever happened here
            return as_failure(error)
        return None

    def forget(self) -> None:
        """Drop what has not been finished: the file it was for is gone."""
        for future, _, _ in self._under_way:
            future.cancel()
        self._under_way.clear()

    def close(self) -> None:
        """Stop the thread after the piece it is at."""
        self.forget()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
