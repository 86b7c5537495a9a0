"""The inference worker: one process that holds the engines and runs one photo at a time."""

from __future__ import annotations

import logging
import time
from multiprocessing.connection import Connection

import psutil

from ...core.errors import Cancelled, ErrorCode, ImageTo3DError, is_out_of_memory
from ...engines.base import EngineOptions
from ...engines.pool import EnginePool
from ...protocol.errors import error_reply
from ...protocol.messages import ErrorReply, Message, Predict, ProgressReport
from ...protocol.wire import decode_request, encode
from ..prediction import predict
from .channel import MessageKind, number, split_key
from .runtime import (
    DEVICE_FAILURE,
    WorkerChannel,
    is_device_failure,
    out_of_memory,
    run_worker,
)

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.05


def worker_main(pipe: Connection, folder: str, options: EngineOptions) -> None:
    """Entry point of the process; returns when the frontend says so or is gone."""

    def work(channel: WorkerChannel) -> None:
        channel.ready({**describe_device(options), "renderer": describe_renderer()})
        InferenceWorker(channel, options).run()

    run_worker(pipe, folder, work)


def describe_renderer() -> str:
    """What pictures will be drawn with, one sentence; nothing is compiled and no GPU memory is used to find out."""
    from ...render.gsplat_renderer import probe

    why_not = probe()
    return f"Rendering on the CPU. {why_not}" if why_not else "Rendering with gsplat on the GPU."


def describe_device(options: EngineOptions) -> dict[str, str | int]:
    """What the engines will run on: a name for people and the free memory in bytes."""
    try:
        from ...engines.torch_runtime import choose_device, device_name, free_memory

        device = choose_device(options.device)
        return {"device": device_name(device), "memory": int(free_memory(device))}
    except (ImportError, ImageTo3DError) as error:
        return {"device": f"cpu, without networks ({error})", "memory": psutil.virtual_memory().available}


class InferenceWorker:
    """Runs requests that come through the channel, in order; answers each exactly once."""

    def __init__(self, channel: WorkerChannel, options: EngineOptions) -> None:
        self._channel = channel
        self._pool = EnginePool(options)
        self._told = ""  # which engine the frontend knows to be in memory
        self._cancelled: set[int] = set()
        self._waiting: list[tuple[int, list[bytes]]] = []

    def run(self) -> None:
        """Work until told to quit. Raises EOFError then."""
        while True:
            while not self._waiting:
                self._take(*self._channel.receive())
            key, (output, header) = self._waiting.pop(0)
            self._answer(key, output.decode(), header)
            self._cancelled.discard(key)
            self._tell_engine()

    def _take(self, kind: MessageKind, frames: list[bytes]) -> None:
        if kind is MessageKind.RUN:
            self._waiting.append(split_key(frames))
        elif kind is MessageKind.CANCEL:
            self._cancelled.add(split_key(frames)[0])
        elif kind is MessageKind.QUIT:
            raise EOFError
        elif kind is MessageKind.UNLOAD:
            self._pool.unload()
            self._tell_engine()

    def _tell_engine(self) -> None:
        if self._pool.loaded != self._told:
            self._told = self._pool.loaded
            self._channel.changed({"engine": self._told})

    def _answer(self, key: int, output: str, header: bytes) -> None:
        message_id, request = decode_request([header], self._channel.open)
        assert isinstance(request, Predict)
        last_sent = 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last_sent
            while self._channel.waiting():
                self._take(*self._channel.receive())
            if key in self._cancelled:
                raise Cancelled
            now = time.monotonic()
            if now - last_sent >= PROGRESS_SECONDS or fraction >= 1.0:
                last_sent = now
                report = encode(ProgressReport(stage, min(max(float(fraction), 0.0), 1.0)), message_id)
                self._channel.send(MessageKind.PROGRESS, number(key), *report)

        reply: Message
        poisoned = False
        try:
            reply = predict(request, self._pool, progress, output)
        except ImageTo3DError as error:
            reply = error_reply(error)
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:
            if is_out_of_memory(error):
                self._pool.unload()
                reply = out_of_memory("photo", "Close other programs or use a smaller engine.")
            else:
                log.exception("job %d failed", key)
                poisoned = is_device_failure(error)
                reply = DEVICE_FAILURE if poisoned else _engine_failed(error)
        self._channel.reply(key, message_id, reply, output, last=poisoned)
        if poisoned:
            raise EOFError


def _engine_failed(error: Exception) -> ErrorReply:
    return error_reply(
        ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.failed", name=type(error).__name__, why=str(error)[:200])
    )
