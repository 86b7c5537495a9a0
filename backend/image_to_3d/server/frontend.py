"""The frontend of the backend: owns the sockets, queues work, keeps scenes, watches the workers, and never computes."""

from __future__ import annotations

import logging
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import zmq

from .. import __version__
from ..core.errors import ErrorCode, ImageTo3DError
from ..engines.base import EngineOptions
from ..engines.pool import EnginePool
from ..protocol import endpoint as endpoints
from ..protocol.endpoint import Endpoint
from ..protocol.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    DropScene,
    Hello,
    Message,
    Predict,
    Render,
    Shutdown,
    State,
    Status,
    UploadScene,
    Welcome,
)
from ..protocol.wire import WireError, decode_request
from .background import BackgroundThread
from .introduction import auto_engine, engine_messages
from .listening import Listener
from .malloc_trim import release_free_memory
from .photo_jobs import PhotoJobs
from .pictures import Pictures
from .replies import FileSharers, ReplySocket, reply_to_mistake
from .scenes import DEFAULT_BUDGET_BYTES, SceneStore
from .shared_folder import SharedFolder
from .sockets import LOOPBACK, key_of
from .uploads import SceneUploads
from .workers import inference, rendering
from .workers.channel import MessageKind, split_key
from .workers.handle import DEAD, WorkerProcess
from .workers.rendering import MakeRenderer, default_renderer

log = logging.getLogger(__name__)

EVENTS = "inproc://worker-events"
TRIM_AFTER_MESSAGES = 1000
HOUSEKEEPING_SECONDS = 1.0


@dataclass(frozen=True)
class FrontendOptions:
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


