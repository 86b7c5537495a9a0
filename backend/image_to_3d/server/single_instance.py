"""One backend per user and address: a lock that the operating system releases whatever happens to the process."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO

from ..core.errors import ErrorCode, ImageTo3DError
from ..paths import make_private, runtime_folder
from ..protocol.endpoint import published


class InstanceLock:
    """Held while the process lives.

    Args:
        address: what the server binds to; each has its own lock.

    Raises:
        ImageTo3DError: ``busy`` if another backend holds it.
    """

    def __init__(self, address: str) -> None:
        folder = make_private(runtime_folder())
        self.path: Path = folder / f"backend-{re.sub(r'[^A-Za-z0-9.]+', '-', address).strip('-')}.lock"
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file: IO[str] = os.fdopen(handle, "r+", encoding="utf-8")
        try:
            lock(self._file)
        except OSError:
            self._file.close()
            running = published()
            where = f" at {running.control} (process {running.pid})" if running else ""
            raise ImageTo3DError(ErrorCode.BUSY, "backend.already_running", where=where) from None

    def release(self) -> None:
        """Let another backend start. The file stays: removing it would race with a process that is about to lock it."""
        self._file.close()


def lock(file: IO[str]) -> None:
    """Lock an open file until it is closed, or raise OSError at once. The system releases it whatever happens to the process."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
