"""The client side of the wire, without Blender and without torch.

:class:`Client` belongs to one thread. :class:`ClientThread` owns one on a thread of its own and hands over replies by a
queue: what a user interface needs.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import shlex
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import zmq
from zmq.utils.monitor import recv_monitor_message

from .. import __version__
from ..core.errors import ErrorCode, ImageTo3DError
from .endpoint import Endpoint, published
from .keys import KeyPair, load_or_create
from .mapped_files import map_file
from .messages import Accepted, Cancel, ErrorReply, Hello, Message, Predict, ProgressReport, UploadScene, Welcome
from .wire import IncompatibleVersion, WireError, decode_reply, encode, version_of

HEARTBEAT_MS = 1000
HEARTBEAT_TIMEOUT_MS = 4000
HANDSHAKE_MS = 5000
CONNECT_SECONDS = 5.0
GOING_SECONDS = 0.5
"""How long a backend that ends may still be found: a hundred times what was seen."""
JOB = Predict.TYPE


Reason = Literal["absent", "missing", "command", "start", "unreachable", "silent", "unauthorised", "stranger", "lost"]
"""Not running; not installed; a command that cannot be run; ends or hangs while it starts; nothing listens; does not answer;
does not know this client; another program; gone."""


class ConnectionLost(ImageTo3DError):  # noqa: N818 - a state rather than a mistake
    """The backend is not there, or no longer.

    Args:
        message, hint: see :class:`~image_to_3d.core.errors.ImageTo3DError`.
        reason: why, for programs that offer what to do.
    """

    def __init__(
        self,
        message: str,
        hint: str = "Start the backend (image-to-3d serve) and try again.",
        *,
        reason: Reason = "lost",
    ) -> None:
        super().__init__(ErrorCode.INTERNAL, message, hint)
        self.reason = reason


def keep_alive(socket: zmq.Socket[bytes]) -> None:
    """Heartbeats, by which both ends notice within seconds that the other is gone, and a limit for the handshake.

    Nothing limits how many messages wait to be read: libzmq 4.3.5 aborts the whole process (``Assertion failed: !_io_error``)
    when a heartbeat is due on a connection whose peer has gone while the limit was reached. That would be Blender, or the backend.
    """
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)


def configure(socket: zmq.Socket[bytes], endpoint: Endpoint, keys: KeyPair) -> None:
    """CURVE, heartbeats and limits of a client socket."""
    socket.curve_serverkey = endpoint.server_key.encode()
    socket.curve_publickey = keys.public.encode()
    socket.curve_secretkey = keys.secret.encode()
    socket.setsockopt(zmq.LINGER, 200)
    keep_alive(socket)
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.IPV6, int("[" in endpoint.control))


def is_interim(reply: Message, is_job: bool) -> bool:
    """True if more replies to the same request follow."""
    return isinstance(reply, ProgressReport) or (is_job and isinstance(reply, Accepted))


def error_from_reply(reply: ErrorReply) -> ImageTo3DError:
    """The exception that an ``error`` reply stands for."""
    try:
        code = ErrorCode(reply.code)
    except ValueError:
        code = ErrorCode.INTERNAL
    return ImageTo3DError(code, reply.message, reply.hint)


class Client:
    """A connection to a backend, for one thread.

    Args:
        endpoint: where it is; None takes the one this account's backend published.
        keys: of this client; None takes this account's.

    Raises:
        ConnectionLost: no backend is running, it does not answer, or it does not let this client in.
    """

    def __init__(self, endpoint: Endpoint | None = None, keys: KeyPair | None = None) -> None:
        found = endpoint or published()
        if found is None:
            raise ConnectionLost("The backend is not running.", reason="absent")
        self.endpoint = found
        self._keys = keys or load_or_create("client")
        self._ids = itertools.count(1)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        configure(self._socket, found, self._keys)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_DISCONNECTED
            | zmq.EVENT_CONNECT_RETRIED
            | zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        )
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._socket.connect(found.control)
            self.welcome: Welcome = self._shake_hands()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets; safe to call twice."""
        if not self._context.closed:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close()
            self._context.term()

    def _shake_hands(self) -> Welcome:
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:  # IMMEDIATE: sending before the connection stands would block
            if self._monitor_events(0.05):
                break
            if time.monotonic() > deadline:
                raise ConnectionLost(f"The backend at {self.endpoint.control} does not answer.", reason="silent")
        shares_files = bool(self.endpoint.shared) and Path(self.endpoint.shared).is_dir()
        reply = self.call(Hello("image-to-3d", __version__, shares_files), timeout=CONNECT_SECONDS)
        if not isinstance(reply, Welcome):
            raise ConnectionLost("The backend gave an unexpected answer.", "Update the add-on and the backend.")
        return reply

    def _monitor_events(self, timeout: float) -> bool:
        """True if the connection has just been made. Raises :class:`ConnectionLost`."""
        made = False
        while self._monitor.poll(int(timeout * 1000)):
            timeout = 0
            event = int(recv_monitor_message(self._monitor)["event"])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                made = True
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise ConnectionLost(
                    "The backend does not know this client.",
                    f"On its machine run: image-to-3d authorise {shlex.quote(self._keys.public)}",
                    reason="unauthorised",
                )
            elif event == zmq.EVENT_CONNECT_RETRIED:
                raise ConnectionLost(f"Nothing listens at {self.endpoint.control}.", reason="unreachable")
            elif event == zmq.EVENT_DISCONNECTED:
                raise ConnectionLost("The connection to the backend was lost.")
            else:
                raise ConnectionLost(f"What listens at {self.endpoint.control} is not this backend.", reason="stranger")
        return made

    def _open_shared(self, name: str) -> memoryview:
        return map_file(Path(self.endpoint.shared) / name)

    def also_wake_for(self, wake: sockets.socket) -> None:
        """Let :meth:`receive` return early when something can be read from ``wake``."""
        self._poller.register(wake, zmq.POLLIN)

    def send(self, message: Message) -> int:
        """Send a request and return its id."""
        message_id = next(self._ids)
        try:
            self._socket.send_multipart(encode(message, message_id), flags=zmq.NOBLOCK, copy=False)
        except zmq.Again:
            raise ConnectionLost("The connection to the backend was lost.") from None
        return message_id

    def receive(self, timeout: float) -> tuple[int, Message] | None:
        """The next reply with its id, or None after ``timeout`` seconds.

        Raises:
            ConnectionLost: the backend is gone.
            WireError: the reply cannot be understood.
        """
        ready = dict(self._poller.poll(int(timeout * 1000)))
        if self._socket in ready:
            frames = self._socket.recv_multipart(copy=False)
            buffers = [frame.buffer for frame in frames]
            found = decode_reply(buffers, self._open_shared)
            if isinstance(found[1], ErrorReply) and found[1].code == ErrorCode.INCOMPATIBLE_VERSION.value:
                raise IncompatibleVersion(version_of(buffers), found[0])
            return found
        if self._monitor in ready:
            self._monitor_events(0)
        return None

    def call(
        self,
        message: Message,
        timeout: float | None = None,
        on_progress: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Message:
        """Send a request and wait for its last reply.

        Args:
            message: the request.
            timeout: seconds; None waits as long as the connection lives.
            on_progress: called with stage and fraction.
            cancelled: asked ten times a second; when it says True, ``cancel`` is sent once.

        Raises:
            ImageTo3DError: the ``error`` reply of the server.
            ConnectionLost: the backend is gone or did not answer in time.
        """
        request = self.send(message)
        is_job = message.TYPE == JOB
        deadline = None if timeout is None else time.monotonic() + timeout
        while deadline is None or time.monotonic() < deadline:
            if cancelled is not None and cancelled():
                self.send(Cancel(request))
                cancelled = None
            found = self.receive(0.1)
            if found is None or found[0] != request:
                continue
            reply = found[1]
            if isinstance(reply, ErrorReply):
                raise error_from_reply(reply)
            if isinstance(reply, ProgressReport) and on_progress is not None:
                on_progress(reply.stage, reply.fraction)
            if not is_interim(reply, is_job):
                return reply
        raise ConnectionLost("The backend did not answer in time.", reason="silent")


def frames_endpoint(client: Client) -> Endpoint:
    """Where the frame socket of a connected client's server is."""
    host = client.endpoint.control.rpartition(":")[0]
    return replace(client.endpoint, control=f"{host}:{client.welcome.frames_port}")


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
            self._events.put(Event(ticket, error=ConnectionLost(f"The connection failed: {error}.")))

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
                error=ImageTo3DError(
                    ErrorCode.INTERNAL,
                    f"The backend's answer cannot be used: {error}.",
                    "Use an add-on and a backend of the same version.",
                ),
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
