"""The camera of a photo from all that is known: what a person or the file says, and the straight lines in the picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .core import FocalLength, Provenance
from .core.cameras.intrinsics import focal_from_px, focal_sd
from .core.cameras.vanishing_points import REASONS, Attitude, KnownFocal, LineCamera, camera_from_lines
from .core.surfaces.plumb_lines import PlumbLines, told_by_lines
from .io.line_segments import line_segments
from .io.photo import Photo

_CONTRADICTED = 3.5
"""A focal length is contradicted if lines differ from it by so many standard deviations; some pictures fool lines."""
AXIS_COLOURS = ((230, 60, 50), (60, 190, 70), (60, 120, 240))
"""sRGB of lines along x (across), y (upright), z (ahead), as in Blender."""


@dataclass(frozen=True, eq=False)
class PhotoCamera:
    """The camera of a photo.

    Attributes:
        focal: with its source and relative standard deviation.
        attitude: None where the lines do not tell it.
        lines: what they tell; ``labels`` belong to ``segments``.
        segments: (n, 4) x0, y0, x1, y1, pixels.
        reasons: sentences for a person: what is missing, and why.
    """

    focal: FocalLength
    attitude: Attitude | None
    lines: LineCamera
    segments: NDArray[np.float64]
    reasons: tuple[str, ...]

    def warning(self) -> str:
        """A sentence for a person if lines and focal length contradict each other, else empty."""
        return REASONS["contradiction"] if "contradiction" in self.lines.reasons else ""

    def noted_in(self, provenance: Provenance) -> Provenance:
        """Where a cloud comes from, with what the lines of its photo tell, for measuring and levelling."""
        told = told_by_lines(
            self.focal.relative_sd if self.focal.source == "vanishing-points" else None,
            None if self.attitude is None else PlumbLines(self.attitude.up, self.attitude.sd_deg),
        )
        return replace(provenance, details={**provenance.details, "camera_lines": told}) if told else provenance


def camera_of_photo(photo: Photo) -> PhotoCamera:
    """The camera of a photo. Where neither file nor person gives the focal length, it is that of the lines, if they tell it.

    Takes 0.2 s on one core, for a photo of 12 megapixels 0.3 s.
    """
    segments = line_segments(photo.pixels)
    size = photo.width, photo.height
    bare = camera_from_lines(segments, *size)
    if photo.focal.source == "assumed":
        focal = photo.focal
        if bare.focal is not None:
            focal = focal_from_px(bare.focal.px, *size, source="vanishing-points")
            focal = replace(focal, relative_sd=bare.focal.relative_sd)
        return PhotoCamera(focal, bare.attitude, bare, segments, bare.sentences())
    sd = focal_sd(photo.focal.source, photo.focal.mm35, photo.focal.relative_sd)
    known = camera_from_lines(segments, *size, known=KnownFocal(photo.focal.px, sd))
    if bare.focal is not None:
        off = abs(np.log(bare.focal.px / photo.focal.px))
        if off > _CONTRADICTED * np.hypot(bare.focal.relative_sd, sd):
            # Which of the two is wrong is not known: neither is the attitude.
            known = replace(known, attitude=None, reasons=("contradiction",))
    return PhotoCamera(photo.focal, known.attitude, known, segments, known.sentences())


def with_lines(photo: Photo, camera: PhotoCamera) -> NDArray[np.uint8]:
    """The photo, darker, with its lines drawn in the colours of their axes; those of none in grey."""
    import cv2

    picture = (photo.pixels * 0.55).astype(np.uint8)
    thick = max(1, round(max(photo.width, photo.height) / 700))
    for wanted in (-1, 0, 1, 2):  # what counts is on top
        colour = (150, 150, 150) if wanted < 0 else AXIS_COLOURS[wanted]
        for x0, y0, x1, y1 in camera.segments[camera.lines.labels == wanted]:
            start, end = ((round(float(x - 0.5)), round(float(y - 0.5))) for x, y in ((x0, y0), (x1, y1)))
            cv2.line(picture, start, end, colour, thick if wanted >= 0 else max(1, thick // 2), cv2.LINE_AA)
    return picture
