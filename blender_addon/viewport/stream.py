"""The pictures of one viewport: what is asked for, when, and how large. Main thread; talking is done by a thread of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from image_to_3d.blender.camera import camera_from_matrices
from image_to_3d.blender.preview import Resolution, pack_frame, scaled
from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.protocol import ConnectionLost, Endpoint, FrameThread
from image_to_3d.protocol.cameras import MAX_SIDE, camera_message
from image_to_3d.protocol.messages import Frame, Instance, Render

from ..runtime.objects import of
from ..scene import visible_splats
from ..scene.resident_scenes import ResidentScenes
from ..scene.visible_splats import VisibleSplats
from .overlay import Lens, Picture

STILL_SECONDS = 0.15
"""A view that has not changed for so long is drawn in full."""
MIN_INTERVAL = 0.03
"""Poses are sent at most so often, seconds."""
RETRY_SECONDS = 2.0
REST_SECONDS = 50.0
"""Who loses the backend after so long without asking it for anything lets it be gone: it has left because nobody needed it."""
_EARLIEST = 0.7
"""Share of the time of the last picture in which the next does not come."""
ANSWER_SECONDS = 35.0


@dataclass(frozen=True, eq=False)
class View:
    """What a viewport shows.

    Attributes:
        lens: its matrices.
        size: pixels.
        visible: photos in it.
        metres_per_unit: of its scene.
    """

    lens: Lens
    size: tuple[int, int]
    visible: VisibleSplats
    metres_per_unit: float
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        parts: list[NDArray[Any]] = [self.lens.projection, self.lens.view, np.array([*self.size, self.metres_per_unit])]
        for one in self.visible.instances:
            parts += [np.array([one.uid], np.int64), one.object_to_world]
        object.__setattr__(self, "key", b"".join(part.tobytes() for part in parts))


def view_of(context: bpy.types.Context, lens: Lens) -> View:
    """Of the viewport that is being drawn."""
    scene, region = context.scene, context.region
    visible = visible_splats.in_viewport(scene, context.view_layer, context.space_data)
    of(ResidentScenes).saw(visible)
    return View(lens, (region.width, region.height), visible, scene.unit_settings.scale_length)


@dataclass(frozen=True, eq=False)
class _Asked:
    view: View
    share: float
    back: float
    at: float


class Stream:
    """Pictures for one viewport.

    Args:
        find: says where the backend listens; called on another thread.

    Attributes:
        picture: to be drawn, or None.
        failure: why there is no newer one, or None.
        resolution: of pictures while the view moves.
        limit: largest share of the viewport's width and height.
        seconds: from asking to having the last picture.
    """

    def __init__(self, find: Callable[[], Endpoint]) -> None:
        self.picture: Picture | None = None
        self.failure: ImageTo3DError | None = None
        self.resolution = Resolution()
        self.limit = 1.0
        self.seconds = 0.0
        self.view: View | None = None
        self._frames = FrameThread(find, prepare=_pack)
        self._changed = -math.inf
        self._asked: dict[int, _Asked] = {}
        self._newest: tuple[bytes, tuple[str, ...], float] | None = None  # what was asked for last
        self._last_sent = self._last_came = -math.inf
        self._retry = 0.0
        self._scenes_lost = False
        self._rest: tuple[int, ...] | None = None  # versions of what it shows, while it rests

    @property
    def rests(self) -> bool:
        """The backend has left, and the picture there is stays until the view or the points change. Then another is started."""
        return self.view is not None and self._rest is not None and self._rest == _versions(self.view)

    @property
    def lost(self) -> bool:
        """The backend does not answer."""
        return isinstance(self.failure, ConnectionLost)

    def take_loss(self) -> bool:
        """Whether the backend has let go of scenes since this was asked last: it said so, or it was lost itself."""
        lost, self._scenes_lost = self._scenes_lost, False
        return lost

    def look(self, view: View, now: float) -> bool:
        """Tell what the viewport shows; returns whether that is new."""
        if self.view is not None and view.key == self.view.key:
            return False
        self.view, self._changed, self._rest = view, now, None
        if not view.visible.instances:
            self.picture = None
        return True

    def waits(self, now: float) -> bool:
        """True while a picture is on its way or will have to be asked for."""
        return bool(self._asked) or self._wanted_share(now) is not None or now - self._changed < STILL_SECONDS

    def expects(self, now: float) -> float:
        """Seconds in which nothing is to be done: until a picture may come, going by the last one, or one is to be asked for."""
        if not self._asked or self._wanted_share(now) is not None:
            return 0.0
        return min(asked.at for asked in self._asked.values()) + _EARLIEST * self.seconds - now

    def ask(self, now: float) -> None:
        """Ask for the picture of the view as it is, if that has not been done."""
        share = self._wanted_share(now)
        if share is None or now < self._retry or now - self._last_sent < MIN_INTERVAL:
            return
        assert self.view is not None
        instances = _instances(self.view)
        if not instances:
            return
        request, back = _request(self.view, instances, share)
        number = self._frames.submit(request)
        self._asked[number] = _Asked(self.view, share, back, now)
        self._newest = (self.view.key, _scenes(self.view), share)
        self._last_sent = now

    def pump(self, now: float) -> bool:
        """Take what has come; returns whether there is something new to be drawn."""
        fresh = False
        for number in [n for n, asked in self._asked.items() if now - asked.at > ANSWER_SECONDS]:
            del self._asked[number]  # dropped on the way, as pictures of another size than asked for are
            self._newest = None  # so it is asked for again
        for event in self._frames.poll():
            asked = self._asked.get(event.number)
            for number in [n for n in self._asked if n <= event.number]:  # older ones were skipped
                del self._asked[number]
            if event.error is not None:
                self._fail(event.error, now)
                fresh = True
            elif asked is not None:
                self._show(asked, event.prepared, now)
                fresh = True
        return fresh

    def close(self) -> None:
        """Stop the thread; it ends by itself soon."""
        self._frames.close(timeout=0.0)
        self.picture = None

    def _wanted_share(self, now: float) -> float | None:
        """Size to ask for, or None if there is nothing to ask for."""
        view = self.view
        if view is None or not view.visible.instances or self.rests:
            return None
        moving = now - self._changed < STILL_SECONDS
        share = min(self.limit, MAX_SIDE / max(view.size))
        if moving:
            share = min(share, self.resolution.stepped)
        known = self._newest is not None and self._newest[:2] == (view.key, _scenes(view))
        return None if known and (moving or self._newest[2] >= share) else share

    def _show(self, asked: _Asked, packed: NDArray[np.float32], now: float) -> None:
        service = now - max(asked.at, self._last_came)
        self._last_came, self.seconds = now, now - asked.at
        self.failure = None
        if asked.share < self.limit or self.resolution.share < 1.0:
            self.resolution.measured(asked.share, service)
        if self.view is not None and self.view.visible.instances:
            self.picture = Picture(packed, asked.view.lens, asked.back, asked.view.metres_per_unit)

    def _fail(self, error: ImageTo3DError, now: float) -> None:
        if error.code == ErrorCode.SCENE_UNKNOWN:
            self._newest, self._scenes_lost = None, True
            return
        if isinstance(error, ConnectionLost):
            self._scenes_lost |= not self.lost
            idle = not self._asked and now - max(self._last_sent, self._last_came) > REST_SECONDS
            self._asked.clear()
            self._newest = None
            if idle and self.picture is not None and self.view is not None:
                self._rest = _versions(self.view)
                return
            self.picture = None
            self._retry = now + RETRY_SECONDS
        self.failure = error


def _pack(frame: Frame) -> NDArray[np.float32]:
    return pack_frame(frame.colour, frame.depth)


def _scenes(view: View) -> tuple[str, ...]:
    resident = of(ResidentScenes)
    return tuple(resident.latest(one.uid) or "" for one in view.visible.instances)


def _versions(view: View) -> tuple[int, ...]:
    resident = of(ResidentScenes)
    return tuple(resident.version(one.uid) for one in view.visible.instances)


def _instances(view: View) -> list[Instance]:
    scenes = zip(view.visible.instances, _scenes(view), strict=True)
    return [one.to_wire(scene) for one, scene in scenes if scene]


def _request(view: View, instances: list[Instance], share: float) -> tuple[Render, float]:
    width, height = scaled(*view.size, share)
    nearest = view.visible.nearest(Matrix(view.lens.view), view.metres_per_unit)
    seen = camera_from_matrices(view.lens.projection, view.lens.view, width, height, view.metres_per_unit, nearest)
    return Render(0, instances, camera_message(seen.camera)), seen.back


def clock() -> float:
    """Seconds, for the functions above."""
    return time.monotonic()
