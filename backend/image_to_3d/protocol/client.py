"""The client side of the wire, without Blender and without torch, for one thread (see :mod:`.client_thread` for the other way)."""

from __future__ import annotations

import itertools
import shlex
import socket as sockets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import zmq
from zmq.utils.monitor import recv_monitor_message

from .. import __version__
from ..core.errors import ErrorCode, ImageTo3DError
from .endpoint import Endpoint, published
from .errors import error_from_reply
from .keys import KeyPair, load_or_create
from .mapped_files import map_file
from .messages import Accepted, Cancel, ErrorReply, Hello, Message, Predict, ProgressReport, Welcome
from .sockets import keep_alive
from .wire import IncompatibleVersion, decode_reply, encode, version_of

CONNECT_SECONDS = 5.0
JOB = Predict.TYPE


Reason = Literal["absent", "missing", "command", "start", "unreachable", "silent", "unauthorised", "stranger", "lost"]
"""Not running; not installed; a command that cannot be run; ends or hangs while it starts; nothing listens; does not answer;
does not know this client; another program; gone."""


class ConnectionLost(ImageTo3DError):  # noqa: N818 - a state rather than a mistake
    """The backend is not there, or no longer.

    Args:
        key, values: see :class:`~image_to_3d.core.errors.ImageTo3DError`.
        reason: why, for programs that offer what to do.
    """

    def __init__(self, key: str, /, *, reason: Reason = "lost", **values: Any) -> None:
        super().__init__(ErrorCode.INTERNAL, key, **values)
        self.reason = reason


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
            raise ConnectionLost("backend.not_running", reason="absent")
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
                raise ConnectionLost("backend.silent_at", reason="silent", control=self.endpoint.control)
        shares_files = bool(self.endpoint.shared) and Path(self.endpoint.shared).is_dir()
        reply = self.call(Hello("image-to-3d", __version__, shares_files), timeout=CONNECT_SECONDS)
        if not isinstance(reply, Welcome):
            raise ConnectionLost("backend.unexpected_answer")
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
                    "backend.client_unknown", reason="unauthorised", public=shlex.quote(self._keys.public)
                )
            elif event == zmq.EVENT_CONNECT_RETRIED:
                raise ConnectionLost("backend.nothing_listens", reason="unreachable", control=self.endpoint.control)
            elif event == zmq.EVENT_DISCONNECTED:
                raise ConnectionLost("backend.lost")
            else:
                raise ConnectionLost("backend.stranger_listens", reason="stranger", control=self.endpoint.control)
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
            raise ConnectionLost("backend.lost") from None
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
        raise ConnectionLost("backend.no_answer_in_time", reason="silent")


def frames_endpoint(client: Client) -> Endpoint:
    """Where the frame socket of a connected client's server is."""
    host = client.endpoint.control.rpartition(":")[0]
    return replace(client.endpoint, control=f"{host}:{client.welcome.frames_port}")
