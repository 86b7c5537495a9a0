"""One photo from its file to Gaussians: the road that command line, backend, web page and Python programs take.

Decode → depth file → choice of the engine → what the photo's lines tell of the camera → engine → fill behind edges → filters →
warnings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .core import ErrorCode, FocalLength, GaussianCloud, ImageTo3DError
from .core.cloud.background_fill import with_fill
from .core.cloud.filtering import Filters
from .core.depth.depth_maps import inverse_depth, resample_inverse_depth
from .engines.base import DisparityEngine, Engine, Progress, no_progress
from .engines.pool import EnginePool
from .io.depth import clean_depth, decode_depth, load_depth
from .io.photo import Photo, decode_photo, load_photo, photo_from_pixels
from .photo_camera import camera_of_photo

PhotoSource: TypeAlias = "str | Path | bytes | memoryview | NDArray[Any] | Photo"
"""A path, the bytes of a file, or pixels (H, W), (H, W, 1, 3 or 4): integers, or floats in [0, 1], sRGB, top row first."""
DepthSource: TypeAlias = "str | Path | bytes | memoryview | NDArray[Any]"
"""A path, the bytes of a file, or planar depth (H, W) in metres with NaN or 0 = unknown."""

NO_FILTERS = Filters()


@dataclass(frozen=True)
class PhotoOptions:
    """What is known of a photo beside its file.

    Attributes:
        mm35: focal length as 35 mm equivalent, millimetres; None: from the photo.
        fov_deg: horizontal field of view in place of it, degrees.
        resize_depth: stretch a depth map of the same aspect to the photo's size.
        name: of a photo that comes as bytes or pixels, for messages.
        depth_name: of depth that comes as bytes; its suffix says which kind of file it is.
    """

    mm35: float | None = None
    fov_deg: float | None = None
    resize_depth: bool = False
    name: str = ""
    depth_name: str = ""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The Gaussians of a photo, and how they came about.

    Attributes:
        cloud: in the OpenCV camera frame, metres if ``cloud.provenance.metric``.
        photo: upright, with its focal length.
        engine: name of the one that made it.
        device, precision: what it really ran on.
        seconds: wall time of each stage, ``decode`` first, and ``total``.
        warnings: sentences for a person.
    """

    cloud: GaussianCloud
    photo: Photo
    engine: str
    device: str
    precision: str
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def focal(self) -> FocalLength:
        """Focal length, with its source."""
        return self.photo.focal


@dataclass(frozen=True, eq=False)
class DepthEstimate:
    """What an engine knows about the depth of a photo.

    Attributes:
        values: (H, W) float32 at the photo's size: planar depth in metres if ``metric``, else disparity (larger is nearer);
            NaN is unknown.
        metric: which of the two.
        photo: upright, with its focal length.
        engine: name of the one that made it.
        seconds: wall time of each stage, ``decode`` first, and ``total``.
        warnings: sentences for a person.
    """

    values: NDArray[np.float32]
    metric: bool
    photo: Photo
    engine: str
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def inverse_depth(self) -> NDArray[np.floating]:
        """(H, W): larger is nearer in both cases."""
        return inverse_depth(self.values) if self.metric else self.values


def open_photo(source: PhotoSource, options: PhotoOptions | None = None) -> Photo:
    """A photo, upright, with the focal length that a person gave if they gave one.

    Raises:
        ImageTo3DError: ``image_unreadable``, ``image_too_large``, ``out_of_memory``; ``bad_request`` for a focal length out
            of range.
    """
    options = options or PhotoOptions()
    if isinstance(source, Photo):
        photo = source
    elif isinstance(source, (str, Path)):
        photo = load_photo(source)
    elif isinstance(source, (bytes, memoryview)):
        photo = decode_photo(source, options.name)
    else:
        photo = photo_from_pixels(np.asarray(source), options.name)
    return photo.with_focal(options.mm35, options.fov_deg)


def open_depth(source: DepthSource, photo: Photo, options: PhotoOptions | None = None) -> NDArray[np.float32]:
    """The depth map of a photo: (H, W) planar depth in metres, NaN = unknown.

    Raises:
        ImageTo3DError: ``image_unreadable``, ``image_too_large``; ``bad_request`` if it cannot be stretched to the photo.
    """
    options = options or PhotoOptions()
    if isinstance(source, (str, Path)):
        depth = load_depth(source)
    elif isinstance(source, (bytes, memoryview)):
        depth = decode_depth(source, options.depth_name)
    else:
        depth = clean_depth(np.asarray(source), options.depth_name)
    if options.resize_depth:
        from .engines.depth_map import stretch_to_photo

        depth = stretch_to_photo(depth, photo)
    return depth


