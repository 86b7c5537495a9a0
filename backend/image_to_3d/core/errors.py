"""What can go wrong, as data: a code of a closed list, a key, and values. The words stand in :mod:`image_to_3d.words`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from ..words import TABLE, Edge, render


class ErrorCode(str, Enum):
    """The error codes of the wire protocol; command line and panel use the same ones."""

    BAD_REQUEST = "bad_request"
    INCOMPATIBLE_VERSION = "incompatible_version"
    UNAUTHORISED = "unauthorised"
    BUSY = "busy"
    CANCELLED = "cancelled"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    WEIGHTS_MISSING = "weights_missing"
    LICENCE_NOT_ACCEPTED = "licence_not_accepted"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_FAILED = "engine_failed"
    SCENE_UNKNOWN = "scene_unknown"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"


class ImageTo3DError(Exception):
    """A failure that a person can act on.

    Raised where the fact is known; turned into words once, at the edge (command line, panel, web page), in its vocabulary.

    Args:
        code: one of :class:`ErrorCode`: what kind of failure, for programs.
        key: what exactly, a key of :data:`image_to_3d.words.TABLE`.
        values: for the fields of its words. Numbers, texts and lists of them stay; anything else becomes its text.

    Attributes:
        message, hint: the words for nobody in particular, in English.
    """

    def __init__(self, code: ErrorCode, key: str, /, **values: Any) -> None:
        super().__init__(key)
        self.code = ErrorCode(code)
        self.key = key
        self.values = {name: _plain(value) for name, value in values.items()}

    @property
    def message(self) -> str:
        """What is wrong, in one sentence."""
        return self.words()[0]

    @property
    def hint(self) -> str:
        """What to do about it; may be empty."""
        return self.words()[1]

    def words(self, edge: Edge = "plain") -> tuple[str, str]:
        """Message and hint in the vocabulary of an edge."""
        return render(self.key, self.values, edge)

    def sentence(self, edge: Edge = "plain") -> str:
        """Message and hint in one text."""
        return " ".join(filter(None, self.words(edge)))

    def __str__(self) -> str:
        return self.sentence()

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.__dict__)


def _again(kind: type[ImageTo3DError], state: dict[str, Any]) -> ImageTo3DError:
    """What :mod:`pickle` makes of an error, whatever its constructor takes."""
    error = kind.__new__(kind)
    Exception.__init__(error, state["key"])
    error.__dict__.update(state)
    return error


class Notice(str):
    """A sentence for a person, such as a warning, that knows its key and values: an edge can say it in its own words.

    As a text it is plain English, so that it can be printed, joined and written as JSON like any other.

    Args:
        key: of :data:`image_to_3d.words.TABLE`.
        values: see :class:`ImageTo3DError`.
    """

    key: str
    values: dict[str, Any]

    def __new__(cls, key: str, /, **values: Any) -> Notice:
        plain = {name: _plain(value) for name, value in values.items()}
        notice = super().__new__(cls, " ".join(filter(None, render(key, plain))))
        notice.key, notice.values = key, plain
        return notice

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.key,), self.values

    def sentence(self, edge: Edge = "plain") -> str:
        """Message and hint in the vocabulary of an edge."""
        return " ".join(filter(None, render(self.key, self.values, edge)))


def said(text: str, edge: Edge) -> str:
    """A warning in the vocabulary of an edge; a text that is no notice as it is."""
    return text.sentence(edge) if isinstance(text, Notice) else text


def notice_fields(text: str) -> dict[str, Any]:
    """Key and values of a notice as they travel; empty for a text that is none."""
    return {"key": text.key, "values": text.values} if isinstance(text, Notice) else {}


def notice_from(text: str, fields: Mapping[str, Any]) -> str:
    """The notice that was sent as ``text`` and ``fields``; the text itself if its key is not known here."""
    key, values = fields.get("key"), fields.get("values")
    return Notice(key, **values) if key in TABLE and isinstance(values, Mapping) else text


def _plain(value: Any) -> Any:
    if isinstance(value, ImageTo3DError | Notice):  # a cause keeps being data
        return {"key": value.key, "values": value.values}
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)


class Cancelled(ImageTo3DError):  # noqa: N818 - a request, not a mistake
    """Raised inside long work when the person who asked for it changed their mind."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.CANCELLED, "cancelled")


def is_out_of_memory(error: BaseException) -> bool:
    """True for want of memory of any kind: Python's, PyTorch's on the CPU, or a graphics card's.

    PyTorch, which need not be imported to know them, raises ``torch.OutOfMemoryError`` or a RuntimeError: "CUDA out of memory",
    "CUDA error: out of memory", "DefaultCPUAllocator: can't allocate memory".
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
