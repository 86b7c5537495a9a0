"""Straight line segments of a photo, by OpenCV's LSD (von Gioi et al. 2012) after contrast-limited equalisation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE = 1000
"""Pictures are scaled down to this many pixels on the long side: edges of a room are soft at full size, and time grows with it."""


def line_segments(pixels: NDArray[np.uint8], longest_side: int = LONGEST_SIDE) -> NDArray[np.float64]:
    """Segments (n, 4) x0, y0, x1, y1 in pixels of the photo; the centre of its first pixel is (0.5, 0.5).

    Args:
        pixels: (H, W, 3) uint8, sRGB.
        longest_side: size at which they are looked for, pixels.
    """
    import cv2  # here: who looks for no lines does not wait for it

    height, width = pixels.shape[:2]
    scale = min(1.0, longest_side / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # Edges between two pale walls are faint: local contrast brings them out.
    grey = cv2.createCLAHE(4.0, (4, 4)).apply(grey)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    if found is None:
        return np.zeros((0, 4))
    # OpenCV counts from the centre of the first pixel.
    segments = np.asarray(found, np.float64).reshape(-1, 4) + 0.5
    return segments * np.array([width / small[0], height / small[1]] * 2)
