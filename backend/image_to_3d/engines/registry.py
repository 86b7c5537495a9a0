"""The engines by name. Knows of each what a person must know, and loads its code only when it is used."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from ..catalogue import ENGINES, EngineInfo, automatic_order, owner_of_checkpoint
from ..core.errors import ErrorCode, ImageTo3DError
from . import weights
from .base import Engine, EngineOptions


@dataclass(frozen=True)
class EngineReadiness:
    """Can an engine run here, and if not, what to do.

    Attributes:
        state: ``ready``, ``weights_missing``, ``licence_not_accepted`` or ``unavailable``.
    """

    info: EngineInfo
    state: str
    note: str = ""


def engine_states(checkpoint: str | None = None, owner: str = "auto") -> list[EngineReadiness]:
    """Every engine with its state, in the order of the table.

    Args:
        checkpoint: weights that a person named.
        owner: the engine beside which they were named, see :func:`~image_to_3d.catalogue.owner_of_checkpoint`.
    """
    owner = owner_of_checkpoint(owner)
    return [_readiness(info, checkpoint if info.name == owner else None) for info in ENGINES.values()]


def _readiness(info: EngineInfo, checkpoint: str | None) -> EngineReadiness:
    if not info.needs_weights:
        return EngineReadiness(info, "ready")
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("timm") is None:
        return EngineReadiness(info, "unavailable", "It needs PyTorch and timm: pip install torch torchvision timm")
    return EngineReadiness(info, *weights.state(info.name, checkpoint))


def resolve(name: str, has_depth: bool = False, checkpoint: str | None = None) -> str:
    """The engine that ``auto`` stands for; other names are checked and returned.

    ``auto`` is the engine of depth files where one comes with the photo, else the best engine of the catalogue that is ready. With
    a checkpoint named beside ``auto`` nothing less than the engine that it belongs to is taken.

    Args:
        checkpoint: weights that a person named.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name; ``weights_missing`` or ``licence_not_accepted`` if ``auto`` finds
            nothing.
    """
    if name != "auto":
        if name not in ENGINES:
            raise ImageTo3DError(
                ErrorCode.BAD_REQUEST, "engines.unknown_name", name=name[:40], engines=", ".join(ENGINES)
            )
        return name
    owner = owner_of_checkpoint(name)
    best: EngineReadiness | None = None
    for info in automatic_order(has_depth):
        named = checkpoint if info.name == owner else None
        found = _readiness(info, named)
        if found.state == "ready":
            return info.name
        best = best or found
        if named is not None:
            break  # who names weights does not want to get something else in silence
    raise ImageTo3DError(
        ErrorCode.LICENCE_NOT_ACCEPTED
        if best is not None and best.state == "licence_not_accepted"
        else ErrorCode.WEIGHTS_MISSING,
        "engines.none_ready",
        hint="Give a depth file."
        if best is None
        else f"For the engine {best.info.name}: {best.note.rstrip('.')}. Or give a depth file.",
    )


def create_engine(name: str, options: EngineOptions) -> Engine:
    """A new engine.

    Raises:
        ImageTo3DError: see :func:`resolve`; ``engine_failed`` if a package that it needs is missing or broken.
    """
    module, _, cls = ENGINES[resolve(name)].implementation.partition(":")
    try:
        implementation = getattr(importlib.import_module(module), cls)
    except ImportError as error:
        raise ImageTo3DError(
            ErrorCode.ENGINE_FAILED, "engines.not_loadable", name=name, why=str(error).rstrip(".")
        ) from error
    engine: Engine = implementation(options)
    return engine
