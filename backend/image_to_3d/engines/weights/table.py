"""The weights of the catalogue by the name of their engine."""

from __future__ import annotations

from ...catalogue import ENGINES, Licence, WeightsFile
from ...core.errors import ErrorCode, ImageTo3DError

__all__ = ["WEIGHTS", "Licence", "WeightsFile", "lookup"]

WEIGHTS: dict[str, WeightsFile] = {info.name: info.weights for info in ENGINES.values() if info.weights is not None}


def lookup(name: str) -> WeightsFile:
    """The row of the table.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name.
    """
    if name not in WEIGHTS:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "weights.unknown_name", name=name[:40], weights=", ".join(WEIGHTS))
    return WEIGHTS[name]
