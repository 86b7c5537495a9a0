"""How far the size of a result can be trusted, in one sentence, and what makes it better."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.lengths.measuring import CONFIDENCE_95

from ..backend import engine_catalogue
from ..ui.widgets import lines
from . import stored_cloud
from .scale import scale_of_photo


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, root: bpy.types.Object) -> None:
    """One sentence about the root's scale."""
    text, sure = sentence(context, root)
    if text:
        lines(layout, context, text, "CHECKMARK" if sure else "ERROR")


def sentence(context: bpy.types.Context, root: bpy.types.Object) -> tuple[str, bool]:
    """The sentence, translated, and whether there is nothing left to do; empty for what no photo stands behind."""
    if not stored_cloud.measurable(root):
        return "", True
    outcome = root.image_to_3d.outcome
    try:
        scale = scale_of_photo(root, context.scene)
    except ImageTo3DError as error:  # stretched or mirrored
        return str(error), False
    percent = 100 * CONFIDENCE_95 * scale.relative_sd
    if scale.state == "calibrated":
        return iface_("Size: calibrated with known lengths, ± {percent:.1f} %.").format(percent=percent), True
    if not outcome.metric:
        return iface_(
            "Size: not metric, right only up to one factor. Calibrate with a known length under Measure."
        ), False
    if engine_catalogue.needs_depth(outcome.engine):
        return iface_("Size: as the depth file has it, taken for ± {percent:.0f} %.").format(percent=percent), True
    template = iface_(
        "Size: {engine}'s estimate from one picture, ± {percent:.0f} %. Calibrate with a known length under Measure."
    )
    return template.format(engine=outcome.engine, percent=percent), False
