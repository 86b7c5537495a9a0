"""The front's handle of a worker process: start it, talk to it, notice its death, start it again."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

import zmq

from . import pipes
from .pipes import Tag

log = logging.getLogger(__name__)

DEAD = b"dead"


class WorkerProcess:
    """A process running ``target(pipe, *args)``, whose messages arrive on an inproc ZeroMQ socket.

    A thread forwards what the process sends as ``[name, generation, tag, *frames]``, and ``[name, generation, b"dead"]``
    when it ends; the generation tells messages of a process that is gone from those of its successor.
    """

    def __init__(
        self, name: str, target: Callable[..., None], args: tuple[Any, ...], context: zmq.Context[Any], events: str
    ) -> None:
        self.name = name
        self.generation = 0
        self._target, self._args = target, args
        self._context, self._events = context, events
        self._spawn = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None

    @property
    def pid(self) -> int:
        """Of the process, 0 if there is none."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start a fresh process."""
        self.generation += 1
        self._pipe, child = self._spawn.Pipe()
        self._process = self._spawn.Process(target=self._target, args=(child, *self._args), name=self.name, daemon=True)
        self._process.start()
        child.close()
        threading.Thread(
            target=self._forward, args=(self._pipe, self.generation), name=f"{self.name} reader", daemon=True
        ).start()

    def send(self, tag: Tag, *frames: Any) -> bool:
        """Hand something over; False if the process is gone (its death is reported as an event)."""
        try:
            pipes.send(self._pipe, tag, *frames)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            self._process.kill()
            self._process.join(5)

    def close(self, timeout: float = 3.0) -> None:
        """Ask the process to end; kill it if it does not."""
        if self._process is None:
            return
        self.send(Tag.QUIT)
        self._process.join(timeout)
        if self._process.is_alive():
            self.kill()
        self._process = None

    def _forward(self, pipe: Any, generation: int) -> None:
        socket = self._context.socket(zmq.PUSH)
        socket.linger = 0
        socket.connect(self._events)
        label = [self.name.encode(), b"%d" % generation]
        try:
            while True:
                tag, frames = pipes.receive(pipe)
                socket.send_multipart([*label, tag.value, *frames], copy=False)
        except (EOFError, OSError, ValueError):
            with contextlib.suppress(zmq.ZMQError):
                socket.send_multipart([*label, DEAD])
        except zmq.ZMQError:  # the front is closing
            pass
        finally:
            socket.close()
