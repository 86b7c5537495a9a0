"""Arrays in files that two processes of one account map into memory.

A picture's Gaussians are tens of megabytes: between the processes of the backend, and to a client of the same account on the
same machine, they travel as a file in a private folder whose name the header gives. Nothing is encrypted, copied through a
socket or held twice; the page cache holds one copy for everybody. Files are only ever opened by the name that the *server*
gives; a request cannot name one.
"""

from __future__ import annotations

import mmap
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ALIGNMENT = 64
_NAME = re.compile(r"[0-9a-f]{32}")


def new_name() -> str:
    """A name that was never used before and cannot be guessed."""
    return secrets.token_hex(16)


def is_name(text: object) -> bool:
    """True for what :func:`new_name` gives: no path can be made of it."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def layout(sizes: Sequence[int]) -> tuple[list[int], int]:
    """Where blobs of these sizes lie in a file, and how long it is: one after another, each on a multiple of 64 bytes."""
    offsets, end = [], 0
    for size in sizes:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + size
    return offsets, end


def write_blobs(path: Path, blobs: Sequence[Any]) -> int:
    """Write blobs (flat byte buffers) to a new file that only its owner can read; returns its size.

    Raises:
        OSError: the disk is full, or the file exists. Nothing is left behind.
    """
    offsets, total = layout([len(blob) for blob in blobs])
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb", buffering=0) as stream:
            for blob, offset in zip(blobs, offsets, strict=True):
                stream.seek(offset)
                view = memoryview(blob)
                while len(view):
                    view = view[stream.write(view) :]
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return total


def map_file(path: Path) -> memoryview:
    """The bytes of a file, read-only, without reading them. They stay valid when the file is deleted.

    Raises:
        OSError: it does not exist or cannot be mapped.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ))
