"""The conversation with the backend: one job at a time, never a wait on Blender's main thread.

Work is split in three. The main thread takes what it needs from bpy and submits. The client's thread reads files, starts the
backend, talks to it and turns its answer into arrays in Blender's frame. :meth:`Session.pump`, called on the main thread by a
timer (or by a test, because timers do not run in the bpy module), moves progress to the panel and builds the scene.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import Cancelled, ErrorCode, ImageTo3DError, blender_points, blender_surface
from image_to_3d.protocol import ClientThread, ConnectionLost, Endpoint, Event
from image_to_3d.protocol.messages import (
    Message,
    Predict,
    ProgressReport,
    Result,
    Shutdown,
    Status,
    Welcome,
    bytes_blob,
)
from image_to_3d.protocol.schema import SchemaError

from . import photo_source, preferences, properties, translations
from .backend_process import BackendProcess, BackendSettings, running
from .background import Background
from .photo_source import PhotoSource
from .scene import build

TICK_SECONDS = 0.05
_STAGES = {
    "read": n_("Reading the photo"),
    "start": n_("Starting the backend"),
    "connect": n_("Connecting"),
    "decode": n_("Decoding the photo"),
    "preprocess": n_("Preparing the photo"),
    "network": n_("Running the network"),
    "postprocess": n_("Making Gaussians"),
    "lift": n_("Lifting pixels to their depth"),
    "pack": n_("Sending the result"),
    "waiting": n_("Waiting for other jobs"),
    "build": n_("Ready: leave the current mode to see it"),
}


def stage_text(stage: str) -> str:
    """Words for a stage; unknown ones speak for themselves."""
    return iface_(_STAGES.get(stage, stage.capitalize()))


@dataclass(frozen=True, eq=False)
class Arrival:
    """A finished job, made ready on the client's thread.

    Attributes:
        result: as the backend sent it.
        points: in the Blender frame.
        surface: in the Blender frame, or None.
    """

    result: Result
    points: blender_points.BlenderPoints
    surface: blender_surface.BlenderSurface | None


@dataclass(eq=False)
class Job:
    """A photo on its way.

    Attributes:
        recipe: stored values of the recipe it was started with.
        scene: name of the scene it goes to.
        metres_per_unit: of that scene when it was started.
        source: the photo.
        root: name of the root whose objects get the result; empty: new objects are made.
        stage, fraction: latest progress.
        given_up: set when the person cancels; read by the client's thread.
        arrival: set when it is ready to be built.
    """

    recipe: dict[str, Any]
    scene: str
    metres_per_unit: float
    source: PhotoSource
    root: str = ""
    ticket: int = 0
    stage: str = "read"
    fraction: float = 0.0
    started: float = field(default_factory=time.monotonic)
    given_up: threading.Event = field(default_factory=threading.Event)
    arrival: Arrival | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the button was pressed."""
        return time.monotonic() - self.started

    def request(self, message: dict[str, Any], depth_path: str) -> Predict:
        """The message to the backend. Client's thread."""
        fields = {**message, **self.source.fields()}
        if depth_path:
            path = Path(depth_path)
            fields |= {
                "depth_name": path.name,
                "depth_file": bytes_blob(photo_source.read_bytes(path, n_("depth file"))),
            }
        self.stage = "connect"
        return Predict(**fields)

    def prepare(self, reply: Message) -> Arrival:
        """Everything about the answer that costs time. Client's thread."""
        if not isinstance(reply, Result):
            raise ConnectionLost("The backend gave an unexpected answer.", "Update the add-on and the backend.")
        try:
            cloud = reply.to_cloud()
        except SchemaError as error:
            raise ImageTo3DError(ErrorCode.INTERNAL, str(error), "Update the add-on and the backend.") from None
        if not len(cloud):
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "The photo gave no points.", "Try another photo or engine.")
        if cloud.intrinsics is None:
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "The backend sent no camera.", "Update the backend.")
        if self.given_up.is_set():
            raise Cancelled
        points = blender_points.from_cloud(cloud, self.metres_per_unit)
        vertices = self.recipe["surface_vertices"]
        if not vertices:
            return Arrival(reply, points, None)
        return Arrival(reply, points, blender_surface.from_cloud(cloud, self.metres_per_unit, max(4, vertices)))


