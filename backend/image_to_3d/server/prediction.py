"""One ``predict`` request: decode what came, run the engine, answer with the cloud."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..core.cloud.background_fill import with_fill
from ..core.cloud.filtering import Filters
from ..core.errors import ErrorCode, ImageTo3DError
from ..engines.base import Engine, EngineOptions, Progress
from ..engines.registry import resolve
from ..io.depth import clean_depth, decode_depth
from ..io.photo import Photo, decode_photo, photo_from_pixels
from ..protocol.messages import Focal, Predict, Result, cloud_fields

DEFAULT_OPTIONS = EngineOptions()


def decode_request_photo(request: Predict) -> Photo:
    """The photo of a request, with the focal length that a person gave if they gave one.

    Raises:
        ImageTo3DError: it cannot be read, is too large, or is missing.
    """
    if request.photo_file is not None:
        photo = decode_photo(request.photo_file.data, request.photo_name)
    elif request.photo_pixels is not None:
        photo = photo_from_pixels(request.photo_pixels, request.photo_name)
    else:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "The request brings no photo.", "Choose an image.")
    return photo.with_focal(request.mm35, request.fov_deg)


def _filters(request: Predict) -> Filters:
    return Filters(
        request.depth_max,
        request.alpha_threshold or None,
        request.max_gaussians,
        None if request.mask is None else request.mask > 0,
    )


def predict(
    request: Predict,
    engine_for: Callable[[str, str], Engine],
    progress: Progress,
    scene: str = "",
    options: EngineOptions = DEFAULT_OPTIONS,
) -> Result:
    """Run a request.

    Args:
        request: as it came.
        engine_for: ``engine_for(name, precision)`` gives a loaded engine.
        progress: gets the stages ``decode``, those of the engine, and ``pack``; may raise Cancelled.
        scene: id that the result will be known by.
        options: of the person who started the backend.

    Raises:
        ImageTo3DError: with the code to reply.
    """
    start = time.perf_counter()
    progress("decode", 0.0)
    photo = decode_request_photo(request)
    depth = None
    if request.depth_file is not None:
        depth = decode_depth(request.depth_file.data, request.depth_name)
    elif request.depth_metres is not None:
        depth = clean_depth(request.depth_metres, request.depth_name)
    if depth is not None and request.resize_depth:
        from ..engines.depth_map import stretch_to_photo

        depth = stretch_to_photo(depth, photo)
    decoded = time.perf_counter()
    wanted = options.preferred if request.engine == "auto" and depth is None else request.engine
    name = resolve(wanted, depth is not None, options.checkpoint)
    engine = engine_for(name, request.precision)
    prediction = engine.predict(photo, depth, progress)
    cloud = _filters(request).apply(with_fill(prediction.cloud, request.fill))
    progress("pack", 1.0)
    seconds = {"decode": decoded - start, **prediction.seconds, "total": time.perf_counter() - start}
    return Result(
        **cloud_fields(cloud),
        scene=scene,
        focal=Focal(photo.focal.px, photo.focal.mm35, photo.focal.source),
        device=prediction.device,
        precision=prediction.precision,
        seconds=seconds,
        warnings=[w for w in (*prediction.warnings, photo.focal.warning()) if w],
        heading_deg=photo.heading_deg,
    )
