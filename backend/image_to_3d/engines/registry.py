"""The engines by name. Knows of each what a person must know, and loads its code only when it is used."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from ..core.errors import ErrorCode, ImageTo3DError
from .base import Engine, EngineInfo, EngineOptions
from .depth_map import INFO as DEPTH_MAP


@dataclass(frozen=True)
class EngineEntry:
    """An engine and the class that implements it, as ``module:class``."""

    info: EngineInfo
    implementation: str


ENGINES: dict[str, EngineEntry] = {
    DEPTH_MAP.name: EngineEntry(DEPTH_MAP, "image_to_3d.engines.depth_map:DepthMapEngine"),
}


@dataclass(frozen=True)
class EngineReadiness:
    """Can an engine run here, and if not, what to do.

    Attributes:
        state: ``ready``, ``weights_missing``, ``licence_not_accepted`` or ``unavailable``.
    """

    info: EngineInfo
    state: str
    note: str = ""


def engine_states() -> list[EngineReadiness]:
    """Every engine with its state, in the order of the table."""
    return [EngineReadiness(entry.info, "ready") for entry in ENGINES.values()]


def resolve(name: str, has_depth: bool = False) -> str:
    """The engine that ``auto`` stands for; other names are checked and returned.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name, ``weights_missing`` if ``auto`` finds nothing.
    """
    if name == "auto":
        if has_depth:
            return DEPTH_MAP.name
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING, "No engine can make depth from a bare photo.", "Give a depth file."
        )
    if name not in ENGINES:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, f"There is no engine called {name[:40]!r}.", f"Choose one of: {', '.join(ENGINES)}."
        )
    return name


def create_engine(name: str, options: EngineOptions) -> Engine:
    """A new engine. See :func:`resolve` for errors."""
    module, _, cls = ENGINES[resolve(name)].implementation.partition(":")
    engine: Engine = getattr(importlib.import_module(module), cls)(options)
    return engine
