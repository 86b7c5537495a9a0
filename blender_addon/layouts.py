"""What the panels share: where they are, facts, warnings, and sentences over several lines."""

from __future__ import annotations

import bpy


class Sidebar:
    """Place of every panel of the sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Image to 3D"


def draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context, failure: Exception) -> None:
    """What went wrong, and what to do."""
    box = layout.box()
    lines(box, context, getattr(failure, "message", str(failure)), "ERROR")
    hint = getattr(failure, "hint", "")
    if hint:
        lines(box, context, hint)


def lines(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "BLANK1") -> None:
    """A sentence over as many labels as the width of the sidebar needs."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    width = max(20, int((context.region.width / context.preferences.system.ui_scale - 70) / 6.5))
    row: list[str] = []
    for word in [*text.split(), ""]:
        if row and (not word or len(" ".join([*row, word])) > width):
            column.label(text=" ".join(row), icon=icon)
            row, icon = [], "BLANK1"
        row.append(word)


def warn(layout: bpy.types.UILayout, context: bpy.types.Context, text: str) -> None:
    lines(layout, context, text, "ERROR")


def fact(layout: bpy.types.UILayout, name: str, value: str) -> None:
    split = layout.split(factor=0.3)
    split.label(text=name)
    split.label(text=value)