def predict(
    photo: PhotoSource,
    depth: DepthSource | None = None,
    *,
    pool: EnginePool,
    engine: str = "auto",
    options: PhotoOptions | None = None,
    fill: bool | None = None,
    filters: Filters = NO_FILTERS,
    precision: str | None = None,
    progress: Progress = no_progress,
) -> Prediction:
    """Gaussians of a photo.

    Args:
        photo: the photo.
        depth: planar depth of the same view, which the engine ``depth-map`` lifts.
        pool: that the engine is taken from.
        engine: its name, or ``auto``.
        options: what is known of the photo beside its file.
        fill: see :func:`~image_to_3d.core.cloud.background_fill.with_fill`.
        filters: what is left out of the result.
        precision: of the network; None: as the pool's options say.
        progress: gets the stage ``decode`` and those of the engine; may raise :class:`~image_to_3d.core.Cancelled`.

    Raises:
        ImageTo3DError: with what a person can do about it.
        Cancelled: from ``progress``.
        Exception: whatever a defect of an engine raises; :func:`failure` makes a sentence of it.
    """

    def run(chosen: Engine, opened: Photo, depth_map: NDArray[np.float32] | None) -> Prediction:
        start = time.perf_counter()
        camera = camera_of_photo(opened)
        opened = replace(opened, focal=camera.focal)
        seconds = {"camera": time.perf_counter() - start}
        answer = chosen.predict(opened, depth_map, progress)
        cloud = replace(answer.cloud, provenance=camera.noted_in(answer.cloud.provenance))
        cloud = filters.apply(with_fill(cloud, fill))
        warnings = tuple(warning for warning in (*answer.warnings, opened.focal.warning(), camera.warning()) if warning)
        seconds |= answer.seconds
        return Prediction(cloud, opened, chosen.info.name, answer.device, answer.precision, seconds, warnings)

    return _run(run, photo, depth, pool, engine, options, precision, progress)


def estimate_depth(
    photo: PhotoSource,
    depth: DepthSource | None = None,
    *,
    pool: EnginePool,
    engine: str = "auto",
    options: PhotoOptions | None = None,
    progress: Progress = no_progress,
) -> DepthEstimate:
    """Depth of a photo by any engine: the disparity of engines that have one, else the front layer of their Gaussians.

    Args and errors are those of :func:`predict`.
    """

    def run(chosen: Engine, opened: Photo, depth_map: NDArray[np.float32] | None) -> DepthEstimate:
        name = chosen.info.name
        if opened.focal.source == "assumed":
            opened = replace(opened, focal=camera_of_photo(opened).focal)
        if isinstance(chosen, DisparityEngine):
            start = time.perf_counter()
            disparity = chosen.disparity(opened, progress)
            return DepthEstimate(disparity, False, opened, name, {"network": time.perf_counter() - start})
        answer = chosen.predict(opened, depth_map, progress)
        coarse = inverse_depth(answer.cloud.depth_image(0))
        with np.errstate(divide="ignore"):
            fine = (1.0 / resample_inverse_depth(coarse, opened.height, opened.width)).astype(np.float32)
        return DepthEstimate(fine, True, opened, name, dict(answer.seconds), answer.warnings)

    return _run(run, photo, depth, pool, engine, options, None, progress)


Answer = TypeVar("Answer", Prediction, DepthEstimate)


def _run(
    run: Callable[[Engine, Photo, NDArray[np.float32] | None], Answer],
    photo: PhotoSource,
    depth: DepthSource | None,
    pool: EnginePool,
    engine: str,
    options: PhotoOptions | None,
    precision: str | None,
    progress: Progress,
) -> Answer:
    """What all ways have in common; times are written into the answer."""
    start = time.perf_counter()
    progress("decode", 0.0)
    opened = open_photo(photo, options)
    depth_map = None if depth is None else open_depth(depth, opened, options)
    decoded = time.perf_counter()
    with pool.use(pool.resolve(engine, depth_map is not None), precision) as chosen:
        answer = run(chosen, opened, depth_map)
    seconds = {"decode": decoded - start, **answer.seconds, "total": time.perf_counter() - start}
    return replace(answer, seconds=seconds)


def failure(error: Exception, hint: str = "") -> ImageTo3DError:
    """Any exception of a photo as one with a sentence: a defect of an engine ends its photo and nothing else.

    Args:
        error: as it was raised.
        hint: for one that is no :class:`~image_to_3d.core.ImageTo3DError`.
    """
    if isinstance(error, ImageTo3DError):
        return error
    kind = type(error).__name__
    return ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.failed_on_photo", name=kind, why=error, hint=hint)
