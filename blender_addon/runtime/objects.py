"""The one object behind the registered extension: everything that lives outside the .blend file.

Modules hold no state. Who needs the queue asks for it: ``of(PhotoQueue)``. It is made on first use, lives until the extension is
switched off, and is closed then.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

T = TypeVar("T")


class Runtime:
    """One object of each kind. Main thread."""

    def __init__(self) -> None:
        self._objects: dict[type, Any] = {}

    def of(self, kind: type[T]) -> T:
        """The object of a class, whose constructor takes no arguments."""
        if kind not in self._objects:
            self._objects[kind] = kind()
        return cast("T", self._objects[kind])

    def close(self) -> None:
        """Close what can be closed, the youngest first, and forget all."""
        while self._objects:
            _, held = self._objects.popitem()
            if hasattr(held, "close"):
                held.close()


class _Holder:
    runtime: Runtime | None = None


def start() -> None:
    """Make the runtime: the extension is switched on."""
    _Holder.runtime = Runtime()


def stop() -> None:
    """Close it: the extension is switched off."""
    if _Holder.runtime is not None:
        _Holder.runtime.close()
        _Holder.runtime = None


def running() -> bool:
    """False before the extension is registered and after it was unregistered, when timers and handlers may still come by."""
    return _Holder.runtime is not None


def of(kind: type[T]) -> T:
    """The object of a class in the running extension; see :class:`Runtime`."""
    assert _Holder.runtime is not None, "the extension is not registered"
    return _Holder.runtime.of(kind)


def reset() -> None:
    """Begin anew with nothing but what the extension has when it is switched on: for tests."""
    stop()
    start()
