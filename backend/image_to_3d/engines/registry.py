"""The engines by name. Knows of each what a person must know, and loads its code only when it is used."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from ..core.errors import ErrorCode, ImageTo3DError
from . import midas, weights
from .base import Engine, EngineInfo, EngineOptions
from .depth_map import INFO as DEPTH_MAP
from .lite import INFO as LITE
from .sharp import INFO as SHARP


@dataclass(frozen=True)
class EngineEntry:
    """An engine and the class that implements it, as ``module:class``."""

    info: EngineInfo
    implementation: str


ENGINES: dict[str, EngineEntry] = {
    SHARP.name: EngineEntry(SHARP, "image_to_3d.engines.sharp.engine:SharpEngine"),
    midas.SMALL.name: EngineEntry(midas.SMALL, "image_to_3d.engines.midas.engine:MidasSmallEngine"),
    midas.LARGE.name: EngineEntry(midas.LARGE, "image_to_3d.engines.midas.engine:DPTLargeEngine"),
    DEPTH_MAP.name: EngineEntry(DEPTH_MAP, "image_to_3d.engines.depth_map:DepthMapEngine"),
    LITE.name: EngineEntry(LITE, "image_to_3d.engines.lite.engine:LiteEngine"),
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


def engine_states(checkpoint: str | None = None) -> list[EngineReadiness]:
    """Every engine with its state, in the order of the table.

    Args:
        checkpoint: weights of SHARP, if a person named a file.
    """
    return [_readiness(entry.info, checkpoint if name == SHARP.name else None) for name, entry in ENGINES.items()]


def _readiness(info: EngineInfo, checkpoint: str | None) -> EngineReadiness:
    if not info.needs_weights:
        return EngineReadiness(info, "ready")
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("timm") is None:
        return EngineReadiness(info, "unavailable", "It needs PyTorch and timm: pip install torch torchvision timm")
    return EngineReadiness(info, *weights.state(info.name, checkpoint))


def resolve(name: str, has_depth: bool = False, checkpoint: str | None = None) -> str:
    """The engine that ``auto`` stands for; other names are checked and returned.

    ``auto`` is ``depth-map`` where a depth file comes with the photo, else ``sharp`` where its weights may be used, else ``lite``.

    Args:
        checkpoint: weights of SHARP, if a person named a file.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name; ``weights_missing`` or ``licence_not_accepted`` if ``auto`` finds
            nothing.
    """
    if name == "auto":
        if has_depth:
            return DEPTH_MAP.name
        sharp = _readiness(SHARP, checkpoint)
        if sharp.state == "ready":
            return SHARP.name
        if checkpoint is None:
            return LITE.name  # its weights come with the package
        raise ImageTo3DError(
            ErrorCode.LICENCE_NOT_ACCEPTED if sharp.state == "licence_not_accepted" else ErrorCode.WEIGHTS_MISSING,
            "No engine can make depth from a bare photo yet.",
            f"For the engine sharp: {sharp.note.rstrip('.')}. Or give a depth file.",
        )
    if name not in ENGINES:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, f"There is no engine called {name[:40]!r}.", f"Choose one of: {', '.join(ENGINES)}."
        )
    return name


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
            ErrorCode.ENGINE_FAILED,
            f"The engine {name} cannot be loaded: {str(error).rstrip('.')}.",
            "Install what it needs: pip install torch torchvision timm",
        ) from error
    engine: Engine = implementation(options)
    return engine
