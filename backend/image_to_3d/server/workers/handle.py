"""The frontend's handle of a worker process: start it, talk to it, notice its death, start it again."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from typing import Any

import msgpack
import zmq

from . import channel
from .channel import MessageKind

log = logging.getLogger(__name__)

DEAD = b"dead"
MAX_RESTART_DELAY = 30.0
CRASH_LOOP_FAILURES = 3


class WorkerProcess:
    """A process running ``target(pipe, *args)``, whose messages arrive on an inproc ZeroMQ socket.

    A thread forwards what the process sends as ``[name, generation, kind, *frames]``, and ``[name, generation, b"dead"]``
    when it ends; the generation tells messages of a process that is gone from those of its successor.

    Attributes:
        ready: it has started and takes work.
        facts: what it says about itself.
        failures: how many times in a row it has died before it was ready.
    """

    def __init__(
        self, name: str, target: Callable[..., None], args: tuple[Any, ...], context: zmq.Context[Any], events: str
    ) -> None:
        self.name = name
        self.generation = 0
        self.ready = False
        self.failures = 0
        self.facts: dict[str, Any] = {}
        self._came_up = False
        self._restart_at: float | None = None
        self._target, self._args = target, args
        self._context, self._events = context, events
        self._spawn = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None

    @property
    def pid(self) -> int:
        """Of the process, 0 if there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def started(self) -> bool:
        """It has been started, and if it died it will be started again."""
        return self._process is not None

    @property
    def crash_looping(self) -> bool:
        """It died again and again before it was ready."""
        return self.failures >= CRASH_LOOP_FAILURES

    def start(self) -> None:
        """Start a fresh process."""
        self.generation += 1
        self.ready = self._came_up = False
        self._restart_at = None
        self._pipe, child = self._spawn.Pipe()
        self._process = self._spawn.Process(target=self._target, args=(child, *self._args), name=self.name, daemon=True)
        self._process.start()
        child.close()
        threading.Thread(
            target=self._forward, args=(self._pipe, self.generation), name=f"{self.name} reader", daemon=True
        ).start()

    def on_ready(self, facts: bytes) -> None:
        """It said that it is ready."""
        self.facts = msgpack.unpackb(facts)
        self.ready = self._came_up = True
        self.failures = 0

    def on_facts(self, facts: bytes) -> None:
        """Something about it has changed."""
        self.facts.update(msgpack.unpackb(facts))

    def on_final_reply(self) -> None:
        """It has announced its end and takes no more work."""
        self.ready = False

    def on_death(self) -> None:
        """It has ended; plan the next start: at once, or after a while if it never came up."""
        delay = 0.0
        if not self._came_up:
            self.failures += 1
            delay = min(2.0 ** (self.failures - 1), MAX_RESTART_DELAY)
        self.ready = False
        self._restart_at = time.monotonic() + delay
        self._process.join(1)
        self._pipe.close()

    def restart_if_due(self) -> None:
        """Start the process again if it is time."""
        if self._restart_at is not None and time.monotonic() >= self._restart_at:
            log.warning("starting another %s worker", self.name)
            self.start()

    def send(self, kind: MessageKind, *frames: bytes) -> bool:
        """Hand something over; False if the process is gone (its death is reported as an event)."""
        try:
            channel.send(self._pipe, kind, *frames)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the process at once; its death is reported as an event."""
        if self._process is not None:
            self._process.kill()
            self._process.join(5)

    def ask_to_end(self) -> None:
        """Tell the process to end when it has time."""
        if self._process is not None:
            self.send(MessageKind.QUIT)

    def close(self, timeout: float) -> None:
        """Wait for the process to end; kill it if it does not."""
        if self._process is not None:
            self._process.join(timeout)
            if self._process.is_alive():
                self.kill()
            self._process = None
            self._pipe.close()

    def _forward(self, pipe: Any, generation: int) -> None:
        socket = self._context.socket(zmq.PUSH)
        socket.linger = 0
        label = [self.name.encode(), b"%d" % generation]
        try:
            socket.connect(self._events)
            while True:
                kind, frames = channel.receive(pipe)
                socket.send_multipart([*label, kind.value, *frames])
        except (EOFError, OSError, ValueError):
            with contextlib.suppress(zmq.ZMQError):
                socket.send_multipart([*label, DEAD])
        except zmq.ZMQError:  # the frontend is closing
            pass
        finally:
            socket.close()
