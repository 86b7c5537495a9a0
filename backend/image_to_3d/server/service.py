"""The front of the backend: owns the sockets, queues work, keeps scenes, watches the workers, and never computes."""

from __future__ import annotations

import itertools
import logging
import os
import shlex
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import psutil
import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from .. import __version__
from ..core.errors import Cancelled, ErrorCode, ImageTo3DError
from ..engines.base import EngineOptions
from ..engines.pool import EnginePool
from ..protocol import endpoint as endpoints
from ..protocol.endpoint import Endpoint
from ..protocol.keys import AuthorisedClients, load_or_create
from ..protocol.mapped_files import new_name
from ..protocol.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    CodedFrame,
    DropScene,
    ErrorReply,
    Hello,
    LinearFrame,
    Message,
    Predict,
    ProgressReport,
    Render,
    Result,
    Shutdown,
    State,
    Status,
    UploadScene,
    Welcome,
)
from ..protocol.messages import Frame as FrameReply
from ..protocol.schema import to_plain
from ..protocol.wire import WireError, decode_reply, decode_request, encode, frames_from_file, point_to_file
from .introduction import auto_engine, engine_messages
from .jobs import Job, JobQueue, RenderJob, RenderQueue
from .malloc_trim import release_free_memory
from .scenes import DEFAULT_BUDGET_BYTES, Scene, SceneStore, content_id
from .shared_folder import SharedFolder
from .sockets import (
    LOOPBACK,
    MAX_FRAME_BYTES,
    MAX_PREVIEW_REQUEST_BYTES,
    KeyCheck,
    bind_router,
    bound_address,
    check_address,
    is_loopback,
    key_of,
    reachable,
)
from .workers import inference, rendering
from .workers.channel import Tag, number, split_key
from .workers.handle import DEAD, WorkerProcess
from .workers.rendering import MakeRenderer, default_renderer

log = logging.getLogger(__name__)

EVENTS = "inproc://worker-events"
TRIM_AFTER_MESSAGES = 1000
HOUSEKEEPING_SECONDS = 1.0
CANCEL_GRACE_SECONDS = 10.0
FRAME_FILES_PER_CLIENT = 10
FRAME_FILE_SECONDS = 5.0
MAX_REMEMBERED_CLIENTS = 4096


@dataclass(frozen=True)
class ServiceOptions:
    """How to run the backend.

    Attributes:
        bind: ZeroMQ TCP address; ``*`` takes a free port. Frames get the next port, or another free one.
        idle_exit_minutes: stop when nobody has asked for anything for so long, connected or not; None: never.
        idle_unload_minutes: give the memory of the engine back after so long without a photo; None: never.
        engine: how engines are built.
        scene_bytes: how much the resident scenes may take.
        make_renderer: run in the render worker.
    """

    bind: str = LOOPBACK
    idle_exit_minutes: float | None = None
    idle_unload_minutes: float | None = 10.0
    engine: EngineOptions = field(default_factory=EngineOptions)
    scene_bytes: int = DEFAULT_BUDGET_BYTES
    make_renderer: MakeRenderer = default_renderer


