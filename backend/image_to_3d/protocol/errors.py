"""Failures as they travel, and back."""

from __future__ import annotations

from .. import words
from ..core.errors import ErrorCode, ImageTo3DError
from .messages import ErrorReply


def error_reply(error: ImageTo3DError) -> ErrorReply:
    """An error as a message. A refusal to speak goes to peers of other versions: it has nothing but what every version knows."""
    if error.code is ErrorCode.INCOMPATIBLE_VERSION:
        return ErrorReply(error.code.value, error.message, error.hint)
    return ErrorReply(error.code.value, error.message, error.hint, error.key, error.values)


def error_from_reply(reply: ErrorReply) -> ImageTo3DError:
    """The exception that an ``error`` reply stands for; one whose key is not known here keeps the words of the other side."""
    try:
        code = ErrorCode(reply.code)
    except ValueError:
        code = ErrorCode.INTERNAL
    if reply.key in words.TABLE:
        return ImageTo3DError(code, reply.key, **(reply.values or {}))
    return ImageTo3DError(code, "plain", message=reply.message, hint=reply.hint)