class Session:
    """The add-on's state outside the .blend file. Main thread, except where said.

    Attributes:
        job: the photo on its way, or None.
        failure: why the last job or test failed, or None.
        welcome: what the backend said it is, or None while not connected.
        status: report of the backend after *Test Connection*.
        last_root: name of the root of the last result.
        background: files being read or written.
    """

    def __init__(self) -> None:
        self.job: Job | None = None
        self.failure: ImageTo3DError | None = None
        self.welcome: Welcome | None = None
        self.status: dict[str, Any] | None = None
        self.last_root = ""
        self.background = Background()
        self._backend = BackendProcess()
        self._client: ClientThread | None = None
        self._settings = BackendSettings()
        self._closing = threading.Event()
        self._asking: set[int] = set()
        self._callbacks: dict[int, Callable[[Event], None]] = {}
        self._connecting: Job | None = None  # touched by the client's thread only

    @property
    def busy(self) -> bool:
        """True while something is under way that :meth:`pump` has to carry on."""
        return self.job is not None or bool(self._asking) or bool(self._callbacks) or self.background.busy

    def generate(self, context: bpy.types.Context, recipe: properties.Recipe, root: str = "") -> Job:
        """Start a photo on its way to the scene of ``context``; returns at once.

        Args:
            context: where the button was pressed.
            recipe: what to make.
            root: name of a root whose objects are to get the result; empty: new objects are made.

        Raises:
            ImageTo3DError: ``busy``, or the recipe names no photo.
        """
        if self.job is not None:
            raise ImageTo3DError(ErrorCode.BUSY, "A photo is already being processed.", "Wait for it or cancel it.")
        scene = context.scene
        job = Job(
            recipe=properties.values(recipe),
            scene=scene.name,
            metres_per_unit=scene.unit_settings.scale_length,
            source=photo_source.from_recipe(recipe),
            root=root,
        )
        message = {
            "engine": recipe.engine if recipe.engine != "auto" else preferences.get(context).engine,
            "mm35": recipe.mm35 if recipe.focal == "MM35" else None,
            "fov_deg": math.degrees(recipe.fov) if recipe.focal == "FOV" else None,
            "resize_depth": recipe.resize_depth,
            "depth_max": recipe.depth_max or None,
            "max_gaussians": properties.MAX_GAUSSIANS[recipe.density],
            "mask": photo_source.mask_of(recipe.mask) if recipe.mask is not None else None,
        }
        depth_path = bpy.path.abspath(recipe.depth_path) if recipe.depth_path else ""
        client = self._thread(context)
        self.failure = None
        self.job = job
        job.ticket = client.submit(lambda: self._request(job, message, depth_path), job.prepare)
        return job

    def cancel(self) -> None:
        """Give the running job up. The panel is free at once; the backend stops as soon as it can."""
        if self.job is None:
            return
        self.job.given_up.set()
        if self._client is not None:
            self._client.cancel(self.job.ticket)
        self.job = None

    def test_connection(self, context: bpy.types.Context) -> None:
        """Ask the backend what it is, starting it if need be; the answer comes through :meth:`pump`."""
        self.failure, self.status = None, None
        self._asking.add(self._thread(context).submit(Status()))

    def stop_backend(self, context: bpy.types.Context) -> None:
        """Stop the backend of this account if it runs."""
        self._asking.add(self._thread(context).submit(Shutdown()))

    def ask(
        self, context: bpy.types.Context, request: Message | Callable[[], Message], done: Callable[[Event], None]
    ) -> None:
        """Send a request of another part of the add-on, starting the backend if need be.

        Args:
            context: for the settings.
            request: a message, or a function that makes it away from the main thread.
            done: called by :meth:`pump` with the last reply or the error.

        Raises:
            ImageTo3DError: the settings are wrong.
        """
        ticket = self._thread(context).submit(request)
        self._callbacks[ticket] = done

    @staticmethod
    def running_backend(context: bpy.types.Context) -> Callable[[], Endpoint]:
        """A function, for other threads, that says where the backend of the present settings listens; it starts none.

        Raises:
            ImageTo3DError: the settings are wrong. The returned function raises it too, ``ConnectionLost`` included.
        """
        settings = _backend_settings(context)
        return lambda: running(settings)

    def pump(self) -> bool:
        """Handle what has arrived. Main thread; never waits.

        Returns:
            True while there is more to come.
        """
        if self._client is not None:
            for event in self._client.poll():
                self._handle(event)
        if bpy.context.mode == "OBJECT":
            if self.job is not None and self.job.arrival is not None:
                self._build(self.job, self.job.arrival)
            self.failure = self.background.pump() or self.failure
        return self.busy

    def wait(self, timeout: float) -> None:
        """Pump until nothing is under way: for scripts, which have no timers.

        Raises:
            ImageTo3DError: what went wrong.
            TimeoutError: it took longer than ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while self.pump():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still busy after {timeout:g} seconds")
            time.sleep(0.005)
        if self.failure is not None:
            raise self.failure

    def forget_job(self) -> None:
        """Drop the running job and its result: the file it was for is gone."""
        self.cancel()
        self.background.forget()
        self.last_root = ""

    def close(self) -> None:
        """Stop the client's thread. A backend that was started lives on until it is idle for long enough."""
        self.forget_job()
        self._closing.set()
        self.background.close()
        if self._client is not None:
            self._client.close()
            self._client = None
        self._asking.clear()
        self._callbacks.clear()

    def _give_up_callbacks(self) -> None:
        waiting, self._callbacks = self._callbacks, {}
        for ticket, done in waiting.items():
            done(Event(ticket, error=ConnectionLost("The connection settings have changed.", "It is tried again.")))

    def _thread(self, context: bpy.types.Context) -> ClientThread:
        """The client for the settings as they are now."""
        wanted = _backend_settings(context)
        if self._client is not None and wanted != self._settings:
            self._client.close()
            self._client, self.welcome = None, None
            self._asking.clear()
            self._give_up_callbacks()
        if self._client is None:
            self._settings = wanted
            self._client = ClientThread(self._find)
        return self._client

    def _request(self, job: Job, message: dict[str, Any], depth_path: str) -> Predict:
        """Client's thread."""
        self._connecting = job
        return job.request(message, depth_path)

    def _find(self) -> Endpoint:
        """Client's thread."""
        job = self._connecting

        def on_start() -> None:
            if job is not None:
                job.stage = "start"

        def given_up() -> bool:
            return self._closing.is_set() or (job is not None and job.given_up.is_set())

        return self._backend.find(self._settings, on_start, given_up)

    def _handle(self, event: Event) -> None:
        if event.welcome is not None:
            self.welcome = event.welcome
        job = self.job
        if event.ticket == 0:
            if event.error is not None:
                self.welcome = None
        elif job is not None and event.ticket == job.ticket:
            self._handle_job(job, event)
        elif event.ticket in self._callbacks:
            self._callbacks.pop(event.ticket)(event)
        elif event.ticket in self._asking:
            self._asking.discard(event.ticket)
            self.failure = event.error
            self.status = getattr(event.reply, "report", None)

    def _handle_job(self, job: Job, event: Event) -> None:
        if event.error is not None:
            self.job = None
            self.failure = None if event.error.code == ErrorCode.CANCELLED else event.error
        elif isinstance(event.reply, ProgressReport):
            job.stage, job.fraction = event.reply.stage, event.reply.fraction
        elif isinstance(event.prepared, Arrival):
            job.stage, job.fraction, job.arrival = "build", 1.0, event.prepared

    def _build(self, job: Job, arrival: Arrival) -> None:
        self.job = None
        scene = bpy.data.scenes.get(job.scene) or bpy.context.scene
        root = scene.objects.get(job.root) if job.root else None
        arguments = (arrival.points, arrival.surface, arrival.result, job.recipe, job.source, job.elapsed)
        try:
            built = build.build(scene, *arguments) if root is None else build.rebuild(scene, root, *arguments)
        except ImageTo3DError as error:
            self.failure = error
            return
        self.last_root = built.root.name
        bpy.ops.ed.undo_push(message="Image to 3D" if root is None else "Update Image to 3D")


