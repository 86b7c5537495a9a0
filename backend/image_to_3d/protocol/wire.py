"""Framing: ``[header, blob, blob, …]``.

The header is msgpack: ``v`` protocol version, ``t`` type, ``i`` id, ``f`` fields, ``b`` descriptions of the blobs as
``[name, dtype, shape]``. Blobs are raw little-endian C-order arrays. Everything is checked against the schema before use;
nothing is allocated for a blob, it stays in the frame it came in.

Between processes of one account the blobs may lie in a mapped file instead (:mod:`.mapped_files`): the header then says ``m``, its
name, and no frames follow. Only who is given a way to open such names accepts that; requests over a socket never are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from ..core.errors import ErrorCode, ImageTo3DError
from .mapped_files import is_name, layout
from .messages import PROTOCOL_VERSION, REPLIES, REQUESTS, ErrorReply, Message
from .schema import SchemaError, array_fields, build, to_plain

MAX_HEADER_BYTES = 1_000_000
MAX_BLOBS = 16
MAX_COMPLAINT = 200

Buffer = bytes | memoryview
OpenMapped = Callable[[str], memoryview]
"""Gives the bytes of a mapped file by its name; raises OSError."""


class WireError(ImageTo3DError):
    """A message that cannot be understood.

    Attributes:
        request_id: id of the message if that much could be read, else 0.
    """

    def __init__(self, code: ErrorCode, key: str, /, *, request_id: int = 0, **values: Any) -> None:
        super().__init__(code, key, **values)
        self.request_id = request_id


class IncompatibleVersion(WireError):  # noqa: N818 - a state rather than a mistake
    """The other side speaks another version of the protocol.

    Attributes:
        peer: its version; None if that is no number.
    """

    def __init__(self, peer: object, request_id: int = 0) -> None:
        super().__init__(
            ErrorCode.INCOMPATIBLE_VERSION,
            "backend.incompatible",
            request_id=request_id,
            peer=str(peer)[:20],
            own=PROTOCOL_VERSION,
        )
        self.peer = peer if isinstance(peer, int) else None


def encode(message: Message, message_id: int, version: int = PROTOCOL_VERSION) -> list[Any]:
    """Frames of a message; arrays are passed on as memory views, not copied."""
    fields = to_plain(message)
    if isinstance(message, ErrorReply):  # peers of version 1 refuse a message with fields that they do not know
        fields = {
            name: value
            for name, value in fields.items()
            if value not in ("", None) or name in ("code", "message", "hint")
        }
    descriptions, blobs = [], []
    cls: Any = type(message)
    for name, (spec, _) in array_fields(cls).items():
        value = getattr(message, name)
        if value is None:
            continue
        values = np.ascontiguousarray(value)
        if values.dtype.newbyteorder("<").str not in spec.dtypes:
            raise TypeError(f"{type(message).__name__}.{name} holds {values.dtype}, expected {spec.dtypes}")
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        descriptions.append([name, values.dtype.str, list(values.shape)])
        blobs.append(values.reshape(-1).view(np.uint8).data if values.size else b"")
    header = {"v": version, "t": message.TYPE, "i": message_id, "f": fields, "b": descriptions}
    return [msgpack.packb(header, use_bin_type=True), *blobs]


def point_to_file(header: bytes, name: str) -> bytes:
    """The header of a message whose blobs lie in the mapped file ``name``."""
    packed: bytes = msgpack.packb({**msgpack.unpackb(header), "m": name}, use_bin_type=True)
    return packed


def frames_from_file(header: bytes, view: memoryview) -> list[Any]:
    """Frames of a message whose blobs lie in a mapped file, to be sent without copying.

    Args:
        header: as :func:`encode` made it, for the very blobs that were written to the file.
    """
    descriptions = msgpack.unpackb(header)["b"]
    sizes = [math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in descriptions]
    return [header, *(view[start : start + n] for start, n in zip(layout(sizes)[0], sizes, strict=True))]


def decode_request(frames: Sequence[Buffer], open_mapped: OpenMapped | None = None) -> tuple[int, Message]:
    """(id, request). Raises :class:`WireError`."""
    return _decode(frames, REQUESTS, open_mapped)


def decode_reply(frames: Sequence[Buffer], open_mapped: OpenMapped | None = None) -> tuple[int, Message]:
    """(id, reply). Raises :class:`WireError`."""
    return _decode(frames, REPLIES, open_mapped)


def version_of(frames: Sequence[Buffer]) -> object:
    """The protocol version that a message names. Raises :class:`WireError`."""
    return _header(frames).get("v")


def _bad(why: str, request_id: int = 0) -> WireError:
    return WireError(ErrorCode.BAD_REQUEST, "backend.message_malformed", request_id=request_id, why=why[:MAX_COMPLAINT])


def _header(frames: Sequence[Buffer]) -> dict[str, Any]:
    if not frames or len(frames[0]) > MAX_HEADER_BYTES or len(frames) > 1 + MAX_BLOBS:
        raise _bad("it has no header, too long a header or too many parts")
    try:
        header = msgpack.unpackb(frames[0], raw=False, strict_map_key=True)
    except Exception:  # msgpack raises several unrelated types, RecursionError-like ones included
        raise _bad("its header is damaged") from None
    if not isinstance(header, dict):
        raise _bad("its header is no object")
    return header


def _decode(
    frames: Sequence[Buffer], types: dict[str, type[Message]], open_mapped: OpenMapped | None
) -> tuple[int, Message]:
    header = _header(frames)
    request_id = header.get("i")
    if not isinstance(request_id, int) or isinstance(request_id, bool) or not 0 <= request_id < 2**63:
        raise _bad("its id is no positive integer")
    kind, version = header.get("t"), header.get("v")
    if (type(version) is not int or version != PROTOCOL_VERSION) and kind != "error":
        raise IncompatibleVersion(version, request_id)
    cls = types.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise _bad(f"its type {str(kind)[:40]!r} is unknown", request_id)
    try:
        descriptions: Any = header.get("b")
        sizes = _blob_sizes(cls, descriptions)
        blobs = _mapped(header["m"], sizes, open_mapped, frames) if "m" in header else frames[1:]
        message = build(cls, header.get("f"), cls.TYPE, _arrays(descriptions, sizes, blobs))
    except SchemaError as error:
        raise _bad(str(error), request_id) from None
    except RecursionError:
        raise _bad("its values are nested too deeply", request_id) from None
    return request_id, message


def _blob_sizes(cls: Any, descriptions: Any) -> list[int]:
    """Sizes in bytes of the described blobs, each checked against the field it is for."""
    if not isinstance(descriptions, list) or len(descriptions) > MAX_BLOBS:
        raise SchemaError("it does not describe its blobs")
    specs, seen, sizes = array_fields(cls), set(), []
    for description in descriptions:
        match description:
            case [str(name), str(dtype), list(shape)] if all(type(n) is int for n in shape):
                pass
            case _:
                raise SchemaError("a blob is described wrongly")
        if name not in specs or name in seen:
            raise SchemaError(f"it brings an unexpected blob {name[:40]!r}")
        seen.add(name)
        sizes.append(specs[name][0].check(name, dtype, tuple(shape)))
    return sizes


def _mapped(
    name: Any, sizes: Sequence[int], open_mapped: OpenMapped | None, frames: Sequence[Buffer]
) -> Sequence[Buffer]:
    if open_mapped is None or not is_name(name) or len(frames) != 1:
        raise SchemaError("it names a file where none is accepted")
    try:
        view = open_mapped(name)
    except OSError as error:
        raise SchemaError(f"the file with its arrays cannot be opened ({error.strerror})") from None
    offsets, total = layout(sizes)
    if len(view) != total:
        raise SchemaError(f"the file with its arrays has {len(view)} bytes in place of {total}")
    return [view[start : start + size] for start, size in zip(offsets, sizes, strict=True)]


def _arrays(descriptions: list[Any], sizes: Sequence[int], blobs: Sequence[Buffer]) -> dict[str, NDArray[Any]]:
    if len(blobs) != len(sizes):
        raise SchemaError(f"it describes {len(sizes)} blobs and brings {len(blobs)}")
    arrays = {}
    for (name, dtype, shape), size, blob in zip(descriptions, sizes, blobs, strict=True):
        if size != len(blob):
            raise SchemaError(f"{name} is declared with {size} bytes and has {len(blob)}")
        arrays[name] = np.frombuffer(blob, np.dtype(dtype)).reshape(shape)
    return arrays
