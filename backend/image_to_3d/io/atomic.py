"""Files appear whole or not at all."""

from __future__ import annotations

import os
import secrets
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
        temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(8)}{path.suffix}")
        # The system takes the umask off here. Asking for the umask means setting it, for all threads of the process.
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.ENGINE_FAILED, "files.not_writable", path=path, why=error.strerror or error
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_open(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that becomes ``path`` on success."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        yield stream
