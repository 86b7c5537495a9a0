"""What others do when a photo is made anew: they put a hook here when the extension is switched on, and take it away again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy

from image_to_3d.core.lengths.reapply import Again, Measured


@dataclass(frozen=True)
class UpdateHook:
    """What is remembered of a photo before it is made anew, and done with the new one.

    Attributes:
        remember: of a root; None where nothing was measured. What it gives is worked with on another thread.
        reapply: with the new points in the scene, what was worked out for them.
        later: whatever takes longer; an undo step of its own.
    """

    remember: Callable[[bpy.types.Object], Measured | None]
    reapply: Callable[[bpy.types.Scene, bpy.types.Object, Again], None]
    later: Callable[[bpy.types.Scene, bpy.types.Object], None]


UPDATE: list[UpdateHook] = []
