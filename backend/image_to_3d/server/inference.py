"""The inference worker: one process that holds the engines and runs one photo at a time."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from multiprocessing import parent_process
from multiprocessing.connection import Connection

import msgpack
import psutil

from ..core.errors import Cancelled, ErrorCode, ImageTo3DError
from ..engines.base import Engine, EngineOptions
from ..protocol.messages import ErrorReply, Message, Predict, ProgressReport, Result
from ..protocol.wire import decode_request, encode
from .pipes import Tag, key_bytes, receive, send, split_key
from .prediction import predict

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.05


def worker_main(pipe: Connection, options: EngineOptions) -> None:
    """Entry point of the process; returns when the front says so or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the front decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    worker = InferenceWorker(pipe, options)
    try:
        send(pipe, Tag.READY, msgpack.packb(describe_device(options)))
        worker.run()
    except (EOFError, OSError):
        pass


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def describe_device(options: EngineOptions) -> dict[str, str | int]:
    """What the engines will run on: a name for people and the free memory in bytes."""
    try:
        from ..engines.torch_runtime import choose_device, device_name, free_memory

        device = choose_device(options.device)
        return {"device": device_name(device), "memory": int(free_memory(device))}
    except (ImportError, ImageTo3DError) as error:
        return {"device": f"cpu, without networks ({error})", "memory": psutil.virtual_memory().available}


def is_out_of_memory(error: BaseException) -> bool:
    """True for want of memory of any kind: Python's, PyTorch's on the CPU, or a graphics card's."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"  # torch's, which need not be imported to know it
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def is_device_failure(error: BaseException) -> bool:
    """True if the graphics card has failed in a way after which every further call in this process fails too.

    CUDA calls such errors sticky: "The only way to continue using CUDA is to terminate the process" (CUDA Runtime API,
    error handling). PyTorch words all of them ``CUDA error: …``; cuBLAS and cuDNN failures are usually their echo.
    """
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("CUDA error", "cuBLAS error", "CUBLAS_STATUS", "cuDNN error", "CUDNN_STATUS")
    )


class InferenceWorker:
    """Runs requests that come through the pipe, in order; answers each with exactly one ``DONE``."""

    def __init__(self, pipe: Connection, options: EngineOptions) -> None:
        self._pipe = pipe
        self._options = options
        self._engines: dict[tuple[str, str], Engine] = {}
        self._cancelled: set[int] = set()
        self._waiting: list[tuple[int, list[bytes]]] = []
        self._poisoned = False  # nothing on the GPU works any more in this process

    def run(self) -> None:
        """Work until told to quit. Raises EOFError then."""
        while True:
            while not self._waiting:
                self._take(*receive(self._pipe))
            key, frames = self._waiting.pop(0)
            message_id, reply = self._answer(key, frames)
            send(self._pipe, Tag.LAST if self._poisoned else Tag.DONE, key_bytes(key), *encode(reply, message_id))
            if self._poisoned:
                raise EOFError
            self._cancelled.discard(key)

    def _take(self, tag: Tag, frames: list[bytes]) -> None:
        if tag is Tag.RUN:
            self._waiting.append(split_key(frames))
        elif tag is Tag.CANCEL:
            self._cancelled.add(split_key(frames)[0])
        elif tag is Tag.QUIT:
            raise EOFError
        elif tag is Tag.UNLOAD:
            self._unload()

    def _unload(self) -> None:
        for engine in self._engines.values():
            engine.unload()
        self._engines.clear()

    def _answer(self, key: int, frames: list[bytes]) -> tuple[int, Message]:
        message_id, request = decode_request(frames)
        assert isinstance(request, Predict)
        last_sent = 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last_sent
            while self._pipe.poll():
                self._take(*receive(self._pipe))
            if key in self._cancelled:
                raise Cancelled
            now = time.monotonic()
            if now - last_sent >= PROGRESS_SECONDS or fraction >= 1.0:
                last_sent = now
                report = encode(ProgressReport(stage, float(fraction)), message_id)
                send(self._pipe, Tag.PROGRESS, key_bytes(key), *report)

        try:
            result: Result = predict(request, self._engine, progress)
            return message_id, result
        except ImageTo3DError as error:
            return message_id, ErrorReply(error.code.value, error.message, error.hint)
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:
            if is_out_of_memory(error):
                self._unload()
                return message_id, ErrorReply(
                    ErrorCode.OUT_OF_MEMORY.value,
                    "There is not enough memory for this photo.",
                    "Close other programs or use a smaller engine.",
                )
            log.exception("job %d failed", key)
            if is_device_failure(error):
                self._poisoned = True
                return message_id, ErrorReply(
                    ErrorCode.ENGINE_FAILED.value,
                    "The graphics card reported an error and is being set up again.",
                    "Try again in a moment; if it happens again, update its driver or use the CPU (--device cpu).",
                )
            return message_id, ErrorReply(
                ErrorCode.ENGINE_FAILED.value,
                f"The engine failed: {type(error).__name__}: {error}.",
                "Try another engine; the backend's log has the details.",
            )

    def _engine(self, name: str, precision: str) -> Engine:
        """The engine, kept warm between photos; others are unloaded to make room."""
        from ..engines.registry import create_engine

        wanted = (name, precision)
        if wanted not in self._engines:
            self._unload()
            options = EngineOptions(self._options.device, precision, self._options.checkpoint)
            self._engines[wanted] = create_engine(name, options)
        return self._engines[wanted]