class Frontend:
    """Binds at construction, serves in :meth:`run`.

    Attributes:
        endpoint: where it listens.
        is_loopback: only this machine can reach it.

    Raises:
        ImageTo3DError: the address cannot be bound.
    """

    def __init__(self, options: FrontendOptions | None = None) -> None:
        self.options = options or FrontendOptions()
        self._listener = Listener(self.options.bind)
        try:
            self._folder = SharedFolder()
        except BaseException:
            self._listener.abandon()
            raise
        context, shared = self._listener.context, str(self._folder.path)
        self.is_loopback = self._listener.is_loopback
        self.endpoint = Endpoint(
            self._listener.address, self._listener.server_key, os.getpid(), __version__, shared=shared
        )
        self._events = context.socket(zmq.PULL)
        self._events.bind(EVENTS)
        budget = min(self.options.scene_bytes, self._folder.free_bytes() // 2, psutil.virtual_memory().total // 4)
        self._scenes = SceneStore(self._folder, budget)
        self._sharers = FileSharers()
        self._control = ReplySocket(self._listener.control, self._folder, self._sharers)
        self._frames = ReplySocket(self._listener.frames, self._folder, self._sharers)
        self._inference = WorkerProcess(
            "inference", inference.worker_main, (shared, self.options.engine), context, EVENTS
        )
        self._rendering = WorkerProcess(
            "rendering", rendering.worker_main, (shared, self.options.make_renderer), context, EVENTS
        )
        self._background = BackgroundThread(context)
        self._pictures = Pictures(self._rendering, self._folder, self._scenes, self._frames)
        self._photos = PhotoJobs(
            self._inference,
            self._folder,
            self._scenes,
            self._control,
            self._background,
            on_scene=self._pictures.start_worker,
            on_client_gone=self._forget_client,
        )
        self._uploads = SceneUploads(
            self._background, self._folder, self._scenes, self._control, on_scene=self._pictures.start_worker
        )
        self._engines = EnginePool(self.options.engine)  # asked about, never used: this process does not compute
        self._started = self._idle_since = self._photo_at = time.monotonic()
        self._handled = 0  # messages since memory was last given back
        self._stopping = False

    # --- life -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until :meth:`stop`, a ``shutdown`` request, or nobody has needed the backend for long enough."""
        listener = self._listener
        poller = zmq.Poller()
        for socket in (listener.control, listener.frames, *listener.monitors, self._events, self._background.done):
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
                if self._background.done in ready:
                    self._background.collect()
                for socket, replies in ((listener.control, self._control), (listener.frames, self._frames)):
                    if socket in ready:
                        self._handled += 1
                        self._on_request(replies, socket.recv_multipart(copy=False))
                if any(monitor in ready for monitor in listener.monitors):
                    listener.track_connections()
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
        leaving = ImageTo3DError(ErrorCode.SHUTTING_DOWN, "backend.stopping")
        self._background.close()
        for job in self._photos.pending():
            self._control.error(job.client, job.message_id, leaving)
        for upload in self._uploads.pending():
            self._control.error(upload.client, upload.message_id, leaving)
        for picture in self._pictures.pending():
            self._frames.error(picture.client, picture.message_id, leaving)
        workers = (self._inference, self._rendering)
        for worker in workers:
            worker.ask_to_end()
        for worker in workers:
            worker.close(timeout=1.0)
        self._listener.stop_watching()
        self._events.close(0)
        self._listener.close()
        self._folder.close()
        log.info("stopped")

    def _housekeeping(self) -> None:
        now = time.monotonic()
        if self._handled >= TRIM_AFTER_MESSAGES:
            self._handled = 0
            release_free_memory()
        self._photos.report()
        self._photos.end_what_does_not_stop(now)
        for worker in (self._inference, self._rendering):
            worker.restart_if_due()
        self._fail_queue_if_crash_looping()
        self._pictures.delete_old_files(now)
        self._folder.sweep()
        self._rest(now)

    def _rest(self, now: float) -> None:
        """Let go of what nobody has needed for long enough: the engine, and then everything."""
        if self._photos.busy:
            self._photo_at = self._idle_since = now
        if self._pictures.busy:
            self._idle_since = now
        limit = self.options.idle_unload_minutes
        if limit is not None and now - self._photo_at > limit * 60:
            self._photo_at = now
            if self._inference.ready and self._inference.facts.get("engine"):
                self._inference.send(MessageKind.UNLOAD)
        limit = self.options.idle_exit_minutes
        if limit is not None and now - self._idle_since > limit * 60:
            log.info("nobody asked for anything for %g minutes", limit)
            self._stopping = True

    def _fail_queue_if_crash_looping(self) -> None:
        """Nothing waits forever for a worker that cannot start."""
        failed = ImageTo3DError(ErrorCode.ENGINE_FAILED, "backend.worker_crash_looping")
        if self._inference.crash_looping:
            self._photos.fail_waiting(failed)
        if self._rendering.crash_looping:
            self._pictures.fail_waiting(failed)

    def _forget_client(self, client: bytes) -> None:
        self._photos.drop_client(client)
        self._sharers.discard(client)

    # --- requests -------------------------------------------------------------------------------------------------------

    def _on_request(self, replies: ReplySocket, parts: list[zmq.Frame]) -> None:
        client, frames = parts[0].bytes, [part.buffer for part in parts[1:]]
        message_id = 0
        try:
            message_id, request = decode_request(frames)
            key = key_of(parts[-1])
            if not self._listener.check.allows(key):
                raise ImageTo3DError(ErrorCode.UNAUTHORISED, "backend.client_revoked", the_key=shlex.quote(key))
            if not isinstance(request, Status):  # who only looks needs nothing
                self._idle_since = time.monotonic()
            if replies is self._control:
                self._handle(client, key, message_id, request, frames)
            else:
                self._handle_preview(client, message_id, request, frames)
        except WireError as error:
            replies.error(client, error.request_id, error)
        except Exception as error:
            replies.error(client, message_id, reply_to_mistake(error))

    def _handle(self, client: bytes, key: str, message_id: int, request: Message, frames: Sequence[Any]) -> None:
        reply: Message = Accepted()
        if isinstance(request, Hello):
            reply = self._greet(client, request)
        elif isinstance(request, Predict):
            self._photos.accept(client, message_id, frames)
            return
        elif isinstance(request, Cancel):
            self._photos.cancel(client, request.job)
        elif isinstance(request, UploadScene):
            self._uploads.accept(client, message_id, request, frames)
            return
        elif isinstance(request, DropScene):
            self._scenes.drop(request.scene)
        elif isinstance(request, Status):
            reply = State(self._report())
        elif isinstance(request, Shutdown):
            if key != self._listener.own_client_key:
                raise ImageTo3DError(ErrorCode.UNAUTHORISED, "backend.stop_not_allowed")
            self._stopping = True
        else:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.not_for_control_socket", type=request.TYPE)
        self._control.reply(client, message_id, reply)

    def _handle_preview(self, client: bytes, message_id: int, request: Message, frames: Sequence[Any]) -> None:
        if isinstance(request, Hello):
            self._frames.reply(client, message_id, self._greet(client, request))
        elif isinstance(request, Render):
            self._pictures.accept(client, message_id, request, frames)
        else:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.not_for_frame_socket", type=request.TYPE)

    def _greet(self, client: bytes, hello: Hello) -> Welcome:
        if hello.shares_files:
            self._sharers.add(client)
        return Welcome(
            server_version=__version__,
            protocol_version=PROTOCOL_VERSION,
            device=self._inference.facts.get("device", ""),
            memory_bytes=self._inference.facts.get("memory", 0),
            frames_port=self._listener.frames_port,
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
        running = self._photos.running
        return {
            "version": __version__,
            "protocol": PROTOCOL_VERSION,
            "pid": os.getpid(),
            "address": self.endpoint.control,
            "frames_port": self._listener.frames_port,
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
            "clients": self._listener.connected,
            "running": None if running is None else {"stage": running.stage, "fraction": running.fraction},
            "waiting": self._photos.waiting,
            "scenes": {"count": len(self._scenes), "bytes": self._scenes.bytes},
        }

    # --- workers --------------------------------------------------------------------------------------------------------

    def _on_worker_event(self, parts: list[bytes]) -> None:
        name, generation, kind, frames = parts[0].decode(), int(parts[1]), parts[2], parts[3:]
        worker = self._inference if name == self._inference.name else self._rendering
        work: PhotoJobs | Pictures = self._photos if worker is self._inference else self._pictures
        if generation != worker.generation:
            return
        try:
            self._on_event_of(worker, work, kind, frames)
            self._photos.run_next()
            self._pictures.draw_next()
        except Exception:  # whatever is wrong with one event, the others must be heard
            log.exception("an event of the %s worker failed", name)

    def _on_event_of(self, worker: WorkerProcess, work: PhotoJobs | Pictures, kind: bytes, frames: list[bytes]) -> None:
        if kind == DEAD:
            worker.on_death()
            work.on_death()
            worker.restart_if_due()
        elif kind == MessageKind.READY.value:
            worker.on_ready(frames[0])
        elif kind == MessageKind.FACTS.value:
            worker.on_facts(frames[0])
        elif kind == MessageKind.LOG.value:
            log.log(int(frames[0]), "%s worker: %s", worker.name, frames[1].decode("utf-8", "replace"))
        elif kind == MessageKind.PROGRESS.value:
            self._photos.on_progress(*split_key(frames))
        else:
            if kind == MessageKind.FINAL.value:
                worker.on_final_reply()
            key, (header,) = split_key(frames)
            work.on_reply(key, header)
