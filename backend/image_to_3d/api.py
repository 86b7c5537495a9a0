"""The Python interface: ``import image_to_3d as i3d``. Everything here is a name of the package; docs/python.md has examples.

Conventions: arrays are in the OpenCV camera frame (x right, y down, z forward), in metres; pixels are (u, v) from the photo's upper
left corner, whose pixel has its centre at (0.5, 0.5); colours are linear RGB.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import pipeline
from .core import ErrorCode, FocalLength, GaussianCloud, ImageTo3DError
from .core.cloud.filtering import Filters
from .engines.base import EngineOptions, Progress, no_progress
from .engines.pool import EnginePool
from .engines.registry import EngineReadiness, engine_states
from .io.gaussian_files import read_scene, write_scene
from .io.photo import Photo
from .measuring import Measurements, Pixel, Question, analyse
from .pipeline import DepthEstimate, DepthSource, PhotoOptions, PhotoSource


@dataclass(frozen=True, eq=False)
class Scene:
    """What a photo became.

    Attributes:
        cloud: the Gaussians.
        photo: upright, with its focal length; None for a scene that was read from a file.
        engine: name of what made it; empty if the file does not tell.
        device, precision: what the engine ran on; empty for a file.
        seconds: wall time of each stage, and ``total``; empty for a file.
        warnings: sentences for a person.
    """

    cloud: GaussianCloud
    photo: Photo | None = None
    engine: str = ""
    device: str = ""
    precision: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of Gaussians."""
        return len(self.cloud)

    @property
    def metric(self) -> bool:
        """Whether lengths are metres without calibration."""
        return self.cloud.provenance.metric

    @property
    def focal(self) -> FocalLength | None:
        """Focal length in pixels and as 35 mm equivalent, with its source; None for a scene that was read from a file."""
        return None if self.photo is None else self.photo.focal

    def depth(self) -> NDArray[np.floating]:
        """(rows, cols) planar depth z of the visible layer, metres; NaN where nothing is known.

        Raises:
            ImageTo3DError: ``bad_request`` for a scene without picture grid.
        """
        if self.cloud.grid is None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "depth.scene_without_grid")
        return self.cloud.depth_image(0)

    def save(self, path: str | Path, *, layout: str = "", overwrite: bool = True) -> Path:
        """Write the Gaussians; the file appears whole or not at all.

        Args:
            path: its suffix says which kind of file: ``.ply``, ``.splat``, ``.spz``. Only a PLY keeps camera and picture grid,
                which measuring needs.
            layout: of a PLY: ``ply`` for every viewer, or ``ply-full``, the published SHARP's.
            overwrite: replace a file that exists.

        Returns:
            The path.

        Raises:
            ImageTo3DError: ``bad_request`` for another suffix or a file that exists; the disk is full or the folder not writable.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "files.name_taken", path=path)
        write_scene(path, self.cloud, layout)
        return path

    def measure(
        self,
        *,
        between: Sequence[tuple[Pixel, Pixel]] = (),
        known: Sequence[tuple[Pixel, Pixel, float]] = (),
        regions: Sequence[Sequence[Pixel]] = (),
        pitch_deg: float | None = None,
        roll_deg: float | None = None,
        north_deg: float | None = None,
        scale_sd: float | None = None,
    ) -> Measurements:
        """Planes, the room, and what else is asked for, as ``image-to-3d measure --json`` has it.

        Args:
            between: pairs of pixels whose distance is asked for.
            known: (pixel, pixel, metres) of lengths that you know: they calibrate the scale.
            regions: polygons of at least three pixels, whose plane, tilt and area are asked for.
            pitch_deg, roll_deg: of the camera, if both are known: up and clockwise are positive.
            north_deg: compass direction of the view, clockwise from north; None: as the photo's EXIF has it.
            scale_sd: relative standard deviation of the scale, if you know better than the engine's prior: 0.02 for 2 %.

        Returns:
            Lengths in metres with 95 % intervals.

        Raises:
            ImageTo3DError: ``bad_request`` for a scene without picture grid, pixels without depth, polygons without a plane,
                lengths that do not calibrate.
        """
        if north_deg is None and self.photo is not None:
            north_deg = self.photo.heading_deg
        question = Question(
            between=between,
            regions=regions,
            known=known,
            pitch_deg=pitch_deg,
            roll_deg=roll_deg,
            north_deg=north_deg,
            scale_sd=scale_sd,
        )
        return analyse(self.cloud, question).report()


def load(path: str | Path) -> Scene:
    """A scene from a file of Gaussians: ``.ply``, ``.splat``, ``.spz``.

    Raises:
        ImageTo3DError: ``image_unreadable``: it is missing or holds no Gaussians.
    """
    cloud = read_scene(path)
    return Scene(cloud, engine=cloud.provenance.engine)


def predict(
    photo: PhotoSource,
    depth: DepthSource | None = None,
    *,
    engine: str = "auto",
    focal_mm: float | None = None,
    fov_deg: float | None = None,
    resize_depth: bool = False,
    fill: bool | None = None,
    depth_max: float | None = None,
    alpha_threshold: float | None = None,
    max_gaussians: int | None = None,
    mask: NDArray[np.bool_] | None = None,
    device: str = "auto",
    precision: str = "auto",
    checkpoint: str | Path | None = None,
    progress: Progress = no_progress,
) -> Scene:
    """A photo to a scene of 3D Gaussians. The engine stays in memory for the next photo; :func:`unload` lets it go.

    Args:
        photo: a path, the bytes of a file, or pixels (H, W), (H, W, 1, 3 or 4): integers, or floats in [0, 1], sRGB, top row first.
        depth: of the same view, for the engine ``depth-map``: a path, or planar depth (H, W) in metres with NaN or 0 = unknown.
        engine: a name of :func:`list_engines`; ``auto``: ``depth-map`` with a depth file, else the best whose weights are here.
            Nothing is downloaded.
        focal_mm: focal length as 35 mm equivalent, 1 to 2000 mm; None: from the photo's EXIF.
        fov_deg: horizontal field of view in place of it, 1 to 175 degrees.
        resize_depth: stretch a depth map of the same aspect to the photo's size.
        fill: continue the background behind depth edges; None: as the engine does.
        depth_max: leave out what lies beyond so many metres.
        alpha_threshold: leave out Gaussians fainter than this, 0 to 1.
        max_gaussians: merge neighbours until at most so many are left.
        mask: (H, W) of any size over the photo: True where there shall be no Gaussians.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
        precision: of the network: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        checkpoint: weights of the engine, if not in the usual place.
        progress: called with stage and fraction of the whole; may raise :class:`Cancelled`, which ends the work.

    Raises:
        ImageTo3DError: ``image_unreadable``, ``image_too_large``, ``bad_request`` (unknown engine, options out of range, filters
            that leave nothing), ``weights_missing``, ``licence_not_accepted``, ``out_of_memory``, ``engine_failed``.
        Cancelled: from ``progress``.
    """
    pool = _pool(_engine_options(device, precision, checkpoint, engine))
    made = pipeline.predict(
        photo,
        depth,
        pool=pool,
        engine=engine,
        options=PhotoOptions(focal_mm, fov_deg, resize_depth),
        fill=fill,
        filters=Filters(depth_max, alpha_threshold, max_gaussians, mask),
        progress=progress,
    )
    return Scene(made.cloud, made.photo, made.engine, made.device, made.precision, made.seconds, made.warnings)


def estimate_depth(
    photo: PhotoSource,
    depth: DepthSource | None = None,
    *,
    engine: str = "auto",
    focal_mm: float | None = None,
    fov_deg: float | None = None,
    resize_depth: bool = False,
    device: str = "auto",
    precision: str = "auto",
    checkpoint: str | Path | None = None,
    progress: Progress = no_progress,
) -> DepthEstimate:
    """The depth of a photo at its own size, without Gaussians where the engine can do that.

    Arguments and errors are those of :func:`predict`.

    Returns:
        ``values`` (H, W) float32: planar depth in metres if ``metric``, else relative inverse depth, larger is nearer.
    """
    pool = _pool(_engine_options(device, precision, checkpoint, engine))
    options = PhotoOptions(focal_mm, fov_deg, resize_depth)
    return pipeline.estimate_depth(photo, depth, pool=pool, engine=engine, options=options, progress=progress)


def list_engines() -> list[EngineReadiness]:
    """Every engine, and whether it can run here: ``info.name``, ``info.metric``, ``state`` and, if it is not ready, a ``note``."""
    return engine_states()


def _engine_options(device: str, precision: str, checkpoint: str | Path | None, engine: str) -> EngineOptions:
    if checkpoint is None:
        return EngineOptions(device, precision)
    return EngineOptions(device, precision, str(checkpoint), checkpoint_of=engine)


class _Warm:
    """The pool that successive calls share; other options take the place of those before."""

    lock = threading.Lock()
    pool: EnginePool | None = None


def _pool(options: EngineOptions) -> EnginePool:
    with _Warm.lock:
        if _Warm.pool is None or _Warm.pool.options != options:
            if _Warm.pool is not None:
                _Warm.pool.unload()
            _Warm.pool = EnginePool(options)
        return _Warm.pool


def unload() -> None:
    """Give back the memory of the engine that is warm, if one is."""
    with _Warm.lock:
        if _Warm.pool is not None:
            _Warm.pool.unload()
