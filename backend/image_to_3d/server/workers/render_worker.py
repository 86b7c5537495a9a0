"""Inside the render worker: the renderer, and the scenes it draws."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import msgpack
import numpy as np
import psutil

from ...core import Camera, GaussianCloud, Intrinsics
from ...core.errors import ErrorCode, ImageTo3DError, is_out_of_memory
from ...core.imaging import frame_codec
from ...protocol.cameras import camera_of, matrix
from ...protocol.errors import error_reply
from ...protocol.messages import REPLIES, CloudMessage, CodedFrame, Frame, LinearFrame, Message, Render
from ...protocol.schema import SchemaError
from ...protocol.wire import decode_reply, decode_request, point_to_file
from ...render import Instance, Renderer, RenderSettings
from ...render.base import Pass
from ..frame_encoding import encode_colour, encode_depth, encode_surface
from .channel import MessageKind, split_key
from .runtime import DEVICE_FAILURE, WorkerChannel, is_device_failure, out_of_memory

log = logging.getLogger(__name__)

MAX_DETAIL = 16
_SHARE_OF_FREE_MEMORY = 0.25


def work(channel: WorkerChannel, make_renderer: Callable[[], tuple[Renderer, str]]) -> None:
    """Draw until told to quit. Raises EOFError then."""
    renderer, why = make_renderer()
    warm_up(renderer)
    worker = RenderWorker(channel, renderer, int(_SHARE_OF_FREE_MEMORY * free_memory(renderer.name)))
    channel.ready({"renderer": renderer.name, "why": why})
    worker.run()


def warm_up(renderer: Renderer) -> None:
    """Draw one Gaussian, so that whatever is compiled on first use is there before somebody waits for a picture."""
    one = np.ones((1, 3), np.float32)
    cloud = GaussianCloud(one, one, np.array([[1, 0, 0, 0]], np.float32), one, np.ones(1, np.float32))
    picture = renderer.render([Instance(cloud)], Camera.at_origin(Intrinsics.centred(16.0, 16, 16)), RenderSettings())
    encode_colour(picture.colour, picture.alpha)


def free_memory(renderer: str) -> int:
    """Bytes free where this renderer keeps its scenes."""
    if renderer == "gsplat":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


class ResidentClouds:
    """Clouds ready to be drawn, least recently used first to go.

    A renderer keeps what it derives from a cloud, the copy in GPU memory above all, only as long as the cloud itself lives.

    Args:
        budget_bytes: of their arrays; the clouds of one picture are always kept together.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._clouds: OrderedDict[str, GaussianCloud] = OrderedDict()

    def __len__(self) -> int:
        return len(self._clouds)

    def get(self, scene: str, load: Callable[[], GaussianCloud]) -> GaussianCloud:
        """The cloud, loaded if it is not here."""
        if scene not in self._clouds:
            self._clouds[scene] = load()
        self._clouds.move_to_end(scene)
        return self._clouds[scene]

    def shrink(self, needed: int) -> None:
        """Let the least recently used go until the budget is kept, but never the ``needed`` most recently used."""
        while len(self._clouds) > needed and sum(map(size_of, self._clouds.values())) > self._budget:
            self._clouds.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._clouds.clear()


def size_of(cloud: GaussianCloud) -> int:
    """Bytes of the arrays that are drawn."""
    return sum(a.nbytes for a in (cloud.positions, cloud.scales, cloud.rotations, cloud.colours, cloud.opacities))