class Service:
    """Binds at construction, serves in :meth:`run`.

    Attributes:
        endpoint: where it listens.
        is_loopback: only this machine can reach it.

    Raises:
        ImageTo3DError: the address cannot be bound.
    """

    def __init__(self, options: ServiceOptions | None = None) -> None:
        self.options = options or ServiceOptions()
        host, port = check_address(self.options.bind)
        self._context: zmq.Context[Any] = zmq.Context()
        self._context.setsockopt(zmq.MAX_SOCKETS, 4096)
        self._keys = load_or_create("server")
        self._own_client_key = load_or_create("client").public  # made here so that clients of this account find it
        self._check = KeyCheck(AuthorisedClients())
        self._authenticator = ThreadAuthenticator(self._context, log=log)
        self._authenticator.start()
        self._authenticator.configure_curve_callback("*", credentials_provider=self._check)
        try:
            self._control = bind_router(self._context, self._keys, self.options.bind, MAX_FRAME_BYTES)
            frames = f"tcp://{host}:{'*' if port is None else port + 1}"
            self._frames = bind_router(self._context, self._keys, frames, MAX_PREVIEW_REQUEST_BYTES)
            self._folder = SharedFolder()
        except BaseException:
            self._authenticator.stop()
            self._context.destroy(0)
            raise
        self.is_loopback = is_loopback(host)
        if not self.is_loopback:
            log.warning(
                "Listening on a network. Every connection is encrypted; only authorised keys get in: image-to-3d authorise"
            )
        self.endpoint = Endpoint(
            reachable(bound_address(self._control)),
            self._keys.public,
            os.getpid(),
            __version__,
            shared=str(self._folder.path),
        )
        self._frames_port = int(bound_address(self._frames).rpartition(":")[2])
        self._monitors = [
            socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
            for socket in (self._control, self._frames)
        ]
        self._connections: list[set[int]] = [set(), set()]
        self._events = self._context.socket(zmq.PULL)
        self._events.bind(EVENTS)
        shared = str(self._folder.path)
        self._inference = WorkerProcess(
            "inference", inference.worker_main, (shared, self.options.engine), self._context, EVENTS
        )
        self._rendering = WorkerProcess(
            "rendering", rendering.worker_main, (shared, self.options.make_renderer), self._context, EVENTS
        )
        self._queue = JobQueue()
        self._running: Job | None = None
        self._pictures = RenderQueue()
        self._drawing: RenderJob | None = None
        self._keys_of_jobs = itertools.count(1)
        budget = min(self.options.scene_bytes, self._folder.free_bytes() // 2, psutil.virtual_memory().total // 4)
        self._scenes = SceneStore(self._folder, budget)
        self._sharing: OrderedDict[bytes, None] = OrderedDict()  # clients that can open files of the shared folder
        self._frame_files: OrderedDict[bytes, deque[tuple[float, str]]] = OrderedDict()
        self._engines = EnginePool(self.options.engine)  # asked about, never used: this process does not compute
        self._started = self._idle_since = self._photo_at = time.monotonic()
        self._handled = 0  # messages since memory was last given back
        self._stopping = False

    # --- life -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until :meth:`stop`, a ``shutdown`` request, or nobody has needed the backend for long enough."""
        poller = zmq.Poller()
        for socket in (self._control, self._frames, *self._monitors, self._events):
            poller.register(socket, zmq.POLLIN)
        next_check = 0.0
        try:
            self._inference.start()
            endpoints.publish(self.endpoint)
            log.info("serving at %s, process %d", self.endpoint.control, os.getpid())
            while not self._stopping:
                ready = dict(poller.poll(int(HOUSEKEEPING_SECONDS * 1000)))
                if self._events in ready:
                    self._on_worker_event(self._events.recv_multipart())
                for socket in (self._control, self._frames):
                    if socket in ready:
                        self._handled += 1
                        self._on_request(socket, socket.recv_multipart(copy=False))
                if any(monitor in ready for monitor in self._monitors):
                    self._track_connections()
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
        leaving = ImageTo3DError(
            ErrorCode.SHUTTING_DOWN, "The backend is stopping.", "Start it again and repeat the request."
        )
        for job in [*filter(None, [self._running]), *self._queue]:
            self._error(self._control, job.client, job.message_id, leaving)
        for picture in [*filter(None, [self._drawing]), *self._pictures]:
            self._error(self._frames, picture.client, picture.message_id, leaving)
        workers = (self._inference, self._rendering)
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.close(timeout=1.0)
        for socket, monitor in zip((self._control, self._frames), self._monitors, strict=True):
            socket.disable_monitor()
            monitor.close(0)
        self._events.close(0)
        self._authenticator.stop()
        for socket in (self._control, self._frames):
            socket.close(500)  # let the last replies leave
        self._context.term()
        self._folder.close()
        log.info("stopped")

    def _track_connections(self) -> None:
        """Which TCP connections are open, by their file descriptors: strangers who never say hello leave the count alone."""
        for monitor, open_ones in zip(self._monitors, self._connections, strict=True):
            while monitor.poll(0):
                event = recv_monitor_message(monitor)
                if int(event["event"]) == zmq.EVENT_ACCEPTED:
                    open_ones.add(int(event["value"]))
                else:
                    open_ones.discard(int(event["value"]))

    @property
    def _connected(self) -> int:
        return len(self._connections[0])

    def _housekeeping(self) -> None:
        now = time.monotonic()
        if self._handled >= TRIM_AFTER_MESSAGES:
            self._handled = 0
            release_free_memory()
        for position, waiting in enumerate(list(self._queue)):
            ahead = position + (self._running is not None)
            self._report_progress(waiting, ProgressReport(f"waiting, {ahead} before this", 0.0))
        job = self._running
        if job is not None:
            self._report_progress(job, ProgressReport(job.stage, job.fraction))  # is the client still there?
            if job.cancelled_at is not None and now - job.cancelled_at > CANCEL_GRACE_SECONDS:
                log.warning("job %d does not stop; restarting the worker", job.key)
                self._inference.kill()
        for worker in (self._inference, self._rendering):
            worker.restart_if_due()
        self._give_up_if_hopeless()
        self._delete_frame_files(now)
        self._folder.sweep()
        self._rest(now)

    def _rest(self, now: float) -> None:
        """Let go of what nobody has needed for long enough: the engine, and then everything."""
        if self._running or len(self._queue):
            self._photo_at = self._idle_since = now
        if self._drawing or len(self._pictures):
            self._idle_since = now
        limit = self.options.idle_unload_minutes
        if limit is not None and now - self._photo_at > limit * 60:
            self._photo_at = now
            if self._inference.ready and self._inference.facts.get("engine"):
                self._inference.send(Tag.UNLOAD)
        limit = self.options.idle_exit_minutes
        if limit is not None and now - self._idle_since > limit * 60:
            log.info("nobody asked for anything for %g minutes", limit)
            self._stopping = True

    def _report_progress(self, job: Job, report: ProgressReport) -> None:
        if not self._reply(self._control, job.client, job.message_id, report):
            self._forget_client(job.client)

    def _give_up_if_hopeless(self) -> None:
        """Nothing waits forever for a worker that cannot start."""
        failed = ImageTo3DError(
            ErrorCode.ENGINE_FAILED,
            "A process of the backend ends as soon as it is started.",
            "Run: image-to-3d doctor; the backend's log has the details.",
        )
        if self._inference.hopeless:
            while (job := self._queue.pop()) is not None:
                self._error(self._control, job.client, job.message_id, failed)
        if self._rendering.hopeless:
            while (picture := self._pictures.pop()) is not None:
                self._error(self._frames, picture.client, picture.message_id, failed)

    # --- replies --------------------------------------------------------------------------------------------------------

    def _reply(self, socket: zmq.Socket[bytes], client: bytes, message_id: int, message: Message) -> bool:
        return self._send(socket, client, encode(message, message_id))

    def _send(self, socket: zmq.Socket[bytes], client: bytes, frames: Sequence[Any]) -> bool:
        """False if the client is gone or does not read."""
        try:
            socket.send_multipart([client, *frames], flags=zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
            return False
        return True

    def _error(self, socket: zmq.Socket[bytes], client: bytes, message_id: int, error: ImageTo3DError) -> None:
        self._reply(socket, client, message_id, ErrorReply(error.code.value, error.message, error.hint))

    def _send_with_file(self, socket: zmq.Socket[bytes], client: bytes, header: bytes, name: str) -> bool:
        """A reply whose arrays lie in a file: by its name to those who can open it, else streamed from the mapped file."""
        if client in self._sharing:
            return self._send(socket, client, [point_to_file(header, name)])
        return self._send(socket, client, frames_from_file(header, self._folder.open(name)))

    def _forget_client(self, client: bytes) -> None:
        dropped = self._queue.remove(client)
        if self._running is not None and self._running.client == client:
            self._cancel_running()
        self._sharing.pop(client, None)
        if dropped:
            log.info("a client is gone; %d of its jobs were dropped", len(dropped))

    # --- requests -------------------------------------------------------------------------------------------------------

    def _on_request(self, socket: zmq.Socket[bytes], parts: list[zmq.Frame]) -> None:
        client, frames = parts[0].bytes, [part.buffer for part in parts[1:]]
        message_id = 0
        try:
            message_id, request = decode_request(frames)
            key = key_of(parts[-1])
            if not self._check.allows(key):
                raise ImageTo3DError(
                    ErrorCode.UNAUTHORISED,
                    "This client is no longer authorised.",
                    f"On the backend's machine run: image-to-3d authorise {shlex.quote(key)}",
                )
            if not isinstance(request, Status):  # who only looks needs nothing
                self._idle_since = time.monotonic()
            if socket is self._control:
                self._handle(client, key, message_id, request, frames)
            else:
                self._handle_preview(client, message_id, request, frames)
        except WireError as error:
            self._error(socket, client, error.request_id, error)
        except ImageTo3DError as error:
            self._error(socket, client, message_id, error)
        except Exception:
            log.exception("a request failed")
            mistake = ImageTo3DError(
                ErrorCode.INTERNAL, "The backend made a mistake.", "Its log has the details; please report it."
            )
            self._error(socket, client, message_id, mistake)

    def _handle(self, client: bytes, key: str, message_id: int, request: Message, frames: Sequence[Any]) -> None:
        reply: Message = Accepted()
        if isinstance(request, Hello):
            reply = self._greet(client, request)
        elif isinstance(request, Predict):
            self._accept(client, message_id, frames)
            return
        elif isinstance(request, Cancel):
            self._cancel(client, request.job)
        elif isinstance(request, UploadScene):
            reply = Accepted(scene=self._upload(request, frames))
        elif isinstance(request, DropScene):
            self._scenes.drop(request.scene)
        elif isinstance(request, Status):
            reply = State(self._report())
        elif isinstance(request, Shutdown):
            if key != self._own_client_key:
                raise ImageTo3DError(
                    ErrorCode.UNAUTHORISED,
                    "Only the account that runs the backend can stop it.",
                    "On its machine run: image-to-3d stop",
                )
            self._stopping = True
        else:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST, f"A {request.TYPE} request does not belong on the control socket."
            )
        self._reply(self._control, client, message_id, reply)

    def _handle_preview(self, client: bytes, message_id: int, request: Message, frames: Sequence[Any]) -> None:
        if isinstance(request, Hello):
            self._reply(self._frames, client, message_id, self._greet(client, request))
        elif isinstance(request, Render):
            for instance in request.instances:
                self._scenes.get(instance.scene)  # known, and now recently used
            job = RenderJob(next(self._keys_of_jobs), client, message_id, request, [bytes(frames[0])])
            for stale in self._pictures.put(job):
                replaced = ImageTo3DError(ErrorCode.CANCELLED, "A newer picture was asked for.")
                self._error(self._frames, client, stale.message_id, replaced)
            self._start_renderer()
            self._draw_next()
        else:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST, f"A {request.TYPE} request does not belong on the frame socket."
            )

    def _greet(self, client: bytes, hello: Hello) -> Welcome:
        if hello.shares_files:
            self._sharing[client] = None
            while len(self._sharing) > MAX_REMEMBERED_CLIENTS:
                self._sharing.popitem(last=False)
        return Welcome(
            server_version=__version__,
            protocol_version=PROTOCOL_VERSION,
            device=self._inference.facts.get("device", ""),
            memory_bytes=self._inference.facts.get("memory", 0),
            frames_port=self._frames_port,
            engines=engine_messages(self._engines),
            capabilities=["render", "upload_scene"],
            renderer=self._renderer,
            auto_engine=auto_engine(self._engines, has_depth=False),
            auto_engine_with_depth=auto_engine(self._engines, has_depth=True),
        )

    @property
    def _renderer(self) -> str:
        """What the render worker said, or, before it has started, what the inference worker expects of it."""
        return str(self._rendering.facts.get("why") or self._inference.facts.get("renderer", ""))

    def _report(self) -> dict[str, Any]:
        running = self._running
        return {
            "version": __version__,
            "protocol": PROTOCOL_VERSION,
            "pid": os.getpid(),
            "address": self.endpoint.control,
            "frames_port": self._frames_port,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "device": self._inference.facts.get("device", ""),
            "memory_bytes": self._inference.facts.get("memory", 0),
            "engine": self._inference.facts.get("engine") or None,
            "renderer": self._renderer,
            "workers": {
                worker.name: {"pid": worker.pid, "ready": worker.ready}
                for worker in (self._inference, self._rendering)
                if worker.started
            },
            "clients": self._connected,
            "running": None if running is None else {"stage": running.stage, "fraction": running.fraction},
            "waiting": len(self._queue),
            "scenes": {"count": len(self._scenes), "bytes": self._scenes.bytes},
        }

    def _upload(self, request: UploadScene, frames: Sequence[Any]) -> str:
        if (
            len(
                {
                    len(a)
                    for a in (request.positions, request.scales, request.rotations, request.colours, request.opacities)
                }
            )
            > 1
        ):
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST,
                "The arrays of the scene differ in length.",
                "Give every Gaussian all its values.",
            )
        scene = content_id([msgpack.packb(to_plain(request)), *frames[1:]])
        if scene in self._scenes:
            self._scenes.get(scene)
        else:
            name = self._folder.write(frames[1:])
            self._scenes.put(Scene(scene, name, bytes(frames[0]), sum(map(len, frames[1:]))))
        self._start_renderer()
        return scene

    # --- photos ---------------------------------------------------------------------------------------------------------

    def _accept(self, client: bytes, message_id: int, frames: Sequence[Any]) -> None:
        job = Job(next(self._keys_of_jobs), client, message_id, list(frames))
        ahead = self._queue.put(job) + (self._running is not None)
        self._reply(self._control, client, message_id, Accepted(position=ahead))
        self._run_next()

    def _run_next(self) -> None:
        while self._running is None and self._inference.ready and (job := self._queue.pop()) is not None:
            header = bytes(job.frames[0])
            try:
                if len(job.frames) > 1:
                    job.input = self._folder.write(job.frames[1:])
                    header = point_to_file(header, job.input)
            except ImageTo3DError as error:
                self._error(self._control, job.client, job.message_id, error)
                continue
            job.output, job.stage, job.frames = new_name(), "starting", []
            self._running = job
            self._inference.send(Tag.RUN, number(job.key), job.output.encode(), header)

    def _cancel(self, client: bytes, message_id: int) -> None:
        for job in self._queue.remove(client, message_id):
            self._error(self._control, client, job.message_id, Cancelled())
        running = self._running
        if running is not None and (running.client, running.message_id) == (client, message_id):
            self._cancel_running()

    def _cancel_running(self) -> None:
        job = self._running
        if job is not None and job.cancelled_at is None:
            job.cancelled_at = time.monotonic()
            self._inference.send(Tag.CANCEL, number(job.key))

    def _on_progress(self, key: int, reply: list[bytes]) -> None:
        job = self._running
        if job is None or job.key != key:
            return
        _, report = decode_reply(reply)
        assert isinstance(report, ProgressReport)
        job.stage, job.fraction = report.stage, report.fraction
        if not self._send(self._control, job.client, reply):
            self._forget_client(job.client)

    def _on_result(self, key: int, header: bytes) -> None:
        job = self._running
        if job is None or job.key != key:
            return
        self._running = None
        if job.input:
            self._folder.delete(job.input)
        if msgpack.unpackb(header)["t"] != Result.TYPE:
            if not self._send(self._control, job.client, [header]):
                self._forget_client(job.client)
            return
        size = sum(map(len, frames_from_file(header, self._folder.open(job.output))[1:]))
        self._scenes.put(Scene(job.output, job.output, header, size))
        if self._send_with_file(self._control, job.client, header, job.output):
            self._start_renderer()
        else:
            log.info("the client of job %d is gone or does not read", key)
            self._scenes.drop(job.output)
            self._forget_client(job.client)

    def _on_inference_death(self) -> None:
        job, self._running = self._running, None
        if job is None:
            return
        for name in filter(None, (job.input, job.output)):
            self._folder.delete(name)
        ended = ImageTo3DError(
            ErrorCode.ENGINE_FAILED,
            "The engine's process ended unexpectedly, probably for lack of memory.",
            "Close other programs or take a smaller engine, then try again; the backend itself keeps running.",
        )
        error = Cancelled() if job.cancelled_at is not None else ended
        self._error(self._control, job.client, job.message_id, error)

    # --- pictures -------------------------------------------------------------------------------------------------------

    def _start_renderer(self) -> None:
        """With the first scene: whoever only makes clouds does without it."""
        if not self._rendering.started:
            self._rendering.start()

    def _draw_next(self) -> None:
        while self._drawing is None and self._rendering.ready and (job := self._pictures.pop()) is not None:
            try:
                scenes = [self._scenes.get(name) for name in {i.scene for i in job.request.instances}]
            except ImageTo3DError as error:
                self._error(self._frames, job.client, job.message_id, error)
                continue
            job.output = new_name()
            self._drawing = job
            parts = [part for s in scenes for part in (s.id.encode(), s.name.encode(), s.header)]
            self._rendering.send(Tag.RUN, number(job.key), job.output.encode(), job.frames[0], *parts)

    def _on_picture(self, key: int, header: bytes) -> None:
        job = self._drawing
        if job is None or job.key != key:
            return
        self._drawing = None
        if msgpack.unpackb(header)["t"] not in (FrameReply.TYPE, CodedFrame.TYPE, LinearFrame.TYPE):
            self._send(self._frames, job.client, [header])
            return
        self._send_with_file(self._frames, job.client, header, job.output)
        files = self._frame_files.setdefault(job.client, deque())
        files.append((time.monotonic(), job.output))
        if len(files) > FRAME_FILES_PER_CLIENT:
            self._folder.delete(files.popleft()[1])

    def _delete_frame_files(self, now: float) -> None:
        """Clients open a picture's file as soon as they hear of it; after a while it can go."""
        for client, files in list(self._frame_files.items()):
            while files and now - files[0][0] > FRAME_FILE_SECONDS:
                self._folder.delete(files.popleft()[1])
            if not files:
                del self._frame_files[client]

    def _on_rendering_death(self) -> None:
        job, self._drawing = self._drawing, None
        if job is None:
            return
        self._folder.delete(job.output)
        ended = ImageTo3DError(
            ErrorCode.ENGINE_FAILED,
            "The renderer's process ended unexpectedly, probably for lack of memory.",
            "It is started again; close other programs if this repeats.",
        )
        self._error(self._frames, job.client, job.message_id, ended)

    # --- workers --------------------------------------------------------------------------------------------------------

    def _on_worker_event(self, parts: list[bytes]) -> None:
        name, generation, kind, frames = parts[0].decode(), int(parts[1]), parts[2], parts[3:]
        worker = self._inference if name == self._inference.name else self._rendering
        if generation != worker.generation:
            return
        if kind == DEAD:
            worker.on_death()
            if worker is self._inference:
                self._on_inference_death()
            else:
                self._on_rendering_death()
            worker.restart_if_due()
        elif kind == Tag.READY.value:
            worker.on_ready(frames[0])
        elif kind == Tag.FACTS.value:
            worker.on_facts(frames[0])
        elif kind == Tag.LOG.value:
            log.log(int(frames[0]), "%s worker: %s", name, frames[1].decode("utf-8", "replace"))
        elif kind == Tag.PROGRESS.value:
            self._on_progress(*split_key(frames))
        else:
            if kind == Tag.LAST.value:
                worker.on_last_words()
            key, (header,) = split_key(frames)
            if worker is self._inference:
                self._on_result(key, header)
            else:
                self._on_picture(key, header)
        self._run_next()
        self._draw_next()
