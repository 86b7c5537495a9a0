"""What is said to the person in the panels: failures, and things done that cannot be seen in the scene.

Each has a source. A new one replaces that of its own source and no other, so that something in the background does not hide
why a button did nothing. It goes when its cause has gone, when the person begins something new, or is dismissed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Notice:
    """One of them.

    Attributes:
        source: what it is about: ``photo``, ``backend``, ``files``, … or the ``bl_idname`` of an operator.
        failure: why something did not work; None for a mere text.
        text: what was done, in English words; empty for a failure.
    """

    source: str
    failure: Exception | None = None
    text: str = ""


class Notices:
    """Those that stand, oldest first. Main thread."""

    def __init__(self) -> None:
        self._standing: list[Notice] = []

    @property
    def standing(self) -> tuple[Notice, ...]:
        """All of them, oldest first."""
        return tuple(self._standing)

    @property
    def failures(self) -> tuple[Exception, ...]:
        """Oldest first."""
        return tuple(notice.failure for notice in self._standing if notice.failure is not None)

    @property
    def failure(self) -> Exception | None:
        """The newest failure."""
        return next((notice.failure for notice in reversed(self._standing) if notice.failure is not None), None)

    @property
    def text(self) -> str:
        """The newest text; empty for none."""
        return next((notice.text for notice in reversed(self._standing) if notice.text), "")

    def fail(self, source: str, failure: Exception) -> None:
        """Say why something did not work."""
        self._put(Notice(source, failure))

    def say(self, source: str, text: str) -> None:
        """Say what was done."""
        self._put(Notice(source, text=text))

    def clear(self, source: str) -> None:
        """Its cause has gone."""
        self._standing = [notice for notice in self._standing if notice.source != source]

    def begin(self) -> None:
        """The person begins something new: what was said before has been read."""
        self._standing.clear()

    def _put(self, notice: Notice) -> None:
        self.clear(notice.source)
        self._standing.append(notice)
