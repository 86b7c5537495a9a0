"""What other parts of the add-on have to say when a photo is made anew: they add themselves while they are registered.

The queue knows none of them. Both lists are called on the main thread.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy

from image_to_3d.core.lengths.reapply import MeasurementState, Reapplied

before_update: list[Callable[[bpy.types.Object], MeasurementState | None]] = []
"""Called with the root before its photo is sent: what was measured in it, for the new cloud; None for nothing."""
after_update: list[Callable[[bpy.types.Scene, bpy.types.Object, Reapplied | None, bool], None]] = []
"""Called with scene and root once the result is in the scene, with what became of what was measured, and whether the photo was
there before."""


def measurement_state(root: bpy.types.Object) -> MeasurementState | None:
    """What was measured in a photo that is about to be made anew."""
    return next((found for remember in before_update if (found := remember(root)) is not None), None)


def tell(scene: bpy.types.Scene, root: bpy.types.Object, reapplied: Reapplied | None, updated: bool) -> None:
    """A result is in the scene."""
    for function in after_update:
        function(scene, root, reapplied, updated)
