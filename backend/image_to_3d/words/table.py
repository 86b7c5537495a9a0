"""A row of a table of words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """Templates of an error, with ``{fields}``.

    Attributes:
        message: what is wrong.
        hint: what to do about it, for everybody; may be empty.
        cli, blender, web: what to do about it there, where that has words of its own.
    """

    message: str
    hint: str = ""
    cli: str = ""
    blender: str = ""
    web: str = ""

    def hint_for(self, edge: str) -> str:
        """The hint of an edge."""
        return getattr(self, edge, "") or self.hint
