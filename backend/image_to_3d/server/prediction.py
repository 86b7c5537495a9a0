"""One ``predict`` request: what came, through the pipeline, into an answer."""

from __future__ import annotations

from .. import pipeline
from ..core.cloud.filtering import Filters
from ..core.errors import ErrorCode, ImageTo3DError, notice_fields
from ..engines.base import Progress
from ..engines.pool import EnginePool
from ..pipeline import DepthSource, PhotoOptions, PhotoSource
from ..protocol.messages import Focal, Predict, Result, cloud_fields


def predict(request: Predict, pool: EnginePool, progress: Progress, scene: str = "") -> Result:
    """Run a request.

    Args:
        request: as it came.
        pool: of the engines; its options are those of the person who started the backend.
        progress: gets the stages ``decode``, those of the engine, and ``pack``; may raise Cancelled.
        scene: id that the result will be known by.

    Raises:
        ImageTo3DError: with the code to reply.
    """
    prediction = pipeline.predict(
        _photo(request),
        _depth(request),
        pool=pool,
        engine=request.engine,
        options=PhotoOptions(
            request.mm35, request.fov_deg, request.resize_depth, request.photo_name, request.depth_name
        ),
        fill=request.fill,
        filters=_filters(request),
        precision=request.precision,
        progress=progress,
    )
    progress("pack", 1.0)
    focal = prediction.focal
    return Result(
        **cloud_fields(prediction.cloud),
        scene=scene,
        focal=Focal(focal.px, focal.mm35, focal.source),
        device=prediction.device,
        precision=prediction.precision,
        seconds=prediction.seconds,
        warnings=[str(warning) for warning in prediction.warnings],
        notices=[notice_fields(warning) for warning in prediction.warnings],
        heading_deg=prediction.photo.heading_deg,
    )


def _photo(request: Predict) -> PhotoSource:
    if request.photo_file is not None:
        return request.photo_file.data
    if request.photo_pixels is not None:
        return request.photo_pixels
    raise ImageTo3DError(ErrorCode.BAD_REQUEST, "backend.request_without_photo")


def _depth(request: Predict) -> DepthSource | None:
    return request.depth_metres if request.depth_file is None else request.depth_file.data


def _filters(request: Predict) -> Filters:
    return Filters(
        request.depth_max,
        request.alpha_threshold or None,
        request.max_gaussians,
        None if request.mask is None else request.mask > 0,
    )
