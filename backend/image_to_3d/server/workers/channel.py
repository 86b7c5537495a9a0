"""Messages between the frontend and its worker processes: a kind and a few small frames, over a pipe.

Arrays do not travel here; they lie in files of the shared folder (:mod:`~image_to_3d.protocol.mapped_files`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from multiprocessing.connection import Connection


class MessageKind(bytes, Enum):
    """What a message between the frontend and a worker means."""

    RUN = b"run"  # key, name of the file for the reply's arrays, then what the worker works on
    CANCEL = b"cancel"  # key
    UNLOAD = b"unload"  # forget engines and give memory back
    QUIT = b"quit"  # end the process
    READY = b"ready"  # msgpack: what the worker runs on
    FACTS = b"facts"  # msgpack: what has changed of that
    PROGRESS = b"progress"  # key, then a reply as on the wire
    DONE = b"done"  # key, then the header of the last reply; its arrays are in the named file
    FINAL = b"final"  # like DONE, and the process ends after it
    LOG = b"log"  # level, text


def send(pipe: Connection, kind: MessageKind, *frames: bytes) -> None:
    """Write one message. Raises OSError if the other side is gone."""
    pipe.send_bytes(kind.value + b" %d" % len(frames))
    for frame in frames:
        pipe.send_bytes(frame)


def receive(pipe: Connection) -> tuple[MessageKind, list[bytes]]:
    """Read one message. Raises EOFError or OSError if the other side is gone."""
    kind, _, count = pipe.recv_bytes(64).partition(b" ")
    return MessageKind(kind), [pipe.recv_bytes() for _ in range(int(count))]


def number(value: int) -> bytes:
    """A number on the pipe."""
    return b"%d" % value


def split_key(frames: Sequence[bytes]) -> tuple[int, list[bytes]]:
    """(number of the job, the other frames)."""
    return int(frames[0]), list(frames[1:])