def _backend_settings(context: bpy.types.Context) -> BackendSettings:
    chosen = preferences.get(context)
    remote = chosen.location == "REMOTE"
    if remote and not chosen.address.strip():
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "The address of the other computer is missing.",
            "Write it in the extension's preferences, or choose this computer.",
        )
    return BackendSettings(
        command="" if remote else chosen.command,
        idle_minutes=chosen.idle_minutes,
        address=chosen.address.strip() if remote else "",
        server_key=chosen.server_key.strip() if remote else "",
        online_access=bpy.app.online_access,
    )


_session: Session | None = None


def current() -> Session:
    """The session of the registered extension."""
    assert _session is not None, "the extension is not registered"
    return _session


def refuse(operator: bpy.types.Operator, error: ImageTo3DError) -> set[str]:
    """Say in the panel and in the status bar why an operator did nothing; what its ``execute`` returns then."""
    current().failure = error
    operator.report({"WARNING"}, " ".join(translations.sentence(text) for text in (error.message, error.hint) if text))
    return {"CANCELLED"}


def shown_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The root of the active object, else of the last result."""
    return properties.root_of(context.object) or properties.root_of(context.scene.objects.get(current().last_root))


def start_timer() -> None:
    """Have :meth:`Session.pump` called until nothing is under way."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)


def _tick() -> float | None:
    if _session is None:
        return None
    busy = _session.pump()
    redraw()
    return TICK_SECONDS if busy else None


def redraw() -> None:
    """Have the panels drawn anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "PREFERENCES", "IMAGE_EDITOR"}:
                area.tag_redraw()


@persistent
def _on_load(*_: Any) -> None:
    if _session is not None:
        _session.forget_job()


def register() -> None:
    """Make the session; the client's thread starts with the first request."""
    global _session
    _session = Session()
    bpy.app.handlers.load_pre.append(_on_load)


def unregister() -> None:
    """Stop timer, handler and thread."""
    global _session
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _on_load in bpy.app.handlers.load_pre:
        bpy.app.handlers.load_pre.remove(_on_load)
    if _session is not None:
        _session.close()
        _session = None
