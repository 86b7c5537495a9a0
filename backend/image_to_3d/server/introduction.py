"""What the backend says of its engines when a client greets it."""

from __future__ import annotations

from typing import Any

from ..core.errors import ImageTo3DError
from ..engines.pool import EnginePool
from ..engines.weights import WEIGHTS
from ..protocol.messages import EngineState


def engine_messages(pool: EnginePool) -> list[EngineState]:
    """Every engine, as the options of the backend have it."""
    return [
        EngineState(
            name=found.info.name,
            summary=found.info.summary,
            metric=found.info.metric,
            licence=found.info.licence,
            needs_depth=found.info.needs_depth,
            state=found.state,  # type: ignore[arg-type]
            note=found.note,
            title=found.info.title,
            rights=found.info.rights,
            **_terms(found.info.name),
        )
        for found in pool.states()
    ]


def auto_engine(pool: EnginePool, has_depth: bool) -> str:
    """What ``auto`` stands for here, now; empty if nothing can run."""
    try:
        return pool.resolve("auto", has_depth)
    except ImageTo3DError:
        return ""


def _terms(engine: str) -> dict[str, Any]:
    """What a person must know before the weights of an engine are fetched."""
    file = WEIGHTS.get(engine)
    if file is None:
        return {}
    return {
        "terms": file.licence.terms,
        "terms_url": file.licence.url,
        "needs_consent": file.licence.needs_consent,
        "download_bytes": file.size,
    }
