"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..core.errors import ErrorCode, ImageTo3DError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path`` with the same suffix, renamed to ``path`` on success and removed otherwise.

    Raises:
        ImageTo3DError: ``engine_failed`` with a sentence if the disk is full or the folder is not writable.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files private; the result is an ordinary file
        temporary.replace(path)
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.ENGINE_FAILED,
            f"{path} cannot be written: {error.strerror or error}.",
            "Check the free space and the permissions of the folder.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_open(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes ``path`` on success."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        yield stream
