"""What the panels share: where they are, facts, warnings, and sentences over several lines."""

from __future__ import annotations

import re
import unicodedata

import bpy

from .. import translations


class Sidebar:
    """Place of every panel of the sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Image to 3D"


def lines(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "BLANK1") -> None:
    """A sentence, translated, over as many labels as the width of the sidebar needs."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    width = max(20, int((context.region.width / context.preferences.system.ui_scale - 70) / 6.5))
    for row in wrapped(translations.sentence(text), width):
        column.label(text=row, icon=icon, translate=False)
        icon = "BLANK1"


def wrapped(text: str, width: int) -> list[str]:
    """Rows of at most ``width`` narrow letters, broken at spaces and between Chinese characters, which are two letters wide."""
    rows, used = [""], 0
    for piece in _pieces(text):
        size = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in piece)
        if used and used + size > width and piece not in _NOT_FIRST:
            rows.append("")
            used = 0
        rows[-1] += piece if used else piece.lstrip()
        used += size
    return [row.rstrip() for row in rows if row]


_NOT_FIRST = frozenset("，。；：、！？）”")


def _pieces(text: str) -> list[str]:
    """What is not broken: a word with the space before it, or one Chinese character."""
    return re.findall(r"[\u2e80-\uffef]|\s*[^\s\u2e80-\uffef]+", text)


def warn(layout: bpy.types.UILayout, context: bpy.types.Context, text: str) -> None:
    lines(layout, context, text, "ERROR")


def fact(layout: bpy.types.UILayout, name: str, value: str) -> None:
    split = layout.split(factor=0.3)
    split.label(text=name)
    split.label(text=value, translate=False)