class RenderWorker:
    """Draws what comes through the channel, in order; answers each request exactly once."""

    def __init__(self, channel: WorkerChannel, renderer: Renderer, budget_bytes: int) -> None:
        self._channel = channel
        self._renderer = renderer
        self._clouds = ResidentClouds(budget_bytes)

    def run(self) -> None:
        """Work until told to quit. Raises EOFError then."""
        while True:
            kind, frames = self._channel.receive()
            if kind is MessageKind.QUIT:
                raise EOFError
            if kind is MessageKind.RUN:
                key, (output, header, *scenes) = split_key(frames)
                self._answer(key, output.decode(), header, scenes)

    def _answer(self, key: int, output: str, header: bytes, scenes: list[bytes]) -> None:
        message_id, request = decode_request([header])
        assert isinstance(request, Render)
        reply: Message
        poisoned = False
        try:
            reply = self._draw(request, scenes)
        except ImageTo3DError as error:
            reply = error_reply(error)
        except (ValueError, SchemaError) as error:
            reply = error_reply(ImageTo3DError(ErrorCode.BAD_REQUEST, "rendering.picture_impossible", why=error))
        except Exception as error:
            if is_out_of_memory(error):
                self._clouds.clear()
                reply = out_of_memory("picture", "Render a smaller picture or close other programs.")
            else:
                log.exception("a picture failed")
                poisoned = is_device_failure(error)
                reply = (
                    DEVICE_FAILURE
                    if poisoned
                    else error_reply(
                        ImageTo3DError(
                            ErrorCode.INTERNAL, "rendering.failed", name=type(error).__name__, why=str(error)[:200]
                        )
                    )
                )
        self._channel.reply(key, message_id, reply, output, last=poisoned)
        if poisoned:
            raise EOFError

    def _draw(self, request: Render, scenes: list[bytes]) -> Frame | CodedFrame | LinearFrame:
        start = time.perf_counter()
        settings = render_settings(request)
        camera = camera_of(request.camera)
        headers = {name.decode(): header for name, header in zip(scenes[0::3], scenes[2::3], strict=True)}
        files = {name.decode(): file.decode() for name, file in zip(scenes[0::3], scenes[1::3], strict=True)}
        instances = [
            Instance(
                self._clouds.get(i.scene, partial(self._load, headers[i.scene], files[i.scene])),
                matrix(i.object_to_world, "object_to_world"),
            )
            for i in request.instances
        ]
        self._clouds.shrink(needed=len(headers))
        picture = self._renderer.render(instances, camera, settings)
        assert picture.depth is not None
        if request.linear:
            depth = picture.expected_depth()
            return LinearFrame(
                frame=request.frame,
                size=[camera.width, camera.height],
                colour=np.dstack([picture.colour, picture.alpha]),
                depth=np.where(np.isnan(depth), np.float32(np.inf), depth),
                seconds=time.perf_counter() - start,
            )
        colour = encode_colour(picture.colour, picture.alpha)
        depth16 = (
            encode_depth(picture.depth, picture.alpha) if picture.surface is None else encode_surface(picture.surface)
        )
        size = [camera.width, camera.height]
        if request.quality is not None:
            coded = frame_codec.encode_colour(colour, request.quality), frame_codec.encode_depth(depth16)
            return CodedFrame(request.frame, size, *coded, seconds=time.perf_counter() - start)
        return Frame(request.frame, size, colour, depth16, seconds=time.perf_counter() - start)

    def _load(self, header: bytes, file: str) -> GaussianCloud:
        decode = decode_reply if msgpack.unpackb(header)["t"] in REPLIES else decode_request
        _, message = decode([point_to_file(header, file)], self._channel.open)
        assert isinstance(message, CloudMessage)
        return message.to_cloud()


def render_settings(request: Render) -> RenderSettings:
    """How the picture is to be made. Raises ValueError."""
    if not 1 <= request.detail <= MAX_DETAIL:
        raise ValueError(f"detail is {request.detail}, between 1 and {MAX_DETAIL} is possible")
    if request.quality is not None and not 1 <= request.quality <= 100:
        raise ValueError(f"quality is {request.quality}, between 1 and 100 is possible")
    passes: tuple[Pass, ...] = ("colour", "depth") if request.linear else ("colour", "depth", "surface")
    return RenderSettings(eps2d=request.eps2d, passes=passes, detail=request.detail)
