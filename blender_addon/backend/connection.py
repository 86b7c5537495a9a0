"""The conversation with the backend: it is found or started, asked, and never waited for on Blender's main thread.

Requests are made and sent on the client's thread. Their answers come back through the pump.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bpy

from image_to_3d.protocol import ClientThread, ConnectionLost, Endpoint, Event
from image_to_3d.protocol.messages import Message, ProgressReport, Shutdown, Status, Welcome

from ..runtime.notices import Notices
from ..runtime.objects import of
from ..runtime.pump import Pump
from ..ui import reporting
from . import installation, settings
from .process import BackendProcess, BackendSettings, SettingsError, running, stop_running

TICK_SECONDS = 0.05
IDLE_SECONDS = 1.0
"""Between two looks while nothing is asked: a backend that goes is noticed then."""
READY_SECONDS = 60.0
LEAVE_SECONDS = 2.0
"""What the client's thread may take when the extension is switched off; while it is on, nobody waits for it."""
SOURCE = "backend"
"""Of the notices about it."""


def backend_settings(context: bpy.types.Context) -> BackendSettings:
    """Where the backend is, by the preferences.

    Raises:
        SettingsError: they are not complete.
    """
    chosen = settings.get(context)
    if chosen.location == "REMOTE":
        if not chosen.address.strip():
            raise SettingsError("backend.address_missing")
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


def running_backend(context: bpy.types.Context) -> RunningBackend:
    """A function, for other threads, that says where the backend of the present settings listens; it starts none.

    Raises:
        ImageTo3DError: the settings are wrong. The returned function raises it too, ``ConnectionLost`` included.
    """
    return RunningBackend(backend_settings(context))


@dataclass(eq=False)
class Asker:
    """Who makes a request, as far as finding or starting a backend for it concerns.

    Attributes:
        on_start: called when a backend is being started. Client's thread.
        given_up: whether nobody wants the answer any more. Client's thread.
    """

    on_start: Callable[[], None] = lambda: None
    given_up: Callable[[], bool] = lambda: False


_ANYBODY = Asker()


@dataclass(frozen=True, eq=False)
class _Answer:
    hear: Callable[[Event], None]
    prepared: bool

    def is_last(self, event: Event) -> bool:
        if event.error is not None:
            return True
        return event.prepared is not None if self.prepared else not isinstance(event.reply, ProgressReport)


@dataclass(eq=False)
class _Line:
    """A client's thread with the settings that it was made for; the next one shares nothing with it but the numbers."""

    settings: BackendSettings
    process: BackendProcess
    closing: threading.Event = field(default_factory=threading.Event)
    asker: Asker = _ANYBODY  # touched by the client's thread only

    def find(self) -> Endpoint:
        """Client's thread."""
        asker = self.asker
        return self.process.find(self.settings, asker.on_start, lambda: self.closing.is_set() or asker.given_up())


