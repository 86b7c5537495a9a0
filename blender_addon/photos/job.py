"""One photo on its way: what it was started with, how far it is, what came of it.

Everything here but :func:`stage_text` runs away from Blender's main thread and touches no bpy.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_
from numpy.typing import NDArray

from image_to_3d.catalogue import STAGES, scale_sd
from image_to_3d.core import Cancelled, ErrorCode, GaussianCloud, ImageTo3DError
from image_to_3d.core.depth.heat_maps import cloud_heat_map
from image_to_3d.core.lengths.reapply import MeasurementState, Reapplied, reapply_measurements
from image_to_3d.protocol import ConnectionLost
from image_to_3d.protocol.messages import Message, Predict, Result, bytes_blob
from image_to_3d.protocol.schema import SchemaError

from .. import translations
from ..runtime.main_thread import SlicedTask
from ..runtime.objects import of
from ..scene import photo_result, photo_source
from ..scene.photo_result import PhotoResult
from ..scene.photo_source import PhotoSource
from ..scene.recipe import RecipeValues

_STAGES = {
    **STAGES,
    "read": n_("Reading the photo"),
    "start": n_("Starting the backend"),
    "connect": n_("Connecting"),
    "build": n_("Ready: leave the current mode to see it"),
}


def stage_text(stage: str, ahead: int = 0) -> str:
    """Words for a stage, and for how many photos are ahead while it waits; unknown ones speak for themselves."""
    if stage == "waiting" and ahead:
        return iface_("Waiting, {ahead} before this").format(ahead=ahead)
    if stage in _STAGES:
        return iface_(_STAGES[stage])
    words = translations.sentence(stage)
    return words[:1].upper() + words[1:]


@dataclass(frozen=True, eq=False)
class Arrival:
    """A finished job, made ready on the client's thread.

    Attributes:
        photo: what goes into the scene.
        reapplied: calibration and levelling of the photo that was made anew; None where nothing was measured.
    """

    photo: PhotoResult
    reapplied: Reapplied | None = None


@dataclass(frozen=True, eq=False)
class HeatMapArrival:
    """A finished depth map, made ready on the client's thread.

    Attributes:
        name: of the photo.
        rgba: (h, w, 4) float32 sRGB as Blender stores pixels, bottom row first.
        near, far: depth in metres at the bright and the dark end; None where the engine knows no metres.
    """

    name: str
    rgba: NDArray[np.float32]
    near: float | None
    far: float | None


class _Numbers:
    def __init__(self) -> None:
        self._count = itertools.count(1)

    def following(self) -> int:
        return next(self._count)


@dataclass(eq=False)
class PhotoJob:
    """A photo on its way.

    Attributes:
        recipe: that it was started with.
        scene: ``session_uid`` of the scene it goes to.
        metres_per_unit: of that scene when it was started.
        source: the photo.
        fields: of the message to the backend, but for the files.
        depth_path: depth file, empty for none.
        root: ``session_uid``, which outlives a change of names, of the root whose objects get the result; 0: new objects are made.
        measured: what was measured in the photo that is made anew, to be done again; None for nothing.
        number: tells jobs apart.
        ticket: of the request; 0 while it waits for its turn.
        stage, fraction, ahead: latest progress.
        cancelled: set when the person cancels; read by the client's thread.
        prepared: set when it is ready to be built, or, of a depth map, to be shown.
        work: its way into the scene, or None.
        failure: why it failed, or None.
    """

    recipe: RecipeValues
    scene: int
    metres_per_unit: float
    source: PhotoSource
    fields: dict[str, Any] = field(default_factory=dict)
    depth_path: str = ""
    root: int = 0
    measured: MeasurementState | None = None
    number: int = field(default_factory=lambda: of(_Numbers).following())
    ticket: int = 0
    stage: str = "read"
    ahead: int = 0
    fraction: float = 0.0
    started: float = field(default_factory=time.monotonic)
    cancelled: threading.Event = field(default_factory=threading.Event)
    prepared: Arrival | HeatMapArrival | None = None
    work: SlicedTask | None = None
    failure: ImageTo3DError | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def restarted(self) -> PhotoJob:
        """The same, not yet begun."""
        return replace(
            self,
            ticket=0,
            stage="read",
            fraction=0.0,
            cancelled=threading.Event(),
            prepared=None,
            work=None,
            failure=None,
        )

    def release(self) -> None:
        """Give back what came: some hundred megabytes, which a failed photo in the list need not keep."""
        self.prepared = self.work = None

    def find_root(self, objects: Iterable[Any]) -> Any | None:
        """The root among these objects, if it is still there. Main thread."""
        return next((obj for obj in objects if obj.session_uid == self.root), None)

    def request(self) -> Predict:
        """The message to the backend. Client's thread."""
        fields = {**self.fields, **self.source.fields()}
        if self.depth_path:
            path = Path(self.depth_path)
            fields |= {
                "depth_name": path.name,
                "depth_file": bytes_blob(photo_source.read_bytes(path, n_("depth file"))),
            }
        self.stage = "connect"
        return Predict(**fields)

    def prepare(self, reply: Message) -> Arrival | HeatMapArrival:
        """Everything about the answer that costs time. Client's thread."""
        result, cloud = self._cloud(reply)
        reapplied = None
        if self.measured is not None and cloud.grid is not None:
            sd = scale_sd(cloud.provenance.engine, cloud.provenance.metric)
            cloud, reapplied = reapply_measurements(cloud, self.measured, sd)
        return Arrival(
            photo_result.from_cloud(cloud, result, self.recipe, self.metres_per_unit, self.source), reapplied
        )

    def _cloud(self, reply: Message) -> tuple[Result, GaussianCloud]:
        if not isinstance(reply, Result):
            raise ConnectionLost("backend.unexpected_answer")
        try:
            cloud = reply.to_cloud()
        except SchemaError as error:
            raise ImageTo3DError(ErrorCode.INTERNAL, "backend.cloud_invalid", why=error) from None
        if not len(cloud):
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.no_points")
        if cloud.intrinsics is None:
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.no_camera")
        if self.cancelled.is_set():
            raise Cancelled
        return reply, cloud


class DepthMapJob(PhotoJob):
    """A photo whose depth is wanted as a picture, and nothing else."""

    def prepare(self, reply: Message) -> HeatMapArrival:
        """The picture. Client's thread."""
        _, cloud = self._cloud(reply)
        try:
            picture, scale = cloud_heat_map(cloud)
        except ValueError:
            raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.no_depth_map") from None
        rgba = np.ones((*picture.shape[:2], 4), np.float32)
        rgba[..., :3] = picture[::-1] / np.float32(255)
        metric = cloud.provenance.metric and scale.far > 0
        return HeatMapArrival(
            self.source.name, rgba, 1 / scale.near if metric else None, 1 / scale.far if metric else None
        )
