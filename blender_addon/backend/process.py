"""Find the backend of this account, or start it.

Everything here may run on the client's thread and touches no data of Blender; what it needs from the preferences comes as
plain values.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import Cancelled, ErrorCode, ImageTo3DError
from image_to_3d.paths import log_folder, make_private
from image_to_3d.protocol import Client, ConnectionLost, Endpoint, published
from image_to_3d.protocol.endpoint import process_exists
from image_to_3d.protocol.keys import is_key
from image_to_3d.protocol.messages import Shutdown

COMMAND_VARIABLE = "IMAGE_TO_3D_BACKEND"
EXECUTABLE = "image-to-3d"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
OTHER_SECONDS = 1.0
"""How long another backend that already runs is given to say where it listens."""

Origin = Literal["preference", "variable", "private", "path"]
"""Where a command was found, in the order of the search."""


@dataclass(frozen=True)
class BackendSettings:
    """Where the backend is, as plain values of the preferences.

    Attributes:
        command: that runs it here; empty = look for it.
        idle_minutes: after which one that was started here stops by itself.
        address: host:port of another computer's backend; empty = this computer.
        server_key: public key of the other computer's backend.
        online_access: Blender's permission to use the network.
        private: command of the installation that the extension has made; empty without one that works.
        private_state: of that installation, see :func:`.installer.records.state`.
    """

    command: str = ""
    idle_minutes: int = 30
    address: str = ""
    server_key: str = ""
    online_access: bool = False
    private: tuple[str, ...] = ()
    private_state: str = field(default="missing", compare=False)


class SettingsError(ImageTo3DError):
    """Something in the preferences is wrong."""

    def __init__(self, key: str, /, **values: Any) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, key, **values)


class OfflineError(ImageTo3DError):
    """Blender may not use the network."""

    def __init__(self, key: str, /) -> None:
        super().__init__(ErrorCode.BAD_REQUEST, key)


@dataclass(frozen=True)
class Command:
    """A command line that runs the backend, and where it was found."""

    parts: tuple[str, ...]
    origin: Origin


def find_command(settings: BackendSettings) -> Command:
    """The command line that runs the backend: preference, environment variable, private installation, search path.

    Raises:
        ConnectionLost: there is none (``missing``), or the one that was named cannot be run (``command``).
    """
    named: tuple[tuple[str, str, Origin], ...] = (
        (settings.command.strip(), n_("in the preferences"), "preference"),
        (os.environ.get(COMMAND_VARIABLE, "").strip(), n_("in the variable IMAGE_TO_3D_BACKEND"), "variable"),
    )
    for text, where, origin in named:
        if text:
            parts = [text] if Path(text).is_file() else shlex.split(text, posix=os.name != "nt")
            executable = shutil.which(parts[0].strip('"')) if parts else None
            if executable is None:
                raise ConnectionLost(
                    "backend.command_not_runnable",
                    reason="command",
                    where=where,
                    text=text,
                    hint="Correct it in the extension's preferences."
                    if origin == "preference"
                    else "Correct the variable and start Blender again, or name a command in the extension's preferences.",
                )
            return Command((executable, *parts[1:]), origin)
    if settings.private:
        return Command(settings.private, "private")
    executable = shutil.which(EXECUTABLE)
    if executable is not None:
        return Command((executable,), "path")
    raise _missing(settings.private_state)


def _missing(private_state: str) -> ConnectionLost:
    if private_state == "broken":
        return ConnectionLost("backend.installation_damaged", reason="missing")
    if private_state == "interrupted":
        return ConnectionLost("backend.installation_incomplete", reason="missing")
    return ConnectionLost("backend.not_installed", reason="missing")


class BackendProcess:
    """The backend of this account, whoever started it."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def find(self, settings: BackendSettings, on_start: Callable[[], None], given_up: Callable[[], bool]) -> Endpoint:
        """Where the backend listens; starts it on this computer if it does not run.

        Args:
            settings: see there.
            on_start: called once if a process has to be started.
            given_up: asked often while waiting.

        Raises:
            ConnectionLost: there is none and none can be started.
            ImageTo3DError: the settings are wrong.
            Cancelled: ``given_up`` said True.
        """
        if settings.address:
            return _remote(settings)
        # A child that has ended looks alive until it is asked.
        self._children = [child for child in self._children if child.poll() is None]
        endpoint = published()
        if endpoint is not None and _listens(endpoint):
            return endpoint
        on_start()
        command = list(find_command(settings).parts)
        deadline = time.monotonic() + START_SECONDS
        while True:
            child = _start(command, settings.idle_minutes)
            self._children.append(child)
            found = _wait(child, deadline, given_up)
            if found is not None:
                return found


