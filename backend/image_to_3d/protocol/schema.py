"""Typed dataclasses ↔ plain values, checked field by field.

A message class is a frozen dataclass whose annotations are its schema. Allowed are ``int``, ``float``, ``str``, ``bool``,
``Literal``, ``list[X]``, ``dict[str, X]``, other such dataclasses, ``X | None``, ``JsonObject`` and, at the top level of a
message, ``Annotated[NDArray[…], ArraySpec(…)]`` or that ``| None``.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import types
import typing
from functools import cache
from typing import Any, Literal, TypeVar, Union

import numpy as np
from numpy.typing import NDArray

MAX_LIST = 10_000
MAX_DIMENSION = 2**31 - 1
JsonObject = dict[str, Any]
"""A small object of JSON-like values, for people rather than for programs."""

T = TypeVar("T")


class SchemaError(ValueError):
    """A value does not have the declared type; the text names the field."""


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """What an array field accepts.

    Attributes:
        dtypes: little-endian numpy type strings such as ``<f4``.
        shape: one entry per axis, None where any length is accepted.
        max_bytes: upper limit of its size.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int | None, ...]
    max_bytes: int

    def check(self, name: str, dtype: str, shape: tuple[int, ...]) -> int:
        """Size in bytes of an array declared with this type and shape.

        Raises:
            SchemaError: it is not one that this field accepts.
        """
        if dtype not in self.dtypes:
            raise SchemaError(f"{name} has the type {dtype}, expected {' or '.join(self.dtypes)}")
        fits = len(shape) == len(self.shape) and all(
            0 <= n <= MAX_DIMENSION and (want is None or n == want) for n, want in zip(shape, self.shape, strict=False)
        )
        if not fits:
            raise SchemaError(f"{name} has the shape {list(shape)}, expected {[n or 'any' for n in self.shape]}")
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > self.max_bytes:
            raise SchemaError(f"{name} has {size} bytes, at most {self.max_bytes} are accepted")
        return size


def _array_spec(annotation: Any) -> tuple[ArraySpec, bool] | None:
    """(spec, may be None) if the annotation is an array or an optional array."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        found = _array_spec(inner[0]) if len(inner) == 1 else None
        return (found[0], True) if found else None
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, ArraySpec):
            return extra, False
    return None


@cache
def field_types(cls: Any) -> dict[str, Any]:
    """Resolved annotations of the fields of a dataclass, with array declarations kept."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


@cache
def array_fields(cls: Any) -> dict[str, tuple[ArraySpec, bool]]:
    """Array fields of a message class: name → (spec, optional)."""
    found = {name: _array_spec(annotation) for name, annotation in field_types(cls).items()}
    return {name: spec for name, spec in found.items() if spec is not None}


def to_plain(value: Any) -> Any:
    """Dataclass → dict of msgpack-able values; arrays at the top level are the caller's business."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        arrays = array_fields(type(value))
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name not in arrays}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: to_plain(v) for k, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()  # file names may hold bytes that are no text
    return value


def from_plain(annotation: Any, value: Any, name: str = "value") -> Any:
    """A plain value as the annotated type.

    Raises:
        SchemaError: the value is of another type.
    """
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        inner = [a for a in args if a is not type(None)]
        return from_plain(inner[0], value, name)
    if origin is Literal:
        if value not in args or not isinstance(value, type(args[0])):
            raise SchemaError(f"{name} is {reprlib.repr(value)}, expected one of {', '.join(map(str, args))}")
        return value
    if origin is list:
        if not isinstance(value, list) or len(value) > MAX_LIST:
            raise SchemaError(f"{name} is not a list of at most {MAX_LIST} values")
        return [from_plain(args[0], v, f"{name}[{i}]") for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict) or len(value) > MAX_LIST or not all(isinstance(k, str) for k in value):
            raise SchemaError(f"{name} is not an object with text keys")
        return {k: from_plain(args[1], v, f"{name}.{k}") for k, v in value.items()}
    if annotation is Any:
        return value
    if dataclasses.is_dataclass(annotation):
        return build(typing.cast(type, annotation), value, name)
    return _scalar(annotation, value, name)


def _scalar(annotation: Any, value: Any, name: str) -> Any:
    if annotation is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif annotation is int:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            return value
    elif annotation in (str, bool) and isinstance(value, annotation):
        return value
    raise SchemaError(f"{name} is {reprlib.repr(value)}, expected {getattr(annotation, '__name__', annotation)}")


def build(cls: type[T], value: Any, name: str = "", arrays: dict[str, NDArray[Any]] | None = None) -> T:
    """A dataclass from a plain dict and, for messages, its arrays.

    Raises:
        SchemaError: a field is missing, unknown or of another type.
    """
    if not isinstance(value, dict) or not all(isinstance(k, str) for k in value):
        raise SchemaError(f"{name or cls.__name__} is not an object")
    arrays = arrays or {}
    kind: Any = cls
    hints, specs = field_types(kind), array_fields(kind)
    unknown = sorted((set(value) - (set(hints) - set(specs))) | (set(arrays) - set(specs)))
    if unknown:
        raise SchemaError(f"{name or cls.__name__} has an unknown field {unknown[0][:40]!r}")
    out: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        label = f"{name}.{field.name}" if name else field.name
        if field.name in specs:
            if field.name in arrays:
                out[field.name] = arrays[field.name]
        elif field.name in value:
            out[field.name] = from_plain(hints[field.name], value[field.name], label)
        if (
            field.name not in out
            and field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise SchemaError(f"{label} is missing")
    return cls(**out)
