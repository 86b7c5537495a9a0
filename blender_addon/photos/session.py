"""The conversation with the backend: one job at a time, never a wait on Blender's main thread.

Work is split in three. The main thread takes what it needs from bpy and submits. The client's thread reads files, starts the
backend, talks to it and turns its answer into arrays in Blender's frame. :meth:`Session.pump`, called on the main thread by a
timer (or by a test, because timers do not run in the bpy module), moves progress to the panel and builds the scene.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.protocol import ClientThread, ConnectionLost, Endpoint, Event
from image_to_3d.protocol.messages import Message, Predict, ProgressReport, Shutdown, Status, Welcome

from .. import preferences, translations
from ..backend import installation
from ..backend.process import BackendProcess, BackendSettings, SettingsError, running, stop_running
from ..runtime.background import Background
from ..runtime.main_thread import Steps, Stepwise
from ..scene import build, draft, photo_source
from ..scene import recipe as recipes
from ..scene.properties import Recipe
from ..scene.recipe import RecipeValues
from ..scene.roles import root_of
from . import depth_images, update_hooks
from .job import Arrival, DepthMapJob, HeatMapArrival, Job

TICK_SECONDS = 0.05
IDLE_SECONDS = 1.0
READY_SECONDS = 60.0


@dataclass(frozen=True)
class RunningBackend:
    """Says where the backend of some settings listens. Equal for equal settings.

    Attributes:
        settings: of the connection.
    """

    settings: BackendSettings

    def __call__(self) -> Endpoint:
        """Any thread. Raises ImageTo3DError, ``ConnectionLost`` if none runs."""
        return running(self.settings)


class Session:
    """The add-on's state outside the .blend file. Main thread, except where said.

    Attributes:
        job: the photo on its way, or None.
        waiting: photos behind it, in order.
        failed: photos that failed since the queue was last empty.
        several: whether photos have waited behind another since then.
        failure: why the last job or test failed, or None.
        notice: what was done and cannot be seen in the scene, in words; empty once something else is begun.
        welcome: what the backend said it is, or None while not connected.
        status: report of the backend after *Test Connection*.
        last_root: name of the root of the last result.
        background: files being read or written.
        stepwise: what is being put into the scene.
    """

    def __init__(self) -> None:
        self.job: Job | None = None
        self.waiting: list[Job] = []
        self.failed: list[Job] = []
        self.several = False
        self.failure: ImageTo3DError | None = None
        self.notice = ""
        self.welcome: Welcome | None = None
        self.status: dict[str, Any] | None = None
        self.last_root = ""
        self.background = Background()
        self.stepwise = Stepwise()
        self._backend = BackendProcess()
        self._client: ClientThread | None = None
        self._tickets = itertools.count(1)
        self._settings = BackendSettings()
        self._closing = threading.Event()
        self._callbacks: dict[int, Callable[[Event], None]] = {}
        self._connecting: Job | None = None  # touched by the client's thread only

    @property
    def busy(self) -> bool:
        """True while something is under way that :meth:`pump` has to carry on."""
        return self.asking or self.background.busy or self.stepwise.busy

    @property
    def asking(self) -> bool:
        """True while something is wanted of the backend."""
        return self.job is not None or bool(self.waiting) or bool(self._callbacks)

    def generate(self, context: bpy.types.Context, recipe: Recipe, root: str = "", photo: Path | None = None) -> Job:
        """Start a photo on its way to the scene of ``context``, or queue it behind the one under way; returns at once.

        Args:
            context: where the button was pressed.
            recipe: what to make.
            root: name of a root whose objects are to get the result; empty: new objects are made.
            photo: a file to take in place of the recipe's photo. Depth file and mask of the recipe are not used then.

        Raises:
            ImageTo3DError: the recipe names no photo, or the settings of the backend are wrong.
        """
        stored = recipes.values(recipe)
        if photo is not None:
            stored = stored.of_file(photo)
        scene = context.scene
        job = Job(
            recipe=stored,
            scene=scene.name,
            metres_per_unit=scene.unit_settings.scale_length,
            source=photo_source.from_stored(stored),
            fields=_request_fields(context, stored),
            depth_path=bpy.path.abspath(stored.depth_path) if stored.depth_path else "",
            root=bpy.data.objects[root].session_uid if root else 0,
        )
        self._add(job)
        return job

    def depth_map(self, context: bpy.types.Context, recipe: Recipe) -> Job:
        """Queue a photo whose depth is wanted as an image; returns at once.

        Raises:
            ImageTo3DError: the recipe names no photo, or the settings of the backend are wrong.
        """
        stored = recipes.values(recipe)
        # The picture is of all that the engine sees, in full detail.
        fields = _request_fields(context, stored) | {
            "fill": False,
            "depth_max": None,
            "max_gaussians": None,
            "mask": None,
        }
        job = DepthMapJob(
            recipe=stored,
            scene=context.scene.name,
            metres_per_unit=context.scene.unit_settings.scale_length,
            source=photo_source.from_stored(stored),
            fields=fields,
            depth_path=bpy.path.abspath(stored.depth_path) if stored.depth_path else "",
        )
        self._add(job)
        return job

    def _add(self, job: Job) -> None:
        if self.job is None and not self.waiting:
            self.failed.clear()
            self.several = False
        self._queue(job)

    def _queue(self, job: Job) -> None:
        if self.job is not None or self.waiting:
            self.waiting.append(job)
            self.several = True
            return
        self.failure, self.notice = None, ""
        self._start(job)

    def _start(self, job: Job) -> None:
        client = self._thread(bpy.context)
        self.job = job
        job.stage, job.started = "read", time.monotonic()
        root = job.find_root(bpy.data.objects)
        job.measured = update_hooks.measured_of(root) if root is not None else None
        job.ticket = client.submit(lambda: self._request(job), job.prepare)

    def _start_next(self) -> None:
        """Carry on with the queue once its head is done."""
        while self.job is None and self.waiting:
            job = self.waiting.pop(0)
            try:
                self._start(job)
            except ImageTo3DError as error:
                self._fail(job, error)

    def _fail(self, job: Job, error: ImageTo3DError) -> None:
        job.failure = self.failure = error
        self.failed.append(job)

    def cancel(self) -> None:
        """Give the running job up; the next of the queue takes its place. The backend stops as soon as it can."""
        if self.job is None:
            return
        self.job.given_up.set()
        self.stepwise.drop(self.job.work)
        if self._client is not None:
            self._client.cancel(self.job.ticket)
        self.job = None

    def cancel_all(self) -> None:
        """Give the running job and the queue up."""
        self.waiting.clear()
        self.cancel()

    def remove(self, number: int) -> None:
        """Take a job out, whether it runs, waits or has failed."""
        if self.job is not None and self.job.number == number:
            self.cancel()
        self.waiting = [job for job in self.waiting if job.number != number]
        self.failed = [job for job in self.failed if job.number != number]

    def retry(self, number: int) -> None:
        """Queue a failed job again, as it was.

        Raises:
            ImageTo3DError: the settings of the backend are wrong.
        """
        job = next((job for job in self.failed if job.number == number), None)
        if job is not None:
            self._queue(job.anew())
            self.failed.remove(job)

    def test_connection(self, context: bpy.types.Context) -> None:
        """Ask the backend what it is, starting it if need be; the answer comes through :meth:`pump`.

        One that has just started is asked until it knows what it computes on.
        """
        self.failure, self.status = None, None
        self._ask_state(context, time.monotonic() + READY_SECONDS)

    def _ask_state(self, context: bpy.types.Context, deadline: float, pause: float = 0.0) -> None:
        def request() -> Message:  # on the client's thread, which has nothing better to do for so long
            time.sleep(pause)
            return Status()

        def done(event: Event) -> None:
            self.failure = event.error
            self.status = getattr(event.reply, "report", None)
            workers = (self.status or {}).get("workers", {})
            if (
                self.status is not None
                and not workers.get("inference", {}).get("ready")
                and time.monotonic() < deadline
            ):
                self._ask_state(bpy.context, deadline, 0.2)

        self.ask(context, request, done)

    def restart_backend(self, context: bpy.types.Context) -> None:
        """Stop the backend of this account, however it stands, and start it again; the answer comes through :meth:`pump`."""
        self.forget_backend()
        self.failure = None

        def request() -> Message:
            stop_running()
            return Status()

        def done(event: Event) -> None:
            if event.error is not None:
                self.failure = event.error
            else:
                self.test_connection(bpy.context)

        self.ask(context, request, done)

    def forget_backend(self) -> None:
        """Drop the connection and what is known of the other side: another backend is about to take its place.

        It does the running job from the beginning, before those that wait.
        """
        job = self.job
        if job is not None and job.arrival is None:
            self.cancel()
            self.waiting.insert(0, job.anew())
        self.welcome = self.status = None
        if self._client is not None:
            self._client.close()
            self._client = None
        self._give_up_callbacks()

    def stop_backend(self, context: bpy.types.Context) -> None:
        """Stop the backend of this account if it runs."""

        def done(event: Event) -> None:
            if event.error is not None:
                self.failure = event.error
            else:
                self.cancel_all()
                self.forget_backend()

        self.ask(context, Shutdown(), done)

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
        make = request if callable(request) else lambda: request

        def plain() -> Message:
            self._connecting = None  # a photo that was given up is no reason to give this up
            return make()

        ticket = self._thread(context).submit(plain)
        self._callbacks[ticket] = done

    @staticmethod
    def running_backend(context: bpy.types.Context) -> RunningBackend:
        """A function, for other threads, that says where the backend of the present settings listens; it starts none.

        Raises:
            ImageTo3DError: the settings are wrong. The returned function raises it too, ``ConnectionLost`` included.
        """
        return RunningBackend(backend_settings(context))

    def found_backend(self, context: bpy.types.Context) -> Callable[[Callable[[], bool]], Endpoint]:
        """A function, for threads that may wait, that finds the backend of the present settings or starts it.

        It takes a function that is asked often whether to give up.

        Raises:
            ImageTo3DError: the settings are wrong. The returned function raises it too, and ``Cancelled``.
        """
        settings, backend, closing = backend_settings(context), self._backend, self._closing
        return lambda given_up: backend.find(settings, lambda: None, lambda: closing.is_set() or given_up())

    def pump(self) -> bool:
        """Handle what has arrived. Main thread; never waits.

        Returns:
            True while there is more to come.
        """
        if self._client is not None:
            for event in self._client.poll():
                self._handle(event)
        if bpy.context.mode == "OBJECT":
            self.failure = self.background.pump() or self.failure
            job = self.job
            if job is not None and job.arrival is not None and job.work is None:
                arrival = job.arrival
                job.work = self.stepwise.run(
                    lambda: self._build_in_steps(job, arrival), lambda error: self._give_up(job, error)
                )
            self.stepwise.pump()
        self._start_next()
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
        """Drop the running job, its result and the queue: the file they were for is gone."""
        self.cancel_all()
        self.failed.clear()
        self.notice = ""
        self.background.forget()
        self.stepwise.drop_all()
        self.last_root = ""

    def close(self) -> None:
        """Stop the client's thread. A backend that was started lives on until it is idle for long enough."""
        self.forget_job()
        self._closing.set()
        self.background.close()
        if self._client is not None:
            self._client.close()
            self._client = None
        self._callbacks.clear()

    def _give_up_callbacks(self) -> None:
        waiting, self._callbacks = self._callbacks, {}
        for ticket, done in waiting.items():
            done(Event(ticket, error=ConnectionLost("The connection settings have changed.", "It is tried again.")))

    def _thread(self, context: bpy.types.Context) -> ClientThread:
        """The client for the settings as they are now."""
        wanted = backend_settings(context)
        if self._client is not None and wanted != self._settings:
            self.forget_backend()
        if self._client is None:
            self._settings = wanted
            self._client = ClientThread(self._find, self._tickets)
        return self._client

    def _request(self, job: Job) -> Predict:
        """Client's thread."""
        self._connecting = job
        return job.request()

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
                self.welcome = self.status = None
        elif job is not None and event.ticket == job.ticket:
            self._handle_job(job, event)
        elif event.ticket in self._callbacks:
            self._callbacks.pop(event.ticket)(event)

    def _handle_job(self, job: Job, event: Event) -> None:
        if event.error is not None:
            self.job = None
            if event.error.code != ErrorCode.CANCELLED:
                self._fail(job, event.error)
        elif isinstance(event.reply, ProgressReport):
            job.stage, job.fraction = event.reply.stage, event.reply.fraction
        elif isinstance(event.prepared, (Arrival, HeatMapArrival)):
            job.stage, job.fraction, job.arrival = "build", 1.0, event.prepared

    def _build_in_steps(self, job: Job, arrival: Arrival | HeatMapArrival) -> Steps:
        if isinstance(arrival, HeatMapArrival):
            depth_images.show(arrival)
            self.job = None
            bpy.ops.ed.undo_push(message="Depth Map")
            return
        drafted = yield from draft.in_steps(arrival.photo)
        scene = bpy.data.scenes.get(job.scene) or bpy.context.scene
        root = job.find_root(scene.objects)
        built = build.place(scene, replace(arrival.photo, seconds=job.elapsed), drafted, root)
        update_hooks.tell(scene, built.root, arrival.reapplied, updated=root is not None)
        self.last_root = built.root.name
        self.job = None
        yield
        bpy.ops.ed.undo_push(message="Image to 3D" if root is None else "Update Image to 3D")

    def _give_up(self, job: Job, error: ImageTo3DError) -> None:
        if self.job is job:  # else it was in the scene already, and the next has begun
            self.job = None
        self._fail(job, error)


