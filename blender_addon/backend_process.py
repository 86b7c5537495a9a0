"""Find the backend of this account, or start it.

Everything here runs on the client's thread and touches no bpy; what it needs from the preferences comes as plain values.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from image_to_3d.core import Cancelled, ErrorCode, ImageTo3DError
from image_to_3d.protocol import ConnectionLost, Endpoint, published
from image_to_3d.protocol.keys import is_key
from image_to_3d.protocol.paths import log_folder, make_private

COMMAND_VARIABLE = "IMAGE_TO_3D_BACKEND"
EXECUTABLE = "image-to-3d"
START_SECONDS = 60.0


@dataclass(frozen=True)
class BackendSettings:
    """Where the backend is, as plain values of the preferences.

    Attributes:
        command: that runs it here; empty = look for it.
        idle_minutes: after which one that was started here stops by itself.
        address: host:port of another computer's backend; empty = this computer.
        server_key: public key of the other computer's backend.
        online_access: Blender's permission to use the network.
    """

    command: str = ""
    idle_minutes: int = 30
    address: str = ""
    server_key: str = ""
    online_access: bool = False


def find_command(preferred: str) -> list[str]:
    """The command line that runs the backend: preference, environment variable, search path.

    Raises:
        ConnectionLost: there is none.
    """
    for text, where in (
        (preferred.strip(), "in the preferences"),
        (os.environ.get(COMMAND_VARIABLE, "").strip(), f"in the variable {COMMAND_VARIABLE}"),
    ):
        if text:
            parts = [text] if Path(text).is_file() else shlex.split(text, posix=os.name != "nt")
            executable = shutil.which(parts[0].strip('"')) if parts else None
            if executable is None:
                raise ConnectionLost(
                    f"The backend's command {where} cannot be run: {text}.",
                    "Correct it in the extension's preferences.",
                )
            return [executable, *parts[1:]]
    executable = shutil.which(EXECUTABLE)
    if executable is None:
        raise ConnectionLost(
            "The backend is not installed on this computer.",
            "Install it (pip install image-to-3d) and name its command in the extension's preferences.",
        )
    return [executable]


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
        child = _start(find_command(settings.command), settings.idle_minutes)
        self._children.append(child)
        return _wait(child, given_up)


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
        raise ConnectionLost("The backend is not running.")
    return endpoint


def _listens(endpoint: Endpoint) -> bool:
    """False if a crash left the address behind and another process has got the number of the old one."""
    host, port = endpoint.control.removeprefix("tcp://").rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except OSError:
        return False
    return True


def _wait(child: subprocess.Popen[bytes], given_up: Callable[[], bool]) -> Endpoint:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.05)
        if given_up():
            raise Cancelled
        endpoint = published()
        if endpoint is not None and _listens(endpoint):
            return endpoint
        if child.poll() is not None:
            raise ConnectionLost(
                f"The backend stopped while it was starting (exit code {child.returncode}).",
                _last_words() or f"Its log is in {log_folder()}.",
            )
    raise ConnectionLost(
        f"The backend did not start within {START_SECONDS:.0f} seconds.", f"Its log is in {log_folder()}."
    )


def _remote(settings: BackendSettings) -> Endpoint:
    host = settings.address.rsplit(":", 1)[0]
    if not settings.online_access and host not in {"localhost", "127.0.0.1", "[::1]"}:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "Blender may not use the network.",
            "Allow Online Access in Preferences › System to use a backend on another computer.",
        )
    if ":" not in settings.address or not settings.address.rsplit(":", 1)[1].isdigit():
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            f"{settings.address} is not an address.",
            "Write host and port with a colon, e.g. studio:5555.",
        )
    if not is_key(settings.server_key):
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "The server key in the preferences is not a key.",
            "Copy the 40 characters that the backend shows on the other computer.",
        )
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
    detached = (
        {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
        if os.name == "nt"
        else {"start_new_session": True}
    )
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
            f"The backend cannot be started: {error.strerror or error}.", f"The command was: {shlex.join(command)}"
        ) from None
