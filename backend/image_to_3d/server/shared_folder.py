"""The private folder through which the processes of one backend, and clients of the same account, hand each other arrays."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ErrorCode, ImageTo3DError
from ..protocol.endpoint import process_exists
from ..protocol.mapped import map_file, new_name, write_blobs
from ..protocol.paths import make_private, runtime_folder

_PREFIX = "shared-"


class SharedFolder:
    """Made for one server process, removed with it; folders of servers that crashed are removed first."""

    def __init__(self) -> None:
        runtime = make_private(runtime_folder())
        for leftover in runtime.glob(f"{_PREFIX}*"):
            pid = leftover.name[len(_PREFIX) :]
            if not pid.isdigit() or int(pid) == os.getpid() or not process_exists(int(pid)):
                shutil.rmtree(leftover, ignore_errors=True)
        self.path = make_private(runtime / f"{_PREFIX}{os.getpid()}")
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
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path)


def no_room(folder: Path, error: OSError) -> ImageTo3DError:
    """The error to reply when arrays cannot be written."""
    return ImageTo3DError(
        ErrorCode.OUT_OF_MEMORY,
        f"The backend cannot keep the arrays in {folder}: {error.strerror or error}.",
        "Free some space on that disk and try again.",
    )
