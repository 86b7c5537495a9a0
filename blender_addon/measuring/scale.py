"""How far the displayed metres of a photo can be trusted, so that every shown length has its 95 % interval."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import bpy

from image_to_3d import catalogue
from image_to_3d.blender.length_labels import Units, length_label
from image_to_3d.core import Intrinsics
from image_to_3d.core.lengths.calibration import Scale, engine_scale
from image_to_3d.core.lengths.error_field import ErrorField, KnownDistance
from image_to_3d.core.lengths.measuring import Length

from . import stored_cloud

ENDS_ALONE = Scale("engine", 0.0, 0.0)
"""For lengths of the engine, with the uncertainty of their ends alone."""
_BY_HAND = 1e-3
"""Relative difference between a root's scale and its calibration from which on somebody has scaled it since."""


def scale_of_photo(root: bpy.types.Object, scene: bpy.types.Scene) -> Scale:
    """The scale of a root: true length = factor · length in the camera frame.

    The factor is what Blender displays. The standard deviation is that of the calibration while the root has its size, else that
    of the engine's prior; that of the focal length goes by its source.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly, sheared or mirrored.
    """
    factor = stored_cloud.world_scale(root, scene)
    prior = engine_prior(root)
    calibration = root.image_to_3d.calibration
    if not calibration.calibrated or scaled_by_hand(root, factor):
        return replace(prior, factor=factor)
    residuals = tuple(known.residual_m for known in calibration.known)
    field = None if prior.field is None else _conditioned(prior.field, calibration.field)
    return Scale(
        "calibrated", calibration.relative_sd, prior.focal_sd, factor, calibration.lateral_share, residuals, field
    )


def engine_prior(root: bpy.types.Object) -> Scale:
    """The scale as the engine claims it, of a measurable root."""
    return _prior(stored_cloud.told(root), stored_cloud.intrinsics(root))


@lru_cache(maxsize=16)
def _prior(told: stored_cloud.Told, intrinsics: Intrinsics) -> Scale:
    """Kept, because panels ask with every drawing, and what a typical length is worth takes some milliseconds."""
    return engine_scale(told.provenance(), intrinsics, catalogue.scale_sd(told.engine, told.metric))


@lru_cache(maxsize=16)
def _conditioned(field: ErrorField, known: str) -> ErrorField:
    """The field with the known lengths of a calibration; files of before have none, and their lengths stay as uncertain as bare."""
    try:
        return field.with_known([KnownDistance.from_plain(numbers) for numbers in json.loads(known or "[]")])
    except (ValueError, TypeError):
        return field


def scaled_by_hand(root: bpy.types.Object, factor: float) -> bool:
    """Whether a root has another scale than its calibration, or 1 without one, gives it."""
    calibration = root.image_to_3d.calibration
    wanted = calibration.factor if calibration.calibrated else 1.0
    return abs(factor / wanted - 1.0) > _BY_HAND


def length_text(context: bpy.types.Context, length: Length) -> str:
    """ "≈ 2.61 m ± 0.06": as the scene's units have it, with the 95 % interval."""
    return f"≈ {length_label(length.metres, length.interval, _units(context))}"


def metres_text(context: bpy.types.Context, metres: float) -> str:
    """A length in the scene's units, to the millimetre."""
    return length_label(metres, None, _units(context))


def _units(context: bpy.types.Context) -> Units:
    units = context.scene.unit_settings
    return Units(units.system, units.length_unit)
