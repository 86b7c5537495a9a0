"""The address of a running backend, published in the user's runtime folder."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..paths import runtime_folder, write_private


@dataclass(frozen=True)
class Endpoint:
    """How to reach a backend.

    Attributes:
        control: ZeroMQ address, e.g. ``tcp://127.0.0.1:5555``.
        server_key: public CURVE key of the server.
        pid: of the server if it runs on this machine, else 0.
        version: of the server's package, for messages.
        shared: folder in which it hands large arrays to clients of this account; empty for a server elsewhere.
    """

    control: str
    server_key: str
    pid: int = 0
    version: str = ""
    shared: str = ""


def published_path() -> Path:
    """File in which the backend of this account publishes its address."""
    return runtime_folder() / "backend.json"


def publish(endpoint: Endpoint) -> None:
    """Make the address known to this account's clients."""
    write_private(published_path(), json.dumps(dataclasses.asdict(endpoint)))


def withdraw(pid: int) -> None:
    """Remove the address if it is still that of process ``pid``."""
    found = published()
    if found is not None and found.pid == pid:
        published_path().unlink(missing_ok=True)


def published() -> Endpoint | None:
    """The address of this account's running backend; None if there is none, also after a crash."""
    try:
        stored = json.loads(published_path().read_text("utf-8"))
        endpoint = Endpoint(
            str(stored["control"]),
            str(stored["server_key"]),
            int(stored["pid"]),
            str(stored.get("version", "")),
            str(stored.get("shared", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return endpoint if process_exists(endpoint.pid) else None


def process_exists(pid: int) -> bool:
    """Is there a running process with this id? One that has ended and waits for its parent to notice does not count."""
    if pid <= 0:
        return False
    if os.name == "nt":
        import ctypes

        query_limited_information, still_active = 0x1000, 259
        kernel32 = ctypes.windll.kernel32  # type: ignore[attr-defined]
        handle = kernel32.OpenProcess(query_limited_information, False, pid)
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel32.CloseHandle(handle)
        return code.value == still_active
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):  # not Linux
        return True
    return state not in (b"Z", b"X")
