"""Previews: camera poses out, pictures in, without ever waiting and without a queue of stale pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError
from .bandwidth import Bandwidth
from .client import Client, ConnectionLost, frames_endpoint
from .client_thread import WakeUp
from .endpoint import Endpoint
from .errors import error_from_reply
from .messages import CodedFrame, ErrorReply, Frame, Message, Render
from .schema import SchemaError
from .wire import WireError

MAX_IN_FLIGHT = 2
ANSWER_SECONDS = 30.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class FrameEvent:
    """What :meth:`FrameThread.poll` hands over.

    Attributes:
        number: of the request, as :meth:`FrameThread.submit` returned it; 0 for an error of the connection.
        frame: the picture, or None.
        error: why there is none, or None; ``scene_unknown`` asks for an upload.
        prepared: what ``prepare`` made of the picture.
    """

    number: int
    frame: Frame | None = None
    error: ImageTo3DError | None = None
    prepared: Any = None


@dataclass(frozen=True)
class _Sent:
    number: int
    size: tuple[int, int]
    at: float


class FrameThread:
    """Draws the newest pose that was submitted, and hands over the newest picture that came.

    At most two poses are on their way; while they are, a newer pose replaces the one that waits. Pictures that are older than
    one already seen, or of another size than asked for, are dropped. After a loss the connection is made again by itself as
    soon as a pose is submitted.

    Pictures of a backend elsewhere are asked for in the quality that its connection has room for (:class:`.Bandwidth`), unless
    the request names one.

    Args:
        find: called on the thread to learn where the backend is. Raises :class:`~image_to_3d.core.ImageTo3DError` if there is
            none; it should not start one.
        notify: called on the thread when :meth:`poll` has something new; must be quick.
        prepare: called on the thread with each picture; its result comes as ``FrameEvent.prepared``.
    """

    def __init__(
        self,
        find: Callable[[], Endpoint],
        notify: Callable[[], None] | None = None,
        prepare: Callable[[Frame], Any] | None = None,
    ) -> None:
        self._find = find
        self._notify = notify
        self._prepare = prepare
        self._lock = threading.Lock()
        self._wanted: Render | None = None  # newest pose, not yet sent
        self._number = 0
        self._newest: FrameEvent | None = None
        self._error: FrameEvent | None = None
        self._closing = False
        self._client: Client | None = None
        self._sent: dict[int, _Sent] = {}  # by id on the wire
        self._last_reply = 0.0
        self.bandwidth = Bandwidth()
        self._shown = 0  # number of the newest picture that came
        self._next_attempt = 0.0
        self._wake = WakeUp()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name="image-to-3d frames", daemon=True)
        self._thread.start()

    def submit(self, request: Render) -> int:
        """Ask for a picture; returns its number. ``request.frame`` is replaced by it."""
        with self._lock:
            self._number += 1
            self._wanted = replace(request, frame=self._number)
            number = self._number
        self._stir()
        return number

    def poll(self) -> list[FrameEvent]:
        """The newest picture and the newest error since the last call, if any; never blocks."""
        with self._lock:
            found = [event for event in (self._error, self._newest) if event is not None]
            self._error = self._newest = None
        return found

    def close(self, timeout: float = 2.0) -> None:
        """Stop the thread."""
        self._closing = True
        self._stir()
        self._thread.join(timeout)

    def _stir(self) -> None:
        self._idle.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._closing:
            if self._client is None:
                self._idle.wait(None if self._wanted is None else max(0.0, self._next_attempt - time.monotonic()))
                self._idle.clear()
            try:
                self._step()
            except ConnectionLost as error:
                self._lose(error)
            except ImageTo3DError as error:
                self._lose(error) if self._client is None else self._fail(0, error)
            except Exception as error:  # the thread outlives whatever is wrong with one picture
                self._lose(ConnectionLost("backend.connection_failed", why=error))
        if self._client is not None:
            self._client.close()
        self._wake.close()

    def _step(self) -> None:
        if self._client is None:
            if self._wanted is None or time.monotonic() < self._next_attempt:
                return
            self._client = self._connect()
        while len(self._sent) < MAX_IN_FLIGHT and (request := self._take()) is not None:
            size = (request.camera.width, request.camera.height)
            if not self._client.endpoint.shared and request.quality is None:
                request = replace(request, quality=self.bandwidth.quality(*size))
            self._sent[self._client.send(request)] = _Sent(request.frame, size, time.monotonic())
        try:
            found = self._client.receive(1.0)
        except WireError as error:
            sent = self._sent.pop(error.request_id, None)
            self._fail(sent.number if sent else 0, error)
            return
        self._wake.clear()
        if found is not None:
            try:
                self._take_reply(*found)
            except WireError as error:
                self._fail(0, error)
        if any(time.monotonic() - sent.at > ANSWER_SECONDS for sent in self._sent.values()):
            raise ConnectionLost("backend.silent")

    def _connect(self) -> Client:
        endpoint = self._find()
        with Client(endpoint) as control:
            frames = frames_endpoint(control)
        client = Client(frames)
        client.also_wake_for(self._wake.receiver)
        return client

    def _take(self) -> Render | None:
        with self._lock:
            request, self._wanted = self._wanted, None
        return request

    def _take_reply(self, request_id: int, reply: Message) -> None:
        sent = self._sent.pop(request_id, None)
        if sent is None:
            return
        if isinstance(reply, ErrorReply):
            if reply.code != ErrorCode.CANCELLED.value:  # a newer one is on its way
                self._fail(sent.number, error_from_reply(reply))
            return
        now = time.monotonic()
        if isinstance(reply, Frame | CodedFrame):
            # what it took beside drawing since the pose left or, with two on their way, since the picture before came
            self.bandwidth.measured(
                reply.colour.nbytes + reply.depth.nbytes, now - max(sent.at, self._last_reply) - reply.seconds
            )
            self._last_reply = now
        if isinstance(reply, CodedFrame):
            try:
                reply = reply.to_frame()
            except SchemaError as error:
                raise WireError(ErrorCode.BAD_REQUEST, "backend.picture_unreadable", why=error) from None
        if isinstance(reply, Frame) and reply.frame == sent.number and self._fits(reply, sent):
            self._shown = sent.number
            prepared = None if self._prepare is None else self._prepare(reply)
            with self._lock:
                self._newest = FrameEvent(sent.number, frame=reply, prepared=prepared)
            self._tell()

    def _fits(self, frame: Frame, sent: _Sent) -> bool:
        width, height = sent.size
        return (
            sent.number > self._shown
            and frame.size == [width, height]
            and frame.colour.shape[:2] == (height, width)
            and frame.depth.shape == (height, width)
        )

    def _fail(self, number: int, error: ImageTo3DError) -> None:
        with self._lock:
            self._error = FrameEvent(number, error=error)
        self._tell()

    def _lose(self, error: ImageTo3DError) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        self._sent.clear()
        self._next_attempt = time.monotonic() + RETRY_SECONDS
        with self._lock:
            self._wanted = None  # the next pose makes the connection anew
        self._fail(0, error)

    def _tell(self) -> None:
        if self._notify is not None:
            self._notify()
