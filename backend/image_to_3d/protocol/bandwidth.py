"""How much a connection carries, and how small pictures have to be for it."""

from __future__ import annotations

FRAME_BYTES_PER_PIXEL = 6
"""Colour with alpha in 8 bits each, and a depth of 16 bits."""

_CODED_BYTES_PER_PIXEL = {90: 1.1, 75: 0.9, 50: 0.75, 30: 0.65}
"""Quality → measured on the sample room, depth included, rounded up."""

_TRANSFER_SECONDS = 0.02
"""What carrying one picture may take."""

_UNKNOWN = 20e6
"""Bytes a second that are assumed of a connection before the first picture came: a good wireless one."""

_SMOOTHING = 0.3
_MIN_SECONDS = 2e-4  # below, clocks say nothing about the connection
_MIN_BYTES = 20_000  # below, distance counts rather than width


class Bandwidth:
    """Bytes a second, from the pictures that came.

    Attributes:
        bytes_per_second: smoothed.
    """

    def __init__(self) -> None:
        self.bytes_per_second = _UNKNOWN

    def measured(self, size: int, seconds: float) -> None:
        """``size`` bytes took so long beside what drawing them took."""
        if size >= _MIN_BYTES:
            rate = size / max(seconds, _MIN_SECONDS)
            self.bytes_per_second += _SMOOTHING * (rate - self.bytes_per_second)

    def quality(self, width: int, height: int) -> int | None:
        """None where a picture of this size may travel as it is, else the quality that comes in time, or the least."""
        budget = self.bytes_per_second * _TRANSFER_SECONDS / (width * height)
        if budget >= FRAME_BYTES_PER_PIXEL:
            return None
        return next((q for q, size in _CODED_BYTES_PER_PIXEL.items() if size <= budget), min(_CODED_BYTES_PER_PIXEL))
