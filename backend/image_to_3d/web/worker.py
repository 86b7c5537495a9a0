"""A photo → the files that the page shows: heat map, splats for the viewer, PLY."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core import Cancelled, ErrorCode, GaussianCloud, ImageTo3DError
from ..core.cloud.background_fill import invented
from ..core.cloud.filtering import merged
from ..core.depth.heat_maps import cloud_heat_map
from ..engines.base import EngineOptions, Progress
from ..engines.pool import EnginePool
from ..io.heat_map_pictures import with_legend
from ..io.images import write_png
from ..io.photo import Photo
from ..io.ply import write_ply
from ..io.splat import write_splat
from ..pipeline import PhotoOptions, Prediction, failure, predict

VIEWED = 400_000
"""Gaussians that the viewer gets at most: what the graphics of a laptop draw smoothly. The PLY holds all."""
KEPT = 12
"""Results whose files are kept; older ones go."""
IDLE_SECONDS = 600.0
"""After so long without a photo the engine is unloaded."""
_NETWORK_SHARE = 0.85


@dataclass(frozen=True)
class PhotoRequest:
    """What a person asked for.

    Attributes:
        photo: file.
        engine: name, or ``auto``.
        mm35: focal length as 35 mm equivalent; None: from the photo.
        depth: depth file for the engine ``depth-map``, or None.
        fill: see :func:`~image_to_3d.core.cloud.background_fill.with_fill`.
        legend: a scale beside the heat map.
    """

    photo: Path
    engine: str = "auto"
    mm35: float | None = None
    depth: Path | None = None
    fill: bool | None = True
    legend: bool = True


@dataclass(frozen=True)
class PhotoFiles:
    """The files of a photo.

    Attributes:
        name: of the result, in addresses.
        heat_map, splats, camera, ply: files; ``camera`` is JSON for the viewer.
        sentences: what it is: engine, number of points, depths.
        warnings: what to mind.
    """

    name: str
    heat_map: Path
    splats: Path
    camera: Path
    ply: Path
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


class PredictionWorker:
    """Makes one photo after the other, with the engine of the last one kept in memory.

    Args:
        folder: for results; those of a photo are in the subfolder ``PhotoFiles.name``.
        options: device, precision, checkpoint.
        idle_seconds: after so long without a photo the engine gives its memory back; None: never.

    Attributes:
        pool: of the engines.
    """

    def __init__(
        self, folder: Path, options: EngineOptions | None = None, idle_seconds: float | None = IDLE_SECONDS
    ) -> None:
        self.folder = folder
        self.pool = EnginePool(options, idle_seconds)
        self._kept: list[str] = []
        self._at_work = threading.Lock()

    def make(self, request: PhotoRequest, progress: Progress) -> PhotoFiles:
        """Work on a request; waits while another one is worked on.

        Raises:
            ImageTo3DError: in words for a person.
            Cancelled: from ``progress``.
        """
        while not self._at_work.acquire(timeout=0.2):
            progress("waiting", 0.0)
        try:
            return self._make(request, progress)
        finally:
            self._at_work.release()

    def _make(self, request: PhotoRequest, progress: Progress) -> PhotoFiles:
        prediction = predict(
            request.photo,
            request.depth,
            pool=self.pool,
            engine=request.engine,
            options=PhotoOptions(request.mm35),
            fill=request.fill,
            progress=lambda stage, share: progress(stage, _NETWORK_SHARE * share),
        )
        progress("write", _NETWORK_SHARE)
        cloud = prediction.cloud
        name = secrets.token_hex(8)
        place = self.folder / name
        place.mkdir(parents=True)
        stem = Path(prediction.photo.name).stem or "photo"
        try:
            files = PhotoFiles(
                name, place / f"{stem}.heatmap.png", place / "scene.splat", place / "camera.json", place / f"{stem}.ply",
                _facts(prediction), prediction.warnings,
            )  # fmt: skip
            write_png(files.heat_map, heat_map_of(cloud, request.legend))
            progress("write", 0.9)
            write_ply(files.ply, cloud)
            progress("write", 0.95)
            write_splat(files.splats, merged(cloud, VIEWED) if cloud.grid is not None else cloud)
            files.camera.write_text(json.dumps(viewer_camera(cloud, prediction.photo)), "utf-8")
            progress("write", 1.0)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        self._keep(name)
        return files

    def _keep(self, name: str) -> None:
        self._kept.append(name)
        while len(self._kept) > KEPT:
            shutil.rmtree(self.folder / self._kept.pop(0), ignore_errors=True)


def heat_map_of(cloud: GaussianCloud, legend: bool) -> np.ndarray:
    """Depth of the visible layer in colours (h, w, 3) uint8, near is bright.

    Raises:
        ImageTo3DError: ``engine_failed`` for a cloud without a picture grid.
    """
    try:
        picture, scale = cloud_heat_map(cloud)
    except ValueError:
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.no_depth_picture") from None
    return with_legend(picture, scale, cloud.provenance.metric) if legend else picture


def viewer_camera(cloud: GaussianCloud, photo: Photo) -> dict[str, float]:
    """What the viewer must know: the photo's field of view, and how far the middle of the scene is."""
    k = photo.intrinsics
    return {
        "fov_y": float(2 * np.arctan(k.height / (2 * k.fy))),
        "fov_x": float(2 * np.arctan(k.width / (2 * k.fx))),
        "distance": float(np.median(cloud.positions[:, 2])),
        "far": float(cloud.positions[:, 2].max()),
        "gaussians": len(cloud),
    }


def _facts(prediction: Prediction) -> tuple[str, ...]:
    cloud = prediction.cloud
    z = cloud.positions[:, 2]
    added = int(invented(cloud).sum())
    unit = "m" if cloud.provenance.metric else "m (not metric: calibrate)"
    filled = f", {added:,} of them filled in behind edges" if added else ""
    return (
        f"Engine {prediction.engine} on {prediction.device}, {prediction.seconds['total']:.1f} s.",
        f"{len(cloud):,} Gaussians{filled}; from {z.min():.2f} to {z.max():.2f} {unit}.",
    )


class RunningRequest:
    """A request on a thread of its own.

    Attributes:
        stage, fraction: latest progress.
        files: the result when it is there.
        failure: why it is not.
    """

    def __init__(self, worker: PredictionWorker, request: PhotoRequest) -> None:
        self.stage, self.fraction = "decode", 0.0
        self.files: PhotoFiles | None = None
        self.failure: ImageTo3DError | None = None
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(worker, request), daemon=True)
        self._thread.start()

    @property
    def cancelled(self) -> bool:
        """Whether a person gave it up."""
        return self._given_up.is_set()

    def cancel(self) -> None:
        """Stop as soon as the engine listens."""
        self._given_up.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; True once it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self, worker: PredictionWorker, request: PhotoRequest) -> None:
        try:
            self.files = worker.make(request, self._progress)
        except Cancelled:
            self._given_up.set()
        except Exception as error:  # a defect of an engine must not leave the page waiting
            self.failure = failure(error)

    def _progress(self, stage: str, fraction: float) -> None:
        if self._given_up.is_set():
            raise Cancelled
        self.stage, self.fraction = stage, fraction


OnAddress = Callable[[str], None]
"""Told the address of the page once it is served."""
