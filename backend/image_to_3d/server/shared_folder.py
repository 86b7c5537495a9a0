"""The private folder through which the processes of one backend, and clients of the same account, hand each other arrays."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ..core.errors import ErrorCode, ImageTo3DError
from ..paths import make_private, runtime_folder
from ..protocol.mapped_files import map_file, new_name, write_blobs
from .single_instance import lock

MIN_MEMORY_BYTES = 1_000_000_000
"""A file system in memory is used if it has so much room: containers often give it 64 MB only."""

_LOCK_NAME = "lock"
_GRACE_SECONDS = 60.0


def _parents() -> tuple[list[Path], str]:
    """(folders in which ours may be made, the preferred one first; what its name begins with)."""
    memory = Path("/dev/shm")  # what is written there is never written to a disk
    found = []
    if sys.platform.startswith("linux") and os.access(memory, os.W_OK):
        found.append(memory)
    return [*found, make_private(runtime_folder())], f"image-to-3d-{os.getuid() if os.name == 'posix' else 'shared'}-"


def _is_left_over(folder: Path) -> bool:
    """True if the server that made the folder is gone: the system has released its lock."""
    try:
        with (folder / _LOCK_NAME).open("r+") as file:
            lock(file)
            return True
    except FileNotFoundError:
        try:
            return time.time() - folder.stat().st_mtime > _GRACE_SECONDS
        except OSError:
            return False
    except OSError:
        return False


class SharedFolder:
    """Made for one server process, removed with it; folders of servers that crashed are removed first."""

    def __init__(self) -> None:
        parents, prefix = _parents()
        for parent in parents:
            for leftover in parent.glob(f"{prefix}*"):
                if _is_left_over(leftover):
                    shutil.rmtree(leftover, ignore_errors=True)
        parent = next((p for p in parents if shutil.disk_usage(p).free >= MIN_MEMORY_BYTES), parents[-1])
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))  # readable by its owner only
        self._lock: IO[str] = (self.path / _LOCK_NAME).open("w+", encoding="utf-8")
        lock(self._lock)
        self._doomed: set[str] = set()

    def write(self, blobs: Sequence[Any]) -> str:
        """Put blobs into a new file and return its name.

        Raises:
            ImageTo3DError: ``out_of_memory`` if there is no room.
        """
        name = new_name()
        try:
            write_blobs(self.path / name, blobs)
        except OSError as error:
            raise no_room(self.path, error) from error
        return name

    def open(self, name: str) -> memoryview:
        """The bytes of a file, mapped. Raises OSError."""
        return map_file(self.path / name)

    def delete(self, name: str) -> None:
        """Delete a file, or do it later where somebody has it mapped and the system minds (Windows)."""
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError:
            self._doomed.add(name)

    def sweep(self) -> None:
        """Try again to delete what could not be deleted."""
        waiting, self._doomed = self._doomed, set()
        for name in waiting:
            self.delete(name)

    def free_bytes(self) -> int:
        """Room on the file system of the folder."""
        return shutil.disk_usage(self.path).free

    def close(self) -> None:
        """Remove the folder and everything in it."""
        self._lock.close()
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)


def no_room(folder: Path, error: OSError) -> ImageTo3DError:
    """The error to reply when arrays cannot be written."""
    return ImageTo3DError(
        ErrorCode.OUT_OF_MEMORY, "backend.no_room_for_arrays", folder=folder, why=error.strerror or error
    )
