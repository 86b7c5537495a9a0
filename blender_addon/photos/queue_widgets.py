"""The photos under way, as the sidebars show them."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..runtime.objects import of
from .job import PhotoJob, stage_text
from .queue import PhotoQueue

_SHOWN = 8
"""Rows of a long queue; the rest is counted."""


def draw(layout: bpy.types.UILayout) -> None:
    """Progress of the running photo, and what waits behind it or has failed before it."""
    current = of(PhotoQueue)
    if current.job is not None:
        _draw_progress(layout, current.job, alone=not current.waiting)
    if not current.was_batch:
        return
    column = layout.column(align=True)
    for job in current.failed[:_SHOWN]:
        row = column.row(align=True)
        row.label(text=job.source.name, icon="ERROR", translate=False)
        row.operator("image_to_3d.retry_job", text="", icon="FILE_REFRESH").number = job.number
        row.operator("image_to_3d.remove_job", text="", icon="X").number = job.number
    for job in current.waiting[:_SHOWN]:
        row = column.row(align=True)
        row.label(text=job.source.name, icon="SORTTIME", translate=False)
        row.operator("image_to_3d.remove_job", text="", icon="X").number = job.number
    left = max(0, len(current.waiting) - _SHOWN) + max(0, len(current.failed) - _SHOWN)
    if left:
        column.label(text=iface_("and {count} more").format(count=left), translate=False)


def _draw_progress(layout: bpy.types.UILayout, job: PhotoJob, alone: bool) -> None:
    column = layout.column(align=True)
    if not alone:
        column.label(text=job.source.name, icon="OUTLINER_OB_POINTCLOUD", translate=False)
    column.progress(factor=job.fraction, text=f"{job.fraction:.0%}")
    column.label(text=f"{stage_text(job.stage, job.ahead)} · {job.elapsed:.0f} s", translate=False)
    row = layout.row(align=True)
    row.scale_y = 1.4
    row.operator("image_to_3d.cancel", icon="CANCEL")
    if not alone:
        row.operator("image_to_3d.cancel_all")
