"""What both worker processes have in common: their end of the pipe, their logging, and that they die with the frontend."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgpack

from ...core.errors import ErrorCode, ImageTo3DError
from ...protocol.errors import error_reply
from ...protocol.mapped_files import map_file, write_blobs
from ...protocol.messages import ErrorReply, Message
from ...protocol.wire import encode
from ..shared_folder import no_room
from . import channel
from .channel import MessageKind, number

log = logging.getLogger(__name__)


class WorkerChannel:
    """A worker's connection with the frontend.

    Args:
        pipe: to the frontend.
        folder: shared folder for arrays.
    """

    def __init__(self, pipe: Connection, folder: str) -> None:
        self._pipe = pipe
        self._folder = Path(folder)
        self._lock = threading.Lock()

    def send(self, kind: MessageKind, *frames: bytes) -> None:
        """Raises OSError if the frontend is gone."""
        with self._lock:
            channel.send(self._pipe, kind, *frames)

    def receive(self) -> tuple[MessageKind, list[bytes]]:
        """Raises EOFError or OSError if the frontend is gone."""
        return channel.receive(self._pipe)

    def waiting(self) -> bool:
        """Has the frontend sent something?"""
        return self._pipe.poll()

    def open(self, name: str) -> memoryview:
        """A file of the shared folder. Raises OSError."""
        return map_file(self._folder / name)

    def ready(self, facts: dict[str, Any]) -> None:
        """Say that work can begin, and what does it."""
        self.send(MessageKind.READY, msgpack.packb(facts))

    def changed(self, facts: dict[str, Any]) -> None:
        """Say what has changed of the facts that :meth:`ready` told."""
        self.send(MessageKind.FACTS, msgpack.packb(facts))

    def reply(self, key: int, message_id: int, message: Message, output: str, last: bool = False) -> None:
        """Give the last reply to a job; its arrays go into the file ``output``."""
        header, *blobs = encode(message, message_id)
        if blobs:
            try:
                write_blobs(self._folder / output, blobs)
            except OSError as error:
                header, *_ = encode(error_reply(no_room(self._folder, error)), message_id)
        self.send(MessageKind.FINAL if last else MessageKind.DONE, number(key), header)


def out_of_memory(what: str, hint: str) -> ErrorReply:
    """The reply for want of memory."""
    return error_reply(ImageTo3DError(ErrorCode.OUT_OF_MEMORY, "backend.no_memory", what=what, hint=hint))


def is_device_failure(error: BaseException) -> bool:
    """True if the graphics card has failed in a way after which every further call in this process fails too.

    CUDA calls such errors sticky: the context is corrupted and only a new process helps (CUDA Runtime API, error handling).
    PyTorch words all of them ``CUDA error: …``; failures of cuBLAS and cuDNN are usually their echo.
    """
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("CUDA error", "cuBLAS error", "CUBLAS_STATUS", "cuDNN error", "CUDNN_STATUS")
    )


DEVICE_FAILURE = error_reply(ImageTo3DError(ErrorCode.ENGINE_FAILED, "backend.gpu_failed"))


def run_worker(pipe: Connection, folder: str, work: Callable[[WorkerChannel], None]) -> None:
    """Set up a worker process and let it work until the frontend says so or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the frontend decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    channel = WorkerChannel(pipe, folder)
    package = logging.getLogger("image_to_3d")
    package.setLevel(logging.INFO)
    package.propagate = False
    package.addHandler(_ToFrontend(channel))
    try:
        work(channel)
    except (EOFError, ConnectionError):  # the frontend says so, or is gone
        pass
    except Exception:
        log.exception("this worker cannot go on")
        raise SystemExit(1) from None


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _ToFrontend(logging.Handler):
    """Sends records to the frontend, which alone writes the log file."""

    def __init__(self, channel: WorkerChannel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # the frontend is gone, and so will this process be
            self._channel.send(MessageKind.LOG, number(record.levelno), self.format(record).encode("utf-8", "replace"))
