"""Heat maps as pictures: with a legend, beside the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..core.depth.heat_maps import HeatScale, depth_marks, heat_map

_GROUND, _INK = (255, 255, 255), (40, 40, 40)


def with_legend(picture: NDArray[np.uint8], scale: HeatScale, metric: bool) -> NDArray[np.uint8]:
    """A heat map (H, W, 3) with a bar of its colours on the right, marked in metres or with "near" and "far"."""
    height = picture.shape[0]
    font_size = max(10, min(round(height / 28), round(picture.shape[1] / 12)))
    font = ImageFont.load_default(font_size)
    if metric:
        marks = [(f"{z:g} m", float(scale.positions(np.array(1 / z)))) for z in depth_marks(scale)]
    else:
        marks = [("near", 1.0), ("far", 0.0)]
    text_width = max((round(font.getlength(text)) for text, _ in marks), default=0)
    gap, bar = font_size // 2, font_size
    canvas = Image.new("RGB", (gap + bar + gap + text_width + gap, height), _GROUND)
    top, bottom = font_size, max(font_size + 1, height - font_size)
    column = np.linspace(scale.near, scale.far, bottom - top)[:, None]
    canvas.paste(Image.fromarray(np.repeat(heat_map(column, scale), bar, axis=1)), (gap, top))
    draw = ImageDraw.Draw(canvas)
    for text, position in marks:
        y = top + (1 - position) * (bottom - top - 1)
        draw.line([(gap + bar, y), (gap + bar + gap // 2, y)], fill=_INK)
        draw.text((gap + bar + gap, y), text, fill=_INK, font=font, anchor="lm")
    return np.concatenate([picture, np.asarray(canvas)], axis=1)


def side_by_side(photo: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Photo (H, W, 3) left, heat map (H, W′, 3) right, a thin line of white between them."""
    line = np.full((photo.shape[0], max(2, photo.shape[1] // 200), 3), 255, np.uint8)
    return np.concatenate([photo, line, picture], axis=1)
