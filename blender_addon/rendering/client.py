"""Pictures that somebody waits for: blocking, but never without end. For render threads, not for the interface's.

The connection is kept from one frame of an animation to the next and closed when the render is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import Camera, Cancelled, ErrorCode, ImageTo3DError
from image_to_3d.protocol import Client, ConnectionLost, Endpoint
from image_to_3d.protocol.cameras import camera_message
from image_to_3d.protocol.client import frames_endpoint
from image_to_3d.protocol.errors import error_from_reply
from image_to_3d.protocol.messages import (
    ErrorReply,
    LinearFrame,
    Message,
    Render,
    UploadScene,
)

from ..scene.resident_scenes import ResidentScenes, unexpected_answer
from ..scene.visible_splats import SplatInstance

ANSWER_SECONDS = 600.0
"""A picture that takes longer than this is not awaited; a lost connection is noticed within seconds, whatever this says."""
_POLL_SECONDS = 0.05
_ATTEMPTS = 3

Find = Callable[[Callable[[], bool]], Endpoint]
"""Finds or starts the backend; takes a function that is asked whether to give up."""


@dataclass(frozen=True, eq=False)
class SplatPicture:
    """What is to be drawn.

    Attributes:
        instances: in this order.
        camera: in the frame of the first of them, see :func:`~image_to_3d.core.Camera.in_frame`.
        eps2d: pixels² added to every projected covariance.
    """

    instances: Sequence[SplatInstance]
    camera: Camera
    eps2d: float


class RenderClient:
    """The backend as a render sees it. One picture at a time, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: Client | None = None
        self._frames: Client | None = None

    def draw(
        self,
        find: Find,
        resident: ResidentScenes,
        picture: SplatPicture,
        given_up: Callable[[], bool],
        say: Callable[[str], None],
    ) -> LinearFrame:
        """One picture, however the backend stands at first: it is started, connected to and given what it lacks.

        Args:
            find: the backend.
            resident: what the backend holds.
            picture: to be drawn.
            given_up: asked often.
            say: called with what is being done.

        Raises:
            Cancelled: ``given_up`` said True.
            ImageTo3DError: why there is no picture.
        """
        with self._lock:
            for attempt in range(_ATTEMPTS):
                try:
                    return self._draw(find, resident, picture, given_up, say)
                except ConnectionLost:
                    self._close()
                    resident.forget_all()
                    if attempt == _ATTEMPTS - 1:
                        raise
                except ImageTo3DError as error:
                    if error.code is not ErrorCode.SCENE_UNKNOWN or attempt == _ATTEMPTS - 1:
                        raise
                    resident.forget_all()
            raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Let the backend go."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        for client in (self._control, self._frames):
            if client is not None:
                client.close()
        self._control = self._frames = None

    def _draw(
        self,
        find: Find,
        resident: ResidentScenes,
        picture: SplatPicture,
        given_up: Callable[[], bool],
        say: Callable[[str], None],
    ) -> LinearFrame:
        if self._control is None or self._frames is None:
            say(n_("Connecting"))
            self._close()
            self._control = Client(find(given_up))
            self._frames = Client(frames_endpoint(self._control))
        instances = []
        for one in picture.instances:
            scene = resident.current(one.uid)
            if scene is None:
                say(n_("Sending the points"))
                upload = resident.read(one)
                scene = resident.accept(upload, _ask(self._control, upload.make(), given_up)).scene
            instances.append(one.to_wire(scene))
        say(n_("Drawing splats"))
        message = Render(1, instances, camera_message(picture.camera), picture.eps2d, latest_only=False, linear=True)
        frame = _ask(self._frames, message, given_up)
        height, width = picture.camera.height, picture.camera.width
        if not isinstance(frame, LinearFrame) or frame.colour.shape != (height, width, 4):
            raise unexpected_answer()
        if frame.depth.shape != (height, width):
            raise unexpected_answer()
        return frame


def _ask(client: Client, request: UploadScene | Render, given_up: Callable[[], bool]) -> Message:
    """The answer to a request; what is given up is drawn all the same, and its picture ignored."""
    number = client.send(request)
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if given_up():
            raise Cancelled
        found = client.receive(_POLL_SECONDS)
        if found is None or found[0] != number:
            continue
        if isinstance(found[1], ErrorReply):
            raise error_from_reply(found[1])
        return found[1]
    raise ConnectionLost("backend.no_answer_in_time")


def in_first_frame(instances: Sequence[SplatInstance]) -> list[SplatInstance]:
    """The same, described in the frame of the first: that one then stands where its data-block has it, exactly."""
    to_first = np.linalg.inv(instances[0].object_to_world)
    rest = [replace(one, object_to_world=to_first @ one.object_to_world) for one in instances[1:]]
    return [replace(instances[0], object_to_world=np.eye(4)), *rest]