def running(settings: BackendSettings) -> Endpoint:
    """Where the backend listens that runs already. Any thread.

    Raises:
        ConnectionLost: none runs.
        ImageTo3DError: the settings are wrong.
    """
    if settings.address:
        return _remote(settings)
    endpoint = published()
    if endpoint is None or not _listens(endpoint):
        raise ConnectionLost("backend.not_running", reason="absent")
    return endpoint


def _listens(endpoint: Endpoint) -> bool:
    """False if a crash left the address behind and another process has got the number of the old one."""
    host, port = endpoint.control.removeprefix("tcp://").rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except OSError:
        return False
    return True


def _wait(child: subprocess.Popen[bytes], deadline: float, given_up: Callable[[], bool]) -> Endpoint | None:
    """Where the backend listens; None if it has to be started again, because the one that kept it from running is going."""
    ended = None
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if given_up():
            raise Cancelled
        endpoint = published()
        if endpoint is not None and _listens(endpoint):
            return endpoint
        if child.poll() is None:
            continue
        # One that another Blender starts at this moment makes ours end, and is published a little later; one that has just been
        # stopped makes it end too, and is never published again.
        ended = ended or time.monotonic()
        if "already running" in _last_words():
            if time.monotonic() - ended > OTHER_SECONDS:
                return None
        else:
            last = _last_words()
            if last:
                raise ConnectionLost(
                    "backend.ended_while_starting", reason="start", returncode=child.returncode, last=last
                )
            raise ConnectionLost(
                "backend.ended_silently", reason="start", returncode=child.returncode, log_folder=log_folder()
            )
    raise ConnectionLost(
        "backend.start_timed_out", reason="start", start_seconds=START_SECONDS, log_folder=log_folder()
    )


def stop_running() -> None:
    """Stop the backend of this account, gently if it listens to that. Any thread; returns when it is gone.

    Raises:
        ConnectionLost: it does not go.
    """
    endpoint = published()
    if endpoint is None or not _listens(endpoint):
        return
    with contextlib.suppress(ImageTo3DError), Client(endpoint) as client:
        client.call(Shutdown(), timeout=5)
    if _gone(endpoint.pid):
        return
    with contextlib.suppress(OSError):  # it listens where this account's backend should: it is no other program
        os.kill(endpoint.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    if not _gone(endpoint.pid):
        raise ConnectionLost("backend.does_not_stop", reason="silent", pid=endpoint.pid)


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + STOP_SECONDS
    while process_exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _remote(settings: BackendSettings) -> Endpoint:
    host = settings.address.rsplit(":", 1)[0]
    if not settings.online_access and host not in {"localhost", "127.0.0.1", "[::1]"}:
        raise OfflineError("backend.offline_remote")
    if ":" not in settings.address or not settings.address.rsplit(":", 1)[1].isdigit():
        raise SettingsError("backend.typed_address_malformed", address=settings.address)
    if not is_key(settings.server_key):
        raise SettingsError("backend.server_key_malformed")
    return Endpoint(f"tcp://{settings.address}", settings.server_key)


def _output_path() -> Path:
    return make_private(log_folder()) / "started-by-blender.log"


def _last_words() -> str:
    """The last line that a backend wrote before it ended."""
    try:
        lines = _output_path().read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


def _start(command: list[str], idle_minutes: int) -> subprocess.Popen[bytes]:
    """Start the backend so that it outlives Blender: several Blenders use one, and loading a network again is slow."""
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        with _output_path().open("wb") as output:
            return subprocess.Popen(
                [*command, "serve", "--idle-exit", str(idle_minutes)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **detached,
            )
    except OSError as error:
        raise ConnectionLost(
            "backend.not_startable", reason="start", why=error.strerror or error, command=shlex.join(command)
        ) from None
