"""A line on the terminal that says how far things are."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

_WIDTH = 24
_SECONDS_BETWEEN = 0.1


class ProgressLine:
    """``name  ████████░░░░  43 %  encoder`` on stderr, drawn over itself; silent where stderr is no terminal or ``quiet``."""

    def __init__(self, name: str, quiet: bool = False) -> None:
        self._name = name
        self._shown = sys.stderr.isatty() and not quiet
        self._drawn = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        """As engines call it: a stage, and 0 … 1 of the whole way."""
        now = time.monotonic()
        if not self._shown or (now - self._drawn < _SECONDS_BETWEEN and fraction < 1.0):
            return
        self._drawn = now
        full = round(_WIDTH * min(max(fraction, 0.0), 1.0))
        line = f"{self._name}  {'█' * full}{'░' * (_WIDTH - full)}  {fraction:4.0%}  {stage}"
        sys.stderr.write(f"\r{line[: shutil.get_terminal_size().columns - 1]}\x1b[K")
        sys.stderr.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class RawProgress:
    """``Progress DONE of TOTAL`` on stdout, a few times a second: as pip writes it for programs."""

    def __init__(self) -> None:
        self._written = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Bytes done and in all."""
        now = time.monotonic()
        if now - self._written >= _SECONDS_BETWEEN or done == total:
            self._written = now
            print(f"Progress {done} of {total}", flush=True)
