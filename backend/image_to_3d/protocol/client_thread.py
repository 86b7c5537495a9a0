"""A client on a thread of its own, which hands over replies by a queue: what a user interface needs."""

from __future__ import annotations

import contextlib
import itertools
import queue
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError
from .client import JOB, Client, ConnectionLost, is_interim
from .endpoint import Endpoint
from .errors import error_from_reply
from .messages import Cancel, ErrorReply, Message, UploadScene, Welcome
from .wire import WireError

GOING_SECONDS = 0.5
"""How long a backend that ends may still be found: a hundred times what was seen."""


class WakeUp:
    """Lets one thread end another's wait on sockets."""

    def __init__(self) -> None:
        self.receiver, self._sender = sockets.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)

    def set(self) -> None:
        """End the wait, or the next one."""
        with contextlib.suppress(OSError):  # full: it will wake up anyhow; closed: nobody waits
            self._sender.send(b"!")

    def clear(self) -> None:
        """Wait again."""
        with contextlib.suppress(OSError):
            while self.receiver.recv(4096):
                pass

    def close(self) -> None:
        """Give the sockets back."""
        self.receiver.close()
        self._sender.close()


@dataclass(frozen=True, eq=False)
class Event:
    """What :class:`ClientThread` hands over.

    Attributes:
        ticket: the request it belongs to; 0 for events of the connection.
        reply: a reply of the server, or None.
        prepared: what the request's ``prepare`` made of its last reply.
        error: what went wrong, or None.
        welcome: set when a connection was made.
    """

    ticket: int
    reply: Message | None = None
    error: ImageTo3DError | None = None
    welcome: Welcome | None = None
    prepared: Any = None


@dataclass(frozen=True, eq=False)
class _Request:
    ticket: int
    make: Callable[[], Message]
    prepare: Callable[[Message], Any] | None = None
    retried: bool = False


@dataclass(frozen=True, eq=False)
class _InFlight:
    request_id: int
    is_job: bool
    prepare: Callable[[Message], Any] | None
    retry: _Request | None  # what to send again if the connection is lost


