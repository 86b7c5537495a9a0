"""A photo that is made anew keeps what was measured in it: the queue of photos asks before and tells afterwards."""

from __future__ import annotations

import bpy

from image_to_3d.core.depth.relative_depth import AffineInverseDepth
from image_to_3d.core.lengths.reapply import MeasurementState, Reapplied

from ..photos import update_hooks
from .calibration import logic as calibration
from .levelling import logic as levelling


def measurement_state(root: bpy.types.Object) -> MeasurementState | None:
    """What has to be done again when a photo is made anew; None if nothing was measured."""
    state = root.image_to_3d.calibration
    request = levelling.level_request_of(root)
    if not state.calibrated and request is None:
        return None
    a, b = root.image_to_3d.outcome.inverse_depth
    affine = AffineInverseDepth(a, b) if a > 0 else None
    known = calibration.known_of(root) if state.calibrated else ()
    return MeasurementState(known, state.bend, state.factor, affine, request)


def _after_update(scene: bpy.types.Scene, root: bpy.types.Object, reapplied: Reapplied | None, updated: bool) -> None:
    if reapplied is not None:
        calibration.write_reapplied(scene, root, reapplied)
    if updated:
        calibration.remeasure_later(scene, root)


def on_register() -> None:
    """Be asked and told."""
    update_hooks.before_update.append(measurement_state)
    update_hooks.after_update.append(_after_update)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    update_hooks.before_update.remove(measurement_state)
    update_hooks.after_update.remove(_after_update)
