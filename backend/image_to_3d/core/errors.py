"""What can go wrong, as a closed list of codes with one sentence for a person and one hint on what to do."""

from __future__ import annotations

from enum import Enum


class ErrorCode(str, Enum):
    """The error codes of the wire protocol; command line and panel use the same ones."""

    BAD_REQUEST = "bad_request"
    INCOMPATIBLE_VERSION = "incompatible_version"
    UNAUTHORISED = "unauthorised"
    BUSY = "busy"
    CANCELLED = "cancelled"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    WEIGHTS_MISSING = "weights_missing"
    LICENCE_NOT_ACCEPTED = "licence_not_accepted"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_FAILED = "engine_failed"
    SCENE_UNKNOWN = "scene_unknown"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"


class ImageTo3DError(Exception):
    """A failure that a person can act on.

    Raised where the fact is known; turned into words once, at the edge (command line, panel, ``error`` reply).

    Args:
        code: one of :class:`ErrorCode`.
        message: one sentence: what is wrong.
        hint: one sentence: what to do about it; may be empty.
    """

    def __init__(self, code: ErrorCode, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = ErrorCode(code)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[type, tuple[ErrorCode, str, str]]:
        return type(self), (self.code, self.message, self.hint)


def is_out_of_memory(error: BaseException) -> bool:
    """True for want of memory of any kind: Python's, PyTorch's on the CPU, or a graphics card's.

    PyTorch, which need not be imported to know them, raises ``torch.OutOfMemoryError`` or a RuntimeError: "CUDA out of memory",
    "CUDA error: out of memory", "DefaultCPUAllocator: can't allocate memory".
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


class Cancelled(ImageTo3DError):  # noqa: N818 - a request, not a mistake
    """Raised inside long work when the person who asked for it changed their mind."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.CANCELLED, "Cancelled.")

    def __reduce__(self) -> tuple[type, tuple[()]]:  # type: ignore[override]
        return type(self), ()