class ClientThread:
    """A client on its own thread: submit requests, poll for events, never wait.

    The connection is made when the first request comes and again after it was lost. Requests in flight when that happens
    end with a :class:`ConnectionLost` event, but for ``upload_scene``, which is sent once more because that is harmless.

    Args:
        find: called on the thread to learn where the backend is; it may start one and take its time. Raises
            :class:`~image_to_3d.core.ImageTo3DError` if there is none.
        tickets: where its tickets come from; shared by clients that follow each other, so that none is given out twice.
    """

    def __init__(self, find: Callable[[], Endpoint], tickets: Iterator[int] | None = None) -> None:
        self._find = find
        self._tickets = itertools.count(1) if tickets is None else tickets
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._in_flight: dict[int, _InFlight] = {}  # by ticket
        self._client: Client | None = None
        self._wake = WakeUp()
        self._thread = threading.Thread(target=self._run, name="image-to-3d client", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False after :meth:`close`."""
        return self._thread.is_alive()

    def submit(self, request: Message | Callable[[], Message], prepare: Callable[[Message], Any] | None = None) -> int:
        """Queue a request; its events carry the returned ticket.

        Args:
            request: a message, or a function that makes it on the client's thread, where reading a large file holds up nobody.
            prepare: called on the client's thread with the last reply; its result comes as ``Event.prepared``.

        Both functions may raise :class:`~image_to_3d.core.ImageTo3DError`; it becomes the error of the request.
        """
        ticket = next(self._tickets)
        make = (lambda: request) if isinstance(request, Message) else request
        self._put(_Request(ticket, make, prepare))
        return ticket

    def cancel(self, ticket: int) -> None:
        """Ask the server to stop a job; its last event says ``cancelled``."""
        self._put(_Request(-ticket, lambda: Cancel(0)))

    def poll(self) -> list[Event]:
        """Events since the last call, in order; never blocks."""
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return events

    def close(self, timeout: float = 2.0) -> None:
        """Stop the thread."""
        self._put(None)
        self._thread.join(timeout)

    def _put(self, request: _Request | None) -> None:
        self._requests.put(request)
        self._wake.set()

    def _run(self) -> None:
        while True:
            try:
                item = self._requests.get(block=self._client is None)
            except queue.Empty:
                self._receive()
                continue
            if item is None:
                break
            self._handle(item)
        if self._client is not None:
            self._client.close()
        self._wake.close()

    def _handle(self, request: _Request) -> None:
        ticket = request.ticket
        try:
            if ticket < 0:
                if self._client is not None and -ticket in self._in_flight:
                    self._client.send(Cancel(self._in_flight[-ticket].request_id))
                return
            message = request.make()
            if self._client is None:
                self._client = self._connect()
                self._client.also_wake_for(self._wake.receiver)
                self._events.put(Event(0, welcome=self._client.welcome))
            harmless = isinstance(message, UploadScene) and not request.retried
            retry = replace(request, make=lambda: message, retried=True) if harmless else None
            request_id = self._client.send(message)
            self._in_flight[ticket] = _InFlight(request_id, message.TYPE == JOB, request.prepare, retry)
        except ConnectionLost as error:
            self._drop(error)
            if ticket > 0:
                self._events.put(Event(ticket, error=error))
        except ImageTo3DError as error:
            self._events.put(Event(ticket, error=error))
        except Exception as error:  # a request must end, whatever happens on this thread
            self._events.put(Event(ticket, error=ConnectionLost("backend.connection_failed", why=error)))

    def _connect(self) -> Client:
        """A connection to what is found. A backend that is killed closes its sockets some milliseconds before it is gone, and is
        found until then: who looks at once would be sent to an address where nothing listens any more.
        """
        deadline = time.monotonic() + GOING_SECONDS
        while True:
            try:
                return Client(self._find())
            except ConnectionLost as error:
                if error.reason != "unreachable" or time.monotonic() > deadline:
                    raise
            time.sleep(GOING_SECONDS / 10)

    def _receive(self) -> None:
        assert self._client is not None
        try:
            found = self._client.receive(1.0)
            self._wake.clear()
        except WireError as error:
            self._finish(error.request_id, error=error)
            return
        except ConnectionLost as error:
            self._drop(error)
            return
        if found is None:
            return
        message_id, reply = found
        ticket = next((t for t, known in self._in_flight.items() if known.request_id == message_id), None)
        if ticket is None:
            return
        if isinstance(reply, ErrorReply):
            self._finish(message_id, error=error_from_reply(reply))
        elif is_interim(reply, self._in_flight[ticket].is_job):
            self._events.put(Event(ticket, reply=reply))
        else:
            self._events.put(self._last_event(ticket, reply, self._in_flight.pop(ticket).prepare))

    @staticmethod
    def _last_event(ticket: int, reply: Message, prepare: Callable[[Message], Any] | None) -> Event:
        if prepare is None:
            return Event(ticket, reply=reply)
        try:
            return Event(ticket, reply=reply, prepared=prepare(reply))
        except ImageTo3DError as error:
            return Event(ticket, error=error)
        except Exception as error:  # the thread outlives whatever is wrong with one reply
            return Event(
                ticket,
                error=ImageTo3DError(ErrorCode.INTERNAL, "backend.answer_unusable", why=error),
            )

    def _finish(self, message_id: int, error: ImageTo3DError) -> None:
        for ticket, known in list(self._in_flight.items()):
            if known.request_id == message_id:
                del self._in_flight[ticket]
                self._events.put(Event(ticket, error=error))

    def _drop(self, error: ConnectionLost) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._events.put(Event(0, error=error))
        for ticket, lost in self._in_flight.items():
            if lost.retry is not None:
                self._requests.put(lost.retry)
            else:
                self._events.put(Event(ticket, error=error))
        self._in_flight.clear()
