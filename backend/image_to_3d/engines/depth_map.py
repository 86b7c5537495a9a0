"""`depth-map`: photo + depth file in metres. Exact where the depth is, and needs no network."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..catalogue import ENGINES
from ..core import GaussianCloud, Provenance
from ..core.cloud.lifting import lift
from ..core.errors import ErrorCode, ImageTo3DError, Notice
from ..io.photo import Photo
from .base import EngineOptions, Prediction, Progress, no_progress


class DepthMapEngine:
    """Lifts every pixel of known depth. Takes no options: it runs on the CPU in double precision."""

    info = ENGINES["depth-map"]

    def __init__(self, options: EngineOptions | None = None) -> None:
        del options

    def predict(
        self, photo: Photo, depth: NDArray[np.float32] | None = None, progress: Progress = no_progress
    ) -> Prediction:
        """See :class:`~image_to_3d.engines.base.Engine`.

        Raises:
            ImageTo3DError: ``bad_request`` without a depth map or with one of another size.
        """
        if depth is None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "depth.file_needed")
        check_same_size(photo, depth)
        progress("lift", 0.0)
        start = time.perf_counter()
        cloud: GaussianCloud = lift(photo.pixels, depth, photo.intrinsics)
        provenance = Provenance("depth-map", metric=True, focal_source=photo.focal.source, photo=photo.name)
        seconds = time.perf_counter() - start
        progress("lift", 1.0)
        unknown = float(np.isnan(depth).mean())
        warnings = (Notice("depth.partly_unknown", share=float(unknown)),) if unknown > 0.01 else ()
        return Prediction(replace(cloud, provenance=provenance), {"postprocess": seconds}, "cpu", "fp64", warnings)

    def unload(self) -> None:
        """Nothing is held."""


def check_same_size(photo: Photo, depth: NDArray[np.float32]) -> None:
    """Refuse a depth map that does not belong to the photo.

    Raises:
        ImageTo3DError: ``bad_request`` if the sizes differ.
    """
    height, width = depth.shape
    if (width, height) != (photo.width, photo.height):
        turned = (height, width) == (photo.width, photo.height)
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "depth.turned" if turned else "depth.size_differs",
            width=width,
            height=height,
            photo_width=photo.width,
            photo_height=photo.height,
        )


def stretch_to_photo(depth: NDArray[np.float32], photo: Photo) -> NDArray[np.float32]:
    """A depth map of the same aspect (LiDAR phones deliver 256×192 for a 12-megapixel photo) at the photo's size.

    Local planes are continued, depth edges stay sharp; see :func:`~image_to_3d.core.depth.depth_maps.resample_inverse_depth`.

    Raises:
        ImageTo3DError: ``bad_request`` if the aspect differs by more than 1 %.
    """
    from ..core.depth.depth_maps import inverse_depth, resample_inverse_depth

    height, width = depth.shape
    if abs(width * photo.height / (height * photo.width) - 1) > 0.01:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "depth.aspect_differs",
            width=width,
            height=height,
            photo_width=photo.width,
            photo_height=photo.height,
        )
    return (1.0 / resample_inverse_depth(inverse_depth(depth), photo.height, photo.width)).astype(np.float32)
