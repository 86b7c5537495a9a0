"""How the backend comes to hold the points of photos, and which of its scenes are they.

The backend gets the points as their data-block holds them, one Blender unit as one metre; the unit of the scene, levelling,
calibration, duplicates and animation are all in the instance's matrix, so nothing of that needs another upload.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.blender import points as blender_points
from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.protocol.messages import Accepted, Message, UploadScene, cloud_fields

from ..runtime import session_uids
from ..runtime.objects import of
from . import edits, point_changes
from . import points as pointcloud
from .visible_splats import COLUMNS, SplatInstance, VisibleSplats


@dataclass(frozen=True, eq=False)
class Upload:
    """The points of a data-block on their way to the backend.

    Attributes:
        uid: of the data-block.
        version: of its content.
        make: gives the message, which takes a while; any thread.
    """

    uid: int
    version: int
    make: Callable[[], UploadScene]


class Arrived(NamedTuple):
    """An upload that the backend holds.

    Attributes:
        scene: as which.
        replaced: the scene in whose place it is, to be dropped; None if there was none or it is needed still.
    """

    scene: str
    replaced: str | None


@dataclass(frozen=True)
class _Held:
    scene: str
    version: int


class ResidentScenes:
    """Which scene of the backend holds which data-block. Any thread, but for :meth:`read`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._versions: dict[int, int] = {}
        self._edits: dict[int, tuple[Any, ...]] = {}
        self._base = 0

    def current(self, uid: int) -> str | None:
        """Id of the scene, or None if there is none with the content as it is now."""
        with self._lock:
            held = self._held.get(uid)
            return held.scene if held is not None and held.version == self._version(uid) else None

    def latest(self, uid: int) -> str | None:
        """Id of the scene with the content as it is now or, until that has been sent, as it was before."""
        with self._lock:
            held = self._held.get(uid)
            return None if held is None else held.scene

    def saw(self, visible: VisibleSplats) -> None:
        """The content of what a picture shows is another from now on where other points of it are left out."""
        with self._lock:
            for one in visible.instances:
                if self._edits.setdefault(one.uid, one.edits) != one.edits:
                    self._edits[one.uid] = one.edits
                    self._versions[one.uid] = self._versions.get(one.uid, 0) + 1

    def version(self, uid: int) -> int:
        """Number of the content of a data-block as it is now."""
        with self._lock:
            return self._version(uid)

    def invalidate(self, uid: int | None = None) -> None:
        """The content of a data-block, or of all, is another from now on."""
        with self._lock:
            if uid is None:
                self._base += 1
            else:
                self._versions[uid] = self._versions.get(uid, 0) + 1

    def forget_all(self) -> None:
        """The backend holds nothing any more."""
        with self._lock:
            self._held.clear()

    def read(self, instance: SplatInstance) -> Upload:
        """Take the points out of bpy. Main thread, or a render's.

        Raises:
            ImageTo3DError: they are gone.
        """
        points = session_uids.find(bpy.data.objects, instance.object_uid, instance.name)
        if points is None or points.data is None or points.data.session_uid != instance.uid:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.instance_gone", instance_name=instance.name)
        state = edits.state(points)
        with self._lock:
            version = self._version(instance.uid)
            self._edits[instance.uid] = state
        columns = [pointcloud.read(points, name) for name in COLUMNS]
        kept = edits.kept(points)
        if not kept.any():
            raise edits.nothing_left(points.name)
        return Upload(instance.uid, version, lambda: _message(*(column[kept] for column in columns)))

    def accept(self, upload: Upload, reply: Message | None) -> Arrived:
        """Take note of the answer to an upload.

        Raises:
            ImageTo3DError: ``internal``: it is no answer to one.
        """
        if not isinstance(reply, Accepted):
            raise unexpected_answer()
        with self._lock:
            before = self._held.get(upload.uid)
            self._held[upload.uid] = _Held(reply.scene, upload.version)
            needed = {held.scene for held in self._held.values()}
        return Arrived(reply.scene, before.scene if before is not None and before.scene not in needed else None)

    def _version(self, uid: int) -> int:
        return self._base + self._versions.get(uid, 0)


def _message(
    positions: NDArray[np.float32],
    scales: NDArray[np.float32],
    rotations: NDArray[np.float32],
    opacities: NDArray[np.float32],
    colours: NDArray[np.float32],
) -> UploadScene:
    where_they_are = blender_points.similarity(np.eye(4))
    cloud = blender_points.to_cloud(positions, scales, rotations, colours, opacities, where_they_are)
    return UploadScene(**cloud_fields(cloud))


def unexpected_answer() -> ImageTo3DError:
    """The error of a backend that speaks of something else."""
    return ImageTo3DError(ErrorCode.INTERNAL, "backend.unexpected_answer")


def _on_points(uid: int | None) -> None:
    of(ResidentScenes).invalidate(uid)


def on_register() -> None:
    """Hear of points that become others."""
    point_changes.LISTENERS.append(_on_points)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    point_changes.LISTENERS.remove(_on_points)
