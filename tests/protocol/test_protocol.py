"""The wire: every message survives the trip, everything else is refused with a sentence."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import types
import typing
from typing import Any, Literal

import hypothesis.extra.numpy as hnp
import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.protocol import messages as m
from image_to_3d.protocol.arrays import PHOTO_BYTES
from image_to_3d.protocol.errors import error_reply
from image_to_3d.protocol.schema import ArraySpec, SchemaError, array_fields, field_types
from image_to_3d.protocol.wire import (
    MAX_BLOBS,
    MAX_HEADER_BYTES,
    IncompatibleVersion,
    WireError,
    decode_reply,
    decode_request,
    encode,
)

ALL = {**m.REQUESTS, **m.REPLIES}
NAMES = sorted(ALL)


# --- the schema itself -----------------------------------------------------------------------------------------------


def annotations_of(cls: type) -> list[Any]:
    """Every annotation reachable from a message class, nested ones included."""
    found: list[Any] = []

    def walk(annotation: Any) -> None:
        found.append(annotation)
        if dataclasses.is_dataclass(annotation):
            for inner in field_types(annotation).values():
                walk(inner)
            return
        leaf = annotation == m.JsonObject or hasattr(annotation, "__metadata__")
        if not leaf and typing.get_origin(annotation) is not Literal:
            for inner in typing.get_args(annotation):
                walk(inner)

    for annotation in field_types(cls).values():
        walk(annotation)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_annotations_use_only_what_the_schema_checks(name: str) -> None:
    for annotation in annotations_of(ALL[name]):
        origin = typing.get_origin(annotation)
        known = (
            annotation in (int, float, str, bool, type(None), m.JsonObject)
            or origin in (list, dict, Literal, typing.Union, types.UnionType)
            or dataclasses.is_dataclass(annotation)
            or any(isinstance(extra, ArraySpec) for extra in getattr(annotation, "__metadata__", ()))
        )
        assert known, f"{name}: {annotation} is not part of the schema language"


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_frozen_named_once_and_explained(name: str) -> None:
    cls = ALL[name]
    assert name == cls.TYPE
    assert cls.__doc__ and not cls.__doc__.startswith(f"{cls.__name__}(")
    assert cls.__dataclass_params__.frozen  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_arrays_are_little_endian_and_bounded(name: str) -> None:
    for field, (spec, _) in array_fields(ALL[name]).items():
        assert spec.max_bytes > 0, field
        for dtype in spec.dtypes:
            assert dtype[0] in "<|" and np.dtype(dtype).kind in "uif", field


def test_the_messages_are_those_of_the_design() -> None:
    assert set(m.REQUESTS) == {
        "hello",
        "predict",
        "cancel",
        "upload_scene",
        "drop_scene",
        "render",
        "status",
        "shutdown",
    }
    assert set(m.REPLIES) == {
        "welcome",
        "accepted",
        "progress",
        "result",
        "frame",
        "linear_frame",
        "coded_frame",
        "state",
        "error",
    }


# --- round trips -----------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Valid values of an annotation of the schema language."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, ArraySpec):
            shape = st.tuples(*(st.integers(0, 4) if n is None else st.just(n) for n in extra.shape))
            return st.one_of([hnp.arrays(np.dtype(dtype), shape) for dtype in extra.dtypes])
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation == m.JsonObject:
        return st.dictionaries(st.text(), JSON, max_size=3)
    if origin in (typing.Union, types.UnionType):
        return st.none() | values_of(next(a for a in args if a is not type(None)))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is list:
        return st.lists(values_of(args[0]), max_size=4)
    if origin is dict:
        return st.dictionaries(st.text(), values_of(args[1]), max_size=4)
    if dataclasses.is_dataclass(annotation):
        return instances_of(typing.cast(type, annotation))
    return {
        int: st.integers(-(2**63) + 1, 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(),
        bool: st.booleans(),
    }[annotation]


def instances_of(cls: type) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{name: values_of(annotation) for name, annotation in field_types(cls).items()})


ANY_MESSAGE = st.sampled_from(NAMES).flatmap(lambda name: instances_of(ALL[name]))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


def on_the_wire(frames: list[Any]) -> list[bytes]:
    return [bytes(frame) for frame in frames]


def decode(message: m.Message, frames: list[bytes]) -> tuple[int, m.Message]:
    return decode_request(frames) if message.TYPE in m.REQUESTS else decode_reply(frames)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), message_id=st.integers(0, 2**63 - 1))
def test_every_message_comes_back_as_it_was_sent(name: str, data: st.DataObject, message_id: int) -> None:
    message = data.draw(instances_of(ALL[name]))
    received_id, received = decode(message, on_the_wire(encode(message, message_id)))
    assert received_id == message_id
    assert same(received, message)


def test_arrays_are_neither_copied_on_the_way_out_nor_on_the_way_in() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    frames = encode(m.Predict(photo_pixels=pixels), 1)
    assert np.shares_memory(np.frombuffer(frames[1], np.uint8), pixels)
    frames[1] = bytes(frames[1])
    _, received = decode_request(frames)
    assert isinstance(received, m.Predict)
    assert np.shares_memory(received.photo_pixels, np.frombuffer(frames[1], np.uint8))


def test_big_endian_and_strided_arrays_are_sent_in_the_order_of_the_wire() -> None:
    depth = np.arange(24, dtype=">f4").reshape(4, 6).T[::-1]
    _, received = decode_request(on_the_wire(encode(m.Predict(depth_metres=depth), 1)))
    assert isinstance(received, m.Predict)
    np.testing.assert_array_equal(received.depth_metres, depth)


def test_file_names_that_are_not_valid_unicode_travel_anyway() -> None:
    _, received = decode_request(on_the_wire(encode(m.Predict(photo_name="caf\udce9.jpg"), 1)))
    assert isinstance(received, m.Predict)
    assert received.photo_name == "caf?.jpg"


def test_arrays_of_another_type_are_a_mistake_of_the_sender() -> None:
    with pytest.raises(TypeError, match="float64"):
        encode(m.Predict(depth_metres=np.zeros((2, 2))), 1)


# --- what is refused -------------------------------------------------------------------------------------------------


def header_of(message: m.Message, message_id: int = 7) -> tuple[dict[str, Any], list[bytes]]:
    frames = on_the_wire(encode(message, message_id))
    return msgpack.unpackb(frames[0]), frames[1:]


def frames_of(header: Any, blobs: list[bytes]) -> list[bytes]:
    return [msgpack.packb(header), *blobs]


DEPTH = m.Predict(depth_metres=np.ones((2, 3), np.float32))
CAMERA = m.Camera(4, 3, [1.0, 1.0, 2.0, 1.5], [0.0] * 16)


def changed(message: m.Message, **parts: Any) -> list[bytes]:
    header, blobs = header_of(message)
    blobs = parts.pop("blobs", blobs)
    fields = parts.pop("fields", None)
    header.update(parts)
    if fields is not None:
        header["f"] = {**header["f"], **fields}
    return frames_of(header, blobs)


BAD: dict[str, list[bytes]] = {
    "no frames": [],
    "empty header": [b""],
    "text in place of a header": [b"GET / HTTP/1.1\r\n\r\n"],
    "truncated header": [on_the_wire(encode(DEPTH, 1))[0][:-3]],
    "trailing bytes": [on_the_wire(encode(m.Status(), 1))[0] + b"\x00"],
    "header is a list": [msgpack.packb([1, 2, 3])],
    "header is a number": [msgpack.packb(1)],
    "header too long": [msgpack.packb({"x": "y" * (MAX_HEADER_BYTES + 1)})],
    "keys that are numbers": [msgpack.packb({1: 2})],
    "lists in lists without end": [b"\x91" * 200_000],
    "a list that claims four billion entries": [b"\xdd\xff\xff\xff\xff"],
    "too many blobs": changed(m.Status(), b=[["x", "|u1", [0]]] * (MAX_BLOBS + 1), blobs=[b""] * (MAX_BLOBS + 1)),
    "no id": changed(m.Status(), i=None),
    "id is true": changed(m.Status(), i=True),
    "negative id": changed(m.Status(), i=-1),
    "id beyond 63 bits": changed(m.Status(), i=2**63),
    "unknown type": changed(m.Status(), t="make_coffee"),
    "type is a list": changed(m.Status(), t=["status"]),
    "a reply in place of a request": on_the_wire(encode(m.Accepted(), 1)),
    "fields missing altogether": changed(m.Status(), f=None),
    "fields are a list": changed(m.Status(), f=[]),
    "unknown field": changed(m.Status(), fields={"colour": 1}),
    "unknown field with a name that is no text": [
        msgpack.packb({"v": m.PROTOCOL_VERSION, "t": "status", "i": 1, "f": {b"\xff": 1}, "b": []})
    ],
    "missing field": changed(m.Cancel(1), f={}),
    "text for a number": changed(m.Cancel(1), fields={"job": "1"}),
    "bytes for a number": changed(m.Cancel(1), fields={"job": b"1"}),
    "true for a number": changed(m.Cancel(1), fields={"job": True}),
    "a float for an integer": changed(m.Cancel(1), fields={"job": 1.0}),
    "NaN": changed(DEPTH, fields={"mm35": math.nan}),
    "infinity": changed(DEPTH, fields={"alpha_threshold": math.inf}),
    "a number for text": changed(DEPTH, fields={"engine": 3}),
    "a number for a truth value": changed(DEPTH, fields={"resize_depth": 1}),
    "a choice that does not exist": changed(DEPTH, fields={"precision": "fp4"}),
    "a choice of another type": changed(DEPTH, fields={"precision": ["auto"]}),
    "a nested object that is none": changed(m.Render(1, [], CAMERA), fields={"camera": 5}),
    "a nested object with a field too many": changed(
        m.Render(1, [], CAMERA), fields={"camera": {**dataclasses.asdict(CAMERA), "x": 1}}
    ),
    "a list that is too long": changed(m.Render(1, [], CAMERA), fields={"instances": [0] * 10_001}),
    "a list with a wrong entry": changed(m.Render(1, [], CAMERA), fields={"instances": [None]}),
    "nested values where a number is due": changed(m.Cancel(1), fields={"job": [[[[[[1]]]]]]}),
    "blob descriptions missing": changed(DEPTH, b=None),
    "blob without a description": changed(DEPTH, b=[]),
    "description without a blob": changed(DEPTH, blobs=[]),
    "description of a wrong form": changed(DEPTH, b=[["depth_metres", "<f4"]]),
    "description with a shape of text": changed(DEPTH, b=[["depth_metres", "<f4", "2,3"]]),
    "description with a shape of truth values": changed(DEPTH, b=[["depth_metres", "<f4", [True, 6]]]),
    "blob for a field that is no array": changed(DEPTH, b=[["engine", "<f4", [2, 3]]]),
    "blob for an unknown field": changed(DEPTH, b=[["voxels", "<f4", [2, 3]]]),
    "the same blob twice": changed(DEPTH, b=[["depth_metres", "<f4", [2, 3]]] * 2, blobs=[bytes(24)] * 2),
    "an array field among the plain fields": changed(m.Predict(), fields={"depth_metres": [[1.0]]}),
    "another type of numbers": changed(DEPTH, b=[["depth_metres", "<f8", [2, 3]]], blobs=[bytes(48)]),
    "big-endian numbers": changed(DEPTH, b=[["depth_metres", ">f4", [2, 3]]]),
    "Python objects": changed(DEPTH, b=[["depth_metres", "|O", [2, 3]]]),
    "another number of axes": changed(DEPTH, b=[["depth_metres", "<f4", [6]]]),
    "negative shape": changed(DEPTH, b=[["depth_metres", "<f4", [-2, -3]]]),
    "absurd shape": changed(DEPTH, b=[["depth_metres", "<f4", [2**31 - 1, 2**31 - 1]]]),
    "shape beyond 64 bits": changed(DEPTH, b=[["depth_metres", "<f4", [2**63, 2**63]]]),
    "too large for its field": changed(m.Predict(), b=[["photo_file", "|u1", [PHOTO_BYTES + 1]]], blobs=[b""]),
    "fewer bytes than declared": changed(DEPTH, blobs=[bytes(20)]),
    "more bytes than declared": changed(DEPTH, blobs=[bytes(28)]),
}


@pytest.mark.parametrize("case", BAD)
def test_malformed_messages_are_refused_with_a_short_sentence(case: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_request(BAD[case])
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert caught.value.hint
    assert 20 < len(caught.value.message) < 400


@pytest.mark.parametrize("depth", [10, 500, 900])
def test_deep_nesting_inside_a_field_is_refused_too(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    for fields in ({"job": value}, {"job": 1, "extra": value}):
        with pytest.raises(WireError):
            decode_request(changed(m.Cancel(1), fields=fields))


def test_the_complaint_carries_the_id_of_the_request_if_that_could_be_read() -> None:
    with pytest.raises(WireError) as caught:
        decode_request(changed(m.Cancel(1), fields={"job": "x"}))
    assert caught.value.request_id == 7


def test_complaints_do_not_grow_with_what_they_complain_about() -> None:
    for fields in ({"precision": "x" * 500_000}, {"engine": ["y" * 500_000]}, {"z" * 500_000: 1}):
        with pytest.raises(WireError) as caught:
            decode_request(changed(DEPTH, fields=fields))
        assert len(caught.value.message) < 400


@pytest.mark.parametrize("version", [0, 1, 3, "2", None, True, 2.0, [2]])
def test_another_protocol_version_is_named(version: Any) -> None:
    with pytest.raises(WireError) as caught:
        decode_request(changed(m.Hello("x", "1"), v=version))
    assert caught.value.code is ErrorCode.INCOMPATIBLE_VERSION
    assert caught.value.request_id == 7


def test_errors_are_understood_across_protocol_versions() -> None:
    sent = m.ErrorReply("incompatible_version", "The other side speaks another version.", "Update.")
    message_id, received = decode_reply(on_the_wire(encode(sent, 3, version=99)))
    assert message_id == 3 and same(received, sent)


def test_a_refusal_has_the_fields_of_the_first_version_and_no_others() -> None:
    header, *_ = encode(error_reply(IncompatibleVersion(1)), 3)
    assert set(msgpack.unpackb(header)["f"]) == {"code", "message", "hint"}
    header, *_ = encode(error_reply(ImageTo3DError(ErrorCode.BUSY, "backend.busy", count=64)), 3)
    assert msgpack.unpackb(header)["f"]["values"] == {"count": 64}


def test_a_cloud_whose_arrays_do_not_fit_together_is_refused() -> None:
    def cloud(n: int, opacities: int, **more: Any) -> m.UploadScene:
        rotations = np.tile(np.float32([1, 0, 0, 0]), (n, 1))
        ones = np.ones((n, 3), np.float32)
        return m.UploadScene(
            positions=ones,
            scales=ones,
            rotations=rotations,
            colours=ones,
            opacities=np.ones(opacities, np.float32),
            **more,
        )

    assert len(cloud(4, 4).to_cloud()) == 4
    assert cloud(4, 4, grid=[1, 2, 2]).to_cloud().grid is not None
    for wrong in (
        cloud(4, 3),
        cloud(4, 4, grid=[1, 2, 3]),
        cloud(4, 4, grid=[1, 2]),
        cloud(4, 4, grid=[1, 2, 0]),
        cloud(4, 4, intrinsics=[1.0], image_size=[4, 3]),
        cloud(4, 4, intrinsics=[0.0, 0.0, 0.0, 0.0], image_size=[4, 3]),
    ):
        with pytest.raises(SchemaError):
            wrong.to_cloud()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_random_bytes_are_refused_and_nothing_else_happens(frames: list[bytes]) -> None:
    for decoder in (decode_request, decode_reply):
        with pytest.raises(WireError):
            decoder(frames)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY_MESSAGE, st.data())
def test_a_flipped_byte_gives_a_message_or_a_complaint(message: m.Message, data: st.DataObject) -> None:
    frames = [bytearray(frame) for frame in on_the_wire(encode(message, 5))]
    for _ in range(data.draw(st.integers(1, 3))):
        frame = data.draw(st.sampled_from([f for f in frames if f]))
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, received = decode(message, [bytes(f) for f in frames])
    except WireError as error:
        assert error.message
    else:
        assert received.TYPE in ALL


# --- what the add-on bundles -----------------------------------------------------------------------------------------


def test_core_and_protocol_load_neither_torch_nor_bpy_nor_pillow() -> None:
    code = (
        "import image_to_3d.core, image_to_3d.protocol, sys;"
        "print([n for n in ('torch', 'bpy', 'PIL', 'numba', 'timm', 'plyfile', 'psutil') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
