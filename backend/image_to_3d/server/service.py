"""The front of the backend: owns the sockets, queues jobs, keeps scenes, watches the workers, and never computes."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from .. import __version__
from ..core.errors import ErrorCode, ImageTo3DError
from ..engines.base import EngineOptions
from ..engines.registry import engine_states
from ..protocol import endpoint as endpoints
from ..protocol.endpoint import Endpoint
from ..protocol.keys import AuthorisedClients, load_or_create
from ..protocol.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    DropScene,
    EngineState,
    ErrorReply,
    Hello,
    Message,
    Predict,
    ProgressReport,
    Result,
    Shutdown,
    State,
    Status,
    UploadScene,
    Welcome,
)
from ..protocol.wire import WireError, decode_reply, decode_request, encode
from .inference import worker_main
from .jobs import Job, JobQueue
from .pipes import Tag, key_bytes, split_key
from .scenes import SceneStore, scene_id
from .worker_process import DEAD, WorkerProcess

log = logging.getLogger(__name__)

EVENTS = "inproc://worker-events"
MAX_FRAME_BYTES = 1 << 30
HOUSEKEEPING_SECONDS = 1.0
CANCEL_GRACE_SECONDS = 10.0
HEARTBEAT_MS = 1000
HEARTBEAT_TIMEOUT_MS = 4000
LOOPBACK = "tcp://127.0.0.1:*"


@dataclass(frozen=True)
class ServiceOptions:
    """How to run the backend.

    Attributes:
        bind: ZeroMQ TCP address; ``*`` takes a free port.
        idle_exit_minutes: stop when nobody has been connected for so long; None: never.
        engine: how engines are built.
    """

    bind: str = LOOPBACK
    idle_exit_minutes: float | None = None
    engine: EngineOptions = field(default_factory=EngineOptions)


class _KeyCheck:
    """Asks the list of authorised clients at each new connection."""

    def __init__(self, clients: AuthorisedClients) -> None:
        self._clients = clients

    def callback(self, domain: str, key: bytes) -> bool:
        try:
            allowed = self._clients.allows(z85.encode(key).decode() if len(key) == 32 else key.decode())
        except (ImageTo3DError, UnicodeDecodeError) as error:
            log.error("%s", error)
            allowed = False
        if not allowed:
            log.warning("A client with an unknown key was turned away.")
        return allowed


class Service:
    """Binds at construction, serves in :meth:`run`.

    Raises:
        ImageTo3DError: the address cannot be bound.
    """

    def __init__(self, options: ServiceOptions | None = None) -> None:
        self.options = options or ServiceOptions()
        self._context: zmq.Context[Any] = zmq.Context()
        self._keys = load_or_create("server")
        self._clients = AuthorisedClients()
        load_or_create("client")  # so that clients of this account find their key
        self._authenticator = ThreadAuthenticator(self._context, log=log)
        self._authenticator.start()
        self._authenticator.configure_curve_callback("*", credentials_provider=_KeyCheck(self._clients))
        try:
            self._control = self._router(self.options.bind)
            host = self.options.bind.rpartition(":")[0]
            self._frames = self._router(f"{host}:*")
        except BaseException:
            self._authenticator.stop()
            self._context.destroy(0)
            raise
        self.endpoint = Endpoint(_last_endpoint(self._control), self._keys.public, os.getpid(), __version__)
        self._frames_port = int(_last_endpoint(self._frames).rpartition(":")[2])
        self._monitor = self._control.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        self._events = self._context.socket(zmq.PULL)
        self._events.bind(EVENTS)
        self._worker = WorkerProcess("inference", worker_main, (self.options.engine,), self._context, EVENTS)
        self._worker_ready = False
        self._device: dict[str, Any] = {"device": "", "memory": 0}
        self._queue = JobQueue()
        self._running: Job | None = None
        self._keys_of_jobs = itertools.count(1)
        self._scenes = SceneStore()
        self._connected = 0
        self._idle_since = time.monotonic()
        self._started = time.time()
        self._stopping = False

    # --- life -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until :meth:`stop`, a ``shutdown`` request, or nobody has needed the backend for long enough."""
        poller = zmq.Poller()
        for socket in (self._control, self._frames, self._monitor, self._events):
            poller.register(socket, zmq.POLLIN)
        self._worker.start()
        endpoints.publish(self.endpoint)
        log.info("serving at %s, process %d", self.endpoint.control, os.getpid())
        next_check = 0.0
        try:
            while not self._stopping:
                ready = dict(poller.poll(int(HOUSEKEEPING_SECONDS * 1000)))
                if self._monitor in ready:
                    self._count_connections()
                if self._events in ready:
                    self._on_worker_event(self._events.recv_multipart())
                for socket in (self._control, self._frames):
                    if socket in ready:
                        self._on_request(socket, socket.recv_multipart(copy=False))
                if time.monotonic() >= next_check:
                    next_check = time.monotonic() + HOUSEKEEPING_SECONDS
                    self._housekeeping()
        finally:
            self._close()

    def stop(self) -> None:
        """End :meth:`run` soon; safe to call from a signal handler."""
        self._stopping = True

    def _close(self) -> None:
        endpoints.withdraw(os.getpid())
        leaving = ErrorReply(
            ErrorCode.SHUTTING_DOWN.value, "The backend is stopping.", "Start it again and repeat the request."
        )
        for job in ([self._running] if self._running else []) + list(self._queue):
            with contextlib.suppress(zmq.ZMQError):
                self._control.send_multipart([job.client, *encode(leaving, job.message_id)], flags=zmq.NOBLOCK)
        self._worker.close(timeout=1.0)
        self._control.disable_monitor()
        self._monitor.close(0)
        self._events.close(0)
        self._authenticator.stop()
        for socket in (self._control, self._frames):
            socket.close(500)  # let the last replies leave
        self._context.term()
        log.info("stopped")

    def _router(self, address: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.ROUTER)
        socket.curve_server = True
        socket.curve_secretkey = self._keys.secret.encode()
        socket.curve_publickey = self._keys.public.encode()
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        socket.setsockopt(zmq.SNDHWM, 256)
        socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST,
                f"The address {address} cannot be used: {error.strerror}.",
                "An address looks like tcp://127.0.0.1:5555; the port must be free.",
            ) from None
        return socket

    def _count_connections(self) -> None:
        while self._monitor.poll(0):
            event = int(recv_monitor_message(self._monitor)["event"])
            self._connected += 1 if event == zmq.EVENT_HANDSHAKE_SUCCEEDED else -1
        self._connected = max(0, self._connected)

    def _housekeeping(self) -> None:
        now = time.monotonic()
        for position, job in enumerate(list(self._queue)):
            ahead = position + (self._running is not None)
            if not self._reply(job.client, job.message_id, ProgressReport(f"waiting, {ahead} before this", 0.0)):
                self._forget_client(job.client)
        job = self._running
        if job is not None and job.cancelled_at is not None and now - job.cancelled_at > CANCEL_GRACE_SECONDS:
            log.warning("job %d does not stop; restarting the worker", job.key)
            self._worker.kill()
        if self._connected or self._running or len(self._queue):
            self._idle_since = now
        limit = self.options.idle_exit_minutes
        if limit is not None and now - self._idle_since > limit * 60:
            log.info("nobody was connected for %g minutes", limit)
            self._stopping = True

    # --- replies --------------------------------------------------------------------------------------------------------

    def _reply(self, client: bytes, message_id: int, message: Message) -> bool:
        return self._send(client, encode(message, message_id))

    def _send(self, client: bytes, frames: Sequence[Any]) -> bool:
        """False if the client is gone or does not read."""
        try:
            self._control.send_multipart([client, *frames], flags=zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            return False
        return True

    def _forget_client(self, client: bytes) -> None:
        dropped = self._queue.remove(client)
        if self._running is not None and self._running.client == client:
            self._cancel_running()
        if dropped:
            log.info("a client is gone; %d of its jobs were dropped", len(dropped))

    # --- requests -------------------------------------------------------------------------------------------------------

    def _on_request(self, socket: zmq.Socket[bytes], parts: list[zmq.Frame]) -> None:
        client, frames = parts[0].bytes, [part.buffer for part in parts[1:]]
        try:
            message_id, request = decode_request(frames)
        except WireError as error:
            complaint = ErrorReply(error.code.value, error.message, error.hint)
            with contextlib.suppress(zmq.ZMQError):  # a client that does not listen need not be told
                socket.send_multipart([client, *encode(complaint, error.request_id)], flags=zmq.NOBLOCK)
            return
        try:
            if socket is self._control:
                self._handle(client, message_id, request, frames)
            else:
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "This request belongs on the control socket.")
        except ImageTo3DError as error:
            self._error(client, message_id, error)
        except Exception:
            log.exception("a %s request failed", request.TYPE)
            self._error(
                client,
                message_id,
                ImageTo3DError(
                    ErrorCode.INTERNAL, "The backend made a mistake.", "Its log has the details; please report it."
                ),
            )

    def _error(self, client: bytes, message_id: int, error: ImageTo3DError) -> None:
        self._reply(client, message_id, ErrorReply(error.code.value, error.message, error.hint))

    def _handle(self, client: bytes, message_id: int, request: Message, frames: Sequence[Any]) -> None:
        if isinstance(request, Hello):
            self._reply(client, message_id, self._welcome())
        elif isinstance(request, Predict):
            self._accept(client, message_id, frames)
        elif isinstance(request, Cancel):
            self._cancel(client, request.job)
            self._reply(client, message_id, Accepted())
        elif isinstance(request, UploadScene):
            request.to_cloud()  # refuses arrays that do not fit together
            blobs = [bytes(frame) for frame in frames]
            scene = scene_id(blobs[1:])
            self._scenes.put(scene, blobs)
            self._reply(client, message_id, Accepted(scene=scene))
        elif isinstance(request, DropScene):
            self._scenes.drop(request.scene)
            self._reply(client, message_id, Accepted())
        elif isinstance(request, Status):
            self._reply(client, message_id, State(self._report()))
        elif isinstance(request, Shutdown):
            self._reply(client, message_id, Accepted())
            self._stopping = True
        else:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, f"A {request.TYPE} request does not belong on this socket.")

    def _welcome(self) -> Welcome:
        return Welcome(
            server_version=__version__,
            protocol_version=PROTOCOL_VERSION,
            device=self._device["device"],
            memory_bytes=self._device["memory"],
            frames_port=self._frames_port,
            engines=[
                EngineState(
                    name=e.info.name,
                    summary=e.info.summary,
                    metric=e.info.metric,
                    licence=e.info.licence,
                    needs_depth=e.info.needs_depth,
                    state=e.state,  # type: ignore[arg-type]
                    note=e.note,
                )
                for e in engine_states()
            ],
            capabilities=[],
        )

    def _report(self) -> dict[str, Any]:
        running = self._running
        return {
            "version": __version__,
            "protocol": PROTOCOL_VERSION,
            "pid": os.getpid(),
            "address": self.endpoint.control,
            "uptime_s": round(time.time() - self._started, 1),
            "device": self._device["device"],
            "memory_bytes": self._device["memory"],
            "workers": {"inference": {"pid": self._worker.pid, "ready": self._worker_ready}},
            "clients": self._connected,
            "running": None if running is None else {"stage": running.stage, "fraction": running.fraction},
            "waiting": len(self._queue),
            "scenes": {"count": len(self._scenes), "bytes": self._scenes.bytes},
        }

    # --- jobs -----------------------------------------------------------------------------------------------------------

    def _accept(self, client: bytes, message_id: int, frames: Sequence[Any]) -> None:
        job = Job(next(self._keys_of_jobs), client, message_id, [bytes(frame) for frame in frames])
        ahead = self._queue.put(job) + (self._running is not None)
        self._reply(client, message_id, Accepted(position=ahead))
        self._run_next()

    def _run_next(self) -> None:
        if self._running is not None or not self._worker_ready:
            return
        job = self._queue.pop()
        if job is None:
            return
        self._running = job
        job.stage = "starting"
        self._worker.send(Tag.RUN, key_bytes(job.key), *job.frames)
        job.frames = []

    def _cancel(self, client: bytes, message_id: int) -> None:
        for job in self._queue.remove(client, message_id):
            self._error(client, job.message_id, ImageTo3DError(ErrorCode.CANCELLED, "Cancelled."))
        running = self._running
        if running is not None and (running.client, running.message_id) == (client, message_id):
            self._cancel_running()

    def _cancel_running(self) -> None:
        job = self._running
        if job is not None and job.cancelled_at is None:
            job.cancelled_at = time.monotonic()
            self._worker.send(Tag.CANCEL, key_bytes(job.key))

    def _on_worker_event(self, parts: list[bytes]) -> None:
        generation, kind, frames = int(parts[1]), parts[2], parts[3:]
        if generation != self._worker.generation:
            return
        if kind == DEAD:
            self._on_worker_death()
        elif kind == Tag.READY.value:
            self._device = msgpack.unpackb(frames[0])
            self._worker_ready = True
        elif kind == Tag.PROGRESS.value:
            key, reply = split_key(frames)
            self._on_progress(key, reply)
        elif kind in (Tag.DONE.value, Tag.LAST.value):
            if kind == Tag.LAST.value:
                self._worker_ready = False
            key, reply = split_key(frames)
            self._on_done(key, reply)
        self._run_next()

    def _on_progress(self, key: int, reply: list[bytes]) -> None:
        job = self._running
        if job is None or job.key != key:
            return
        _, report = decode_reply(reply)
        assert isinstance(report, ProgressReport)
        job.stage, job.fraction = report.stage, report.fraction
        if not self._send(job.client, reply):
            self._forget_client(job.client)

    def _on_done(self, key: int, reply: list[bytes]) -> None:
        job, self._running = self._running, None
        if job is None or job.key != key:
            return
        _, message = decode_reply(reply)
        if isinstance(message, Result):
            scene = scene_id(reply[1:])
            self._scenes.put(scene, reply)
            reply = [_with_scene(reply[0], scene), *reply[1:]]
        if not self._send(job.client, reply):
            log.info("the client of job %d is gone or does not read", key)
            self._forget_client(job.client)

    def _on_worker_death(self) -> None:
        job, self._running = self._running, None
        self._worker_ready = False
        if job is not None:
            cancelled = job.cancelled_at is not None
            error = (
                ImageTo3DError(ErrorCode.CANCELLED, "Cancelled.")
                if cancelled
                else ImageTo3DError(
                    ErrorCode.ENGINE_FAILED,
                    "The engine's process ended unexpectedly, probably for lack of memory.",
                    "Close other programs or take a smaller engine, then try again; the backend itself keeps running.",
                )
            )
            self._error(job.client, job.message_id, error)
        if not self._stopping:
            log.warning("the inference worker ended; starting another")
            self._worker.start()


def _last_endpoint(socket: zmq.Socket[bytes]) -> str:
    value = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(value, bytes)
    return value.rstrip(b"\0").decode()


def _with_scene(header: bytes, scene: str) -> bytes:
    """The header of a result with its scene id filled in; the arrays stay untouched."""
    fields = msgpack.unpackb(header)
    fields["f"]["scene"] = scene
    packed: bytes = msgpack.packb(fields, use_bin_type=True)
    return packed
