"""Lines of text at the bottom of a viewport."""

from __future__ import annotations

import blf
import bpy

from .. import translations

_SIZE = 12
_MARGIN = 16
_ROW = 18


def draw(context: bpy.types.Context, sentence: str, row: int = 0) -> None:
    """Write a sentence, translated, so many rows from the bottom; nothing if it is empty. For a POST_PIXEL handler."""
    if not sentence:
        return
    scale = context.preferences.system.ui_scale
    blf.size(0, _SIZE * scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 3, 0.0, 0.0, 0.0, 0.9)
    blf.color(0, 1.0, 0.8, 0.3, 1.0)
    blf.position(0, _MARGIN * scale, (_MARGIN + row * _ROW) * scale, 0)
    blf.draw(0, translations.sentence(sentence))
    blf.disable(0, blf.SHADOW)
