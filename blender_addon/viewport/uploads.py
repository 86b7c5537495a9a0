"""Points on their way to the backend, for previews: sent where it lacks them, and again after a while where that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import bpy

from image_to_3d.core import ImageTo3DError
from image_to_3d.protocol import Event
from image_to_3d.protocol.messages import DropScene

from ..backend.connection import Connection
from ..runtime.objects import of
from ..scene.resident_scenes import ResidentScenes, Upload
from ..scene.visible_splats import SplatInstance, VisibleSplats
from .stream import RETRY_SECONDS, clock

MAX_RETRY_SECONDS = 30.0


class Uploads:
    """Of all viewports. Main thread.

    Args:
        ended: called after each upload with whether it failed.

    Attributes:
        failure: why the last one failed, or None.
    """

    def __init__(self, ended: Callable[[bool], None]) -> None:
        self.failure: ImageTo3DError | None = None
        self._ended = ended
        self._under_way: set[int] = set()  # data-blocks
        self._next = 0.0
        self._pause = RETRY_SECONDS

    @property
    def busy(self) -> bool:
        """Whether something is on its way."""
        return bool(self._under_way)

    def begin(self, failure: ImageTo3DError | None = None) -> None:
        """Wait no longer for the next attempt; ``failure`` is what is said until then."""
        self.failure, self._next = failure, 0.0

    def send_missing(self, pictures: Iterable[VisibleSplats], now: float) -> None:
        """Send what the pictures show and the backend does not hold as it is now, unless something has failed just before."""
        if now < self._next:
            return
        resident = of(ResidentScenes)
        for visible in pictures:
            for one in visible.instances:
                if one.uid not in self._under_way and resident.current(one.uid) is None:
                    self._send(one, now)

    def _send(self, instance: SplatInstance, now: float) -> None:
        try:
            upload = of(ResidentScenes).read(instance)
            of(Connection).submit(bpy.context, upload.make, lambda event: self._sent(upload, event))
        except ImageTo3DError as error:
            self._fail(error, now)
            return
        self._under_way.add(instance.uid)

    def _sent(self, upload: Upload, event: Event) -> None:
        self._under_way.discard(upload.uid)
        try:
            if event.error is not None:
                raise event.error
            arrived = of(ResidentScenes).accept(upload, event.reply)
        except ImageTo3DError as error:
            self._fail(error, clock())
            return
        self.failure, self._pause = None, RETRY_SECONDS
        if arrived.replaced is not None:
            of(Connection).submit(bpy.context, DropScene(arrived.replaced), lambda _: None)
        self._ended(False)

    def _fail(self, error: ImageTo3DError, now: float) -> None:
        self.failure = error
        self._next = now + self._pause
        self._pause = min(2 * self._pause, MAX_RETRY_SECONDS)
        self._ended(True)
