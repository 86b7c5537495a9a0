"""A viewport to use tools in where there is no window: regions of known places, and what happens to the mouse."""

from __future__ import annotations

from types import SimpleNamespace

import bpy


class Part(SimpleNamespace):
    """A region or an area: its address is that of this object."""

    def as_pointer(self) -> int:
        return id(self)


def part(kind: str, x: int, y: int, width: int, height: int, alignment: str = "TOP") -> Part:
    """A region."""
    return Part(type=kind, x=x, y=y, width=width, height=height, alignment=alignment)


def viewport() -> Part:
    """400 × 300 pixels with a sidebar and a header over it; a toolbar that is closed."""
    regions = [
        part("HEADER", 0, 280, 400, 20),
        part("TOOLS", 0, 0, 1, 280, "LEFT"),
        part("UI", 300, 0, 100, 280, "RIGHT"),
        part("WINDOW", 0, 0, 400, 300, "NONE"),
    ]
    space = SimpleNamespace(region_quadviews=(), region_3d="the view")
    return Part(
        type="VIEW_3D", regions=regions, spaces=SimpleNamespace(active=space), tag_redraw=lambda: None, shown=space
    )


def context_of(area: Part) -> SimpleNamespace:
    """What an operator is given in it."""
    window = SimpleNamespace(cursors=[])
    window.cursor_modal_set = window.cursors.append
    window.cursor_modal_restore = lambda: window.cursors.append("")
    manager = SimpleNamespace(modal_handler_add=lambda operator: True)
    return SimpleNamespace(
        area=area, window=window, workspace=bpy.data.workspaces[0], window_manager=manager, scene=bpy.context.scene
    )


def event(kind: str, at: tuple[int, int] = (100, 100), value: str = "PRESS") -> SimpleNamespace:
    """Something that happens at a place of the window."""
    return SimpleNamespace(type=kind, value=value, mouse_x=at[0], mouse_y=at[1], shift=False, ctrl=False)