class Connection:
    """To the backend of the preferences. Main thread, except where said.

    Attributes:
        welcome: what the backend said it is, or None while not connected.
        status: report of the backend after *Test Connection*.
        on_change: called before the backend goes, for those whose requests are under way; with True where another takes its
            place, which may be asked again.
    """

    def __init__(self) -> None:
        self.welcome: Welcome | None = None
        self.status: dict[str, Any] | None = None
        self.on_change: list[Callable[[bool], None]] = []
        self._client: ClientThread | None = None
        self._line: _Line | None = None
        self._process = BackendProcess()
        self._tickets = itertools.count(1)
        self._answers: dict[int, _Answer] = {}
        of(Pump).add(self.tick, lambda: self.asking)

    @property
    def asking(self) -> bool:
        """True while something is wanted of the backend."""
        return bool(self._answers)

    def submit(
        self,
        context: bpy.types.Context,
        request: Message | Callable[[], Message],
        answer: Callable[[Event], None],
        prepare: Callable[[Message], Any] | None = None,
        asker: Asker = _ANYBODY,
    ) -> int:
        """Send a request, starting the backend if need be; returns at once, with a ticket for :meth:`cancel`.

        Args:
            context: for the settings.
            request: a message, or a function that makes it on the client's thread.
            answer: called by the pump with every report of progress, and at last with the reply or the error.
            prepare: what is to be done with the reply on the client's thread.
            asker: see there.

        Raises:
            ImageTo3DError: the settings are wrong.
        """
        client, line = self._client_for(context)

        def make() -> Message:
            line.asker = asker
            return request() if callable(request) else request

        ticket = client.submit(make, prepare)
        self._answers[ticket] = _Answer(answer, prepare is not None)
        of(Pump).wake(self.tick)
        return ticket

    def cancel(self, ticket: int) -> None:
        """Nobody wants the answer any more: it is not given, and the backend stops as soon as it can."""
        if self._answers.pop(ticket, None) is not None and self._client is not None:
            self._client.cancel(ticket)

    def test(self, context: bpy.types.Context) -> None:
        """Ask the backend what it is, starting it if need be; one that has just started until it knows what it computes on.

        Raises:
            ImageTo3DError: the settings are wrong.
        """
        of(Notices).begin()
        self.status = None
        self._ask_state(context, time.monotonic() + READY_SECONDS)

    def _ask_state(self, context: bpy.types.Context, deadline: float, pause: float = 0.0) -> None:
        def request() -> Message:  # on the client's thread, which has nothing better to do for so long
            time.sleep(pause)
            return Status()

        def answer(event: Event) -> None:
            if event.error is not None:
                of(Notices).fail(SOURCE, event.error)
            self.status = getattr(event.reply, "report", None)
            workers = (self.status or {}).get("workers", {})
            ready = self.status is None or workers.get("inference", {}).get("ready")
            if not ready and time.monotonic() < deadline:
                self._ask_state(bpy.context, deadline, 0.2)

        self.submit(context, request, answer)

    def restart(self, context: bpy.types.Context) -> None:
        """Stop the backend of this account, however it stands, and start it again.

        Raises:
            ImageTo3DError: the settings are wrong.
        """
        self.forget()
        of(Notices).begin()

        def request() -> Message:
            stop_running()
            return Status()

        def answer(event: Event) -> None:
            if event.error is not None:
                of(Notices).fail(SOURCE, event.error)
            else:
                self.test(bpy.context)

        self.submit(context, request, answer)

    def stop(self, context: bpy.types.Context) -> None:
        """Stop the backend of this account if it runs; what was asked of it is given up.

        Raises:
            ImageTo3DError: the settings are wrong.
        """

        def answer(event: Event) -> None:
            if event.error is not None:
                of(Notices).fail(SOURCE, event.error)
            else:
                self.forget(again=False)

        self.submit(context, Shutdown(), answer)

    def forget(self, again: bool = True) -> None:
        """Drop the connection and what is known of the other side; never waits.

        Args:
            again: another backend is about to take its place.
        """
        for told in list(self.on_change):
            told(again)
        self.welcome = self.status = None
        self._hang_up()
        waiting, self._answers = self._answers, {}
        for ticket, answer in waiting.items():
            answer.hear(Event(ticket, error=ConnectionLost("backend.settings_changed")))

    def finder(self, context: bpy.types.Context) -> Callable[[Callable[[], bool]], Endpoint]:
        """A function, for threads that may wait, that finds the backend of the present settings or starts it.

        It takes a function that is asked often whether to give up.

        Raises:
            ImageTo3DError: the settings are wrong. The returned function raises it too, and ``Cancelled``.
        """
        wanted = backend_settings(context)
        line = self._line if self._line is not None and self._line.settings == wanted else _Line(wanted, self._process)

        def find(given_up: Callable[[], bool]) -> Endpoint:
            return line.process.find(wanted, lambda: None, lambda: line.closing.is_set() or given_up())

        return find

    def tick(self) -> float | None:
        """Hand out what has arrived; never waits."""
        for event in self._client.poll() if self._client is not None else ():
            self._handle(event)
        if self.asking:
            return TICK_SECONDS
        return IDLE_SECONDS if self.welcome is not None else None

    def close(self) -> None:
        """End the client's thread. A backend that was started lives on until it is idle for long enough."""
        self._hang_up(LEAVE_SECONDS)
        self._answers.clear()

    def _hang_up(self, timeout: float = 0.0) -> None:
        if self._line is not None:
            self._line.closing.set()
            self._line = None
        if self._client is not None:
            self._client.close(timeout)
            self._client = None

    def _client_for(self, context: bpy.types.Context) -> tuple[ClientThread, _Line]:
        wanted = backend_settings(context)
        if self._line is not None and wanted != self._line.settings:
            self.forget()
        if self._client is None or self._line is None:
            self._line = _Line(wanted, self._process)
            self._client = ClientThread(self._line.find, self._tickets)
        return self._client, self._line

    def _handle(self, event: Event) -> None:
        if event.welcome is not None:
            self.welcome = event.welcome
            of(Notices).clear(SOURCE)
        if event.ticket == 0:
            if event.error is not None:
                self.welcome = self.status = None
            return
        answer = self._answers.get(event.ticket)
        if answer is None:
            return
        if answer.is_last(event):
            del self._answers[event.ticket]
            if self._line is not None and not self._answers:
                self._line.asker = _ANYBODY  # it holds a photo, which is large
        answer.hear(event)


def _shown() -> object:
    current = of(Connection)
    return current.welcome, current.status, current.asking


def on_register() -> None:
    """Have panels follow what is known of the backend."""
    reporting.WATCHED.append(_shown)
