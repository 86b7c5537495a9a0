"""How something is said to the person at once, and how panels come to show what is new."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from image_to_3d.core import ImageTo3DError

from .. import translations
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..runtime.pump import AFTER


def refuse(operator: bpy.types.Operator, error: ImageTo3DError) -> set[str]:
    """Say in the panel and in the status bar why an operator did nothing; what its ``execute`` returns then."""
    of(Notices).fail(operator.bl_idname, error)
    operator.report({"WARNING"}, " ".join(filter(None, translations.words_of(error))))
    return {"CANCELLED"}


def redraw() -> None:
    """Have the panels drawn anew, not the viewports beside them: a million points take their time."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            elif area.type in {"VIEW_3D", "IMAGE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


WATCHED: list[Callable[[], object]] = []
"""What panels show, as values that can be compared; whoever shows something puts a function here."""


class _Panels:
    def __init__(self) -> None:
        self._shown: tuple[object, ...] = ()

    def refresh(self) -> None:
        shown = tuple(value() for value in WATCHED)
        if shown != self._shown:
            self._shown = shown
            redraw()


def _after_pump() -> None:
    of(_Panels).refresh()


def on_register() -> None:
    """Have panels drawn anew when something that they show has changed, and only then."""
    AFTER.append(_after_pump)
    WATCHED.append(lambda: of(Notices).standing)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    AFTER.remove(_after_pump)
    WATCHED.clear()
