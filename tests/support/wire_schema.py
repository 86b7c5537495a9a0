"""The schema of the wire as one text, in which every change of it shows."""

from __future__ import annotations

import dataclasses
import hashlib
import typing
from typing import Any

from image_to_3d.protocol import messages
from image_to_3d.protocol.schema import ArraySpec, field_types


def described(annotation: Any) -> str:
    """A type with everything that the schema checks of it."""
    for extra in getattr(annotation, "__metadata__", ()):
        if isinstance(extra, ArraySpec):
            return f"array{extra.dtypes}{extra.shape}{extra.max_bytes}"
    if dataclasses.is_dataclass(annotation):
        return f"{{{fields_of(annotation)}}}"
    arguments = typing.get_args(annotation)
    if not arguments:
        return getattr(annotation, "__name__", str(annotation))
    if typing.get_origin(annotation) is typing.Literal:
        return f"one of {arguments}"
    origin = typing.get_origin(annotation)
    name = "one of" if type(None) in arguments else origin.__name__
    return f"{name}[{', '.join(described(a) for a in arguments)}]"


def fields_of(cls: Any) -> str:
    """Names, types and defaults of the fields."""
    types = field_types(cls)
    told = []
    for field in dataclasses.fields(cls):
        made = field.default_factory is not dataclasses.MISSING
        default = (
            "" if field.default is dataclasses.MISSING and not made else f" = {'made' if made else field.default!r}"
        )
        told.append(f"{field.name}: {described(types[field.name])}{default}")
    return "; ".join(told)


def schema_text() -> str:
    """Every message, a line each."""
    kinds = (("request", messages.REQUESTS), ("reply", messages.REPLIES))
    return "\n".join(f"{kind} {name} {fields_of(cls)}" for kind, known in kinds for name, cls in sorted(known.items()))


def fingerprint() -> str:
    """Of :func:`schema_text`."""
    return hashlib.sha256(schema_text().encode()).hexdigest()[:16]
