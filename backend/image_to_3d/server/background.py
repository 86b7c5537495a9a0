"""What would hold up the loop of the frontend, hashing and writing arrays above all, on a thread beside it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import zmq

log = logging.getLogger(__name__)

T = TypeVar("T")
ADDRESS = "inproc://background"


class BackgroundThread:
    """Does one thing after another; what is to follow happens on the thread of the loop, in :meth:`collect`.

    Args:
        context: in which the thread tells the loop that something is done.

    Attributes:
        done: PULL socket; when it is readable, call :meth:`collect`.
    """

    def __init__(self, context: zmq.Context[Any]) -> None:
        self._context = context
        self.done = context.socket(zmq.PULL)
        self.done.bind(ADDRESS)
        self._work: queue.SimpleQueue[Callable[[], Callable[[], None]] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="frontend background", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Do ``work`` on the thread, then call ``then`` with its result, or ``failed`` with what it raised, in the loop."""

        def do() -> Callable[[], None]:
            try:
                result = work()
            except Exception as error:
                raised = error  # the name of the clause is gone when the loop comes to it
                return lambda: failed(raised)
            return lambda: then(result)

        self._work.put(do)

    def collect(self) -> None:
        """Call what follows the work that has ended."""
        while self.done.poll(0):
            self.done.recv()
            follow = self._ended.get_nowait()
            try:
                follow()
            except Exception:
                log.exception("what follows work in the background failed")

    def close(self) -> None:
        """Finish what is being done, and leave the rest."""
        self._closing = True
        self._work.put(None)
        self._thread.join()
        self.done.close(0)

    def _run(self) -> None:
        socket = self._context.socket(zmq.PUSH)
        socket.linger = 0
        socket.connect(ADDRESS)
        try:
            while (do := self._work.get()) is not None and not self._closing:
                self._ended.put(do())
                socket.send(b"")
        finally:
            socket.close()
