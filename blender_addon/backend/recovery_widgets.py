"""A failure as panels show it: a sentence, a hint, and the buttons that help."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..ui.widgets import lines
from . import installation, recovery

_LETTERS = 15
"""That a button of half the sidebar's width holds, as wide as the sidebar opens."""


def draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context, failure: Exception) -> bpy.types.UILayout:
    """What went wrong, what to do, and buttons that do it; the box, for more."""
    box = layout.box()
    draw_remedy(box, context, recovery.remedy(failure))
    return box


def draw_remedy(
    layout: bpy.types.UILayout, context: bpy.types.Context, found: recovery.Remedy, icon: str = "ERROR"
) -> None:
    """A sentence, a hint, and the buttons that go with them."""
    lines(layout, context, found.message, icon)
    if found.hint:
        lines(layout, context, found.hint)
    if recovery.COPY_COMMAND in found.buttons:
        lines(layout, context, installation.command_line(), "CONSOLE")
    draw_buttons(layout, found.buttons)


def draw_buttons(layout: bpy.types.UILayout, buttons: tuple[recovery.Button, ...]) -> None:
    """The buttons, two in a row where their words are short."""
    short = all(len(iface_(button.text)) <= _LETTERS for button in buttons)
    columns = 2 if short and len(buttons) > 1 else 1
    grid = layout.grid_flow(row_major=True, columns=columns, even_columns=True, align=True)
    for button in buttons:
        operator = grid.operator(button.operator, text=iface_(button.text), icon=button.icon, translate=False)
        for name, value in button.properties.items():
            setattr(operator, name, value)
