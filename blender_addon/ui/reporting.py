"""How something is said to the person at once, and how panels come to show what is new."""

from __future__ import annotations

import bpy

from image_to_3d.core import ImageTo3DError

from .. import translations
from ..runtime.notices import Notices
from ..runtime.objects import of


def refuse(operator: bpy.types.Operator, error: ImageTo3DError) -> set[str]:
    """Say in the panel and in the status bar why an operator did nothing; what its ``execute`` returns then."""
    of(Notices).fail(operator.bl_idname, error)
    operator.report({"WARNING"}, " ".join(translations.sentence(text) for text in (error.message, error.hint) if text))
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
