"""Words for what nobody expected."""

from __future__ import annotations

import logging

from image_to_3d.core import ErrorCode, ImageTo3DError

log = logging.getLogger(__name__)


def as_failure(error: Exception) -> ImageTo3DError:
    """Words for whatever was raised; the traceback of what nobody expected goes to the console."""
    if isinstance(error, ImageTo3DError):
        return error
    if isinstance(error, MemoryError):
        return ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "extension.no_memory")
    log.error("The extension made a mistake", exc_info=error)
    return ImageTo3DError(ErrorCode.INTERNAL, "extension.internal", name=type(error).__name__, why=error)
