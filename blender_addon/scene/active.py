"""Which photo the panels and buttons mean."""

from __future__ import annotations

import bpy

from ..runtime import session_uids
from ..runtime.objects import of
from .roles import root_of


class LastResult:
    """What was made last; the file that it is in may be closed since."""

    def __init__(self) -> None:
        self.uid = 0
        """``session_uid`` of its root; 0 for none."""


def shown_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The root of the active object, else of the last result."""
    return root_of(context.object) or root_of(session_uids.find(context.scene.objects, of(LastResult).uid))


def shown_or_only_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The photo to measure: the one on show; where something else is selected, the only one of the scene."""
    root = shown_root(context)
    if root is not None:
        return root
    roots = [obj for obj in context.scene.objects if obj.image_to_3d.role == "ROOT"]
    return roots[0] if len(roots) == 1 else None