def _request_fields(context: bpy.types.Context, stored: RecipeValues) -> dict[str, Any]:
    """What a recipe asks of the backend."""
    mask = recipes.image_named(stored.mask)
    return {
        "engine": stored.engine if stored.engine != "auto" else preferences.get(context).engine,
        "mm35": stored.mm35 if stored.focal == "MM35" else None,
        "fov_deg": math.degrees(stored.fov) if stored.focal == "FOV" else None,
        "resize_depth": stored.resize_depth,
        "depth_max": stored.depth_max or None,
        "max_gaussians": recipes.MAX_GAUSSIANS[stored.density],
        "fill": stored.fill,
        "mask": photo_source.mask_of(mask) if mask is not None else None,
    }


def backend_settings(context: bpy.types.Context) -> BackendSettings:
    """Where the backend is, by the preferences.

    Raises:
        SettingsError: they are not complete.
    """
    chosen = preferences.get(context)
    if chosen.location == "REMOTE":
        if not chosen.address.strip():
            raise SettingsError(
                "The address of the other computer is missing.",
                "Write it in the extension's preferences, or choose this computer.",
            )
        return BackendSettings(
            idle_minutes=chosen.idle_minutes,
            address=chosen.address.strip(),
            server_key=chosen.server_key.strip(),
            online_access=bpy.app.online_access,
        )
    private = installation.found()
    return BackendSettings(
        command=chosen.command,
        idle_minutes=chosen.idle_minutes,
        private=tuple(private.command) if private is not None else (),
        private_state=installation.state(),
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
    return root_of(context.object) or root_of(context.scene.objects.get(current().last_root))


def start_timer() -> None:
    """Have :meth:`Session.pump` called until nothing is under way."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, persistent=True)


def _tick() -> float | None:
    if _session is None:
        return None
    before = (_session.busy, _session.welcome)
    busy = _session.pump()
    if busy or before != (busy, _session.welcome):
        redraw()
    if _session.stepwise.busy and bpy.context.mode == "OBJECT":
        return 0.0  # after the window has had its turn
    if busy:
        return TICK_SECONDS
    # A backend that goes is noticed while nothing is asked.
    return IDLE_SECONDS if _session.welcome is not None else None


def redraw() -> None:
    """Have the panels drawn anew, not the viewports beside them: a million points take their time."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            elif area.type in {"VIEW_3D", "IMAGE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


@persistent
def _on_load(*_: Any) -> None:
    if _session is not None:
        _session.forget_job()


@persistent
def _before_undo(*_: Any) -> None:
    if _session is not None:
        _session.stepwise.start_over()


HANDLERS = (
    ("load_pre", _on_load),
    ("undo_pre", _before_undo),
    ("redo_pre", _before_undo),
)


def on_register() -> None:
    """Make the session; the client's thread starts with the first request."""
    global _session
    _session = Session()


def on_unregister() -> None:
    """Stop timer and thread."""
    global _session
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _session is not None:
        _session.close()
        _session = None
