"""Which photo the panels and buttons mean."""

from __future__ import annotations

import bpy

from ..runtime.objects import of
from .roles import root_of


class LastResult:
    """What was made last; the file that it is in may be closed since."""

    def __init__(self) -> None:
        self.root = ""
        """Name of its root; empty for none."""


def shown_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The root of the active object, else of the last result."""
    return root_of(context.object) or root_of(context.scene.objects.get(of(LastResult).root))
