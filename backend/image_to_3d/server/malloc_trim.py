"""Memory that was used once and is free again goes back to the system where the C library has to be asked for it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable


def _find() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim  # glibc only
    except (OSError, AttributeError):
        return None
    return trim


_trim = _find()


def release_free_memory() -> None:
    """Give back what a flood of messages took; milliseconds, nothing where it is not needed."""
    if _trim is not None:
        _trim(0)
