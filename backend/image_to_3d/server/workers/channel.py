"""Messages between the front and its worker processes: a tag and a few small frames, over a pipe.

Arrays do not travel here; they lie in files of the shared folder (:mod:`~image_to_3d.protocol.mapped_files`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from multiprocessing.connection import Connection


class Tag(bytes, Enum):
    """What a message between the front and a worker means."""

    RUN = b"run"  # key, name of the file for the reply's arrays, then what the worker works on
    CANCEL = b"cancel"  # key
    UNLOAD = b"unload"  # forget engines and give memory back
    QUIT = b"quit"  # end the process
    READY = b"ready"  # msgpack: what the worker runs on
    FACTS = b"facts"  # msgpack: what has changed of that
    PROGRESS = b"progress"  # key, then a reply as on the wire
    DONE = b"done"  # key, then the header of the last reply; its arrays are in the named file
    LAST = b"last"  # like DONE, and the process ends after it
    LOG = b"log"  # level, text


def send(pipe: Connection, tag: Tag, *frames: bytes) -> None:
    """Write one message. Raises OSError if the other side is gone."""
    pipe.send_bytes(tag.value + b" %d" % len(frames))
    for frame in frames:
        pipe.send_bytes(frame)


def receive(pipe: Connection) -> tuple[Tag, list[bytes]]:
    """Read one message. Raises EOFError or OSError if the other side is gone."""
    tag, _, count = pipe.recv_bytes(64).partition(b" ")
    return Tag(tag), [pipe.recv_bytes() for _ in range(int(count))]


def number(value: int) -> bytes:
    """A number on the pipe."""
    return b"%d" % value


def split_key(frames: Sequence[bytes]) -> tuple[int, list[bytes]]:
    """(number of the job, the other frames)."""
    return int(frames[0]), list(frames[1:])
