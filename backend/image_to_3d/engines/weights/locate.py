"""Where weights lie, and whether they may be used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...core.errors import ErrorCode, ImageTo3DError
from ...paths import cache_folder
from .consent import needs_consent
from .table import lookup

State = Literal["ready", "weights_missing", "licence_not_accepted"]
Origin = Literal["given", "environment", "cache", "torch hub"]


@dataclass(frozen=True)
class Found:
    """A weights file that is there, and how it was found."""

    path: Path
    origin: Origin


def folder() -> Path:
    """Where fetched weights lie."""
    return cache_folder() / "weights"


def torch_hub_folder() -> Path:
    """Where torch.hub puts checkpoints, found as torch finds it but without importing it."""
    home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    return Path(home).expanduser() / "hub" / "checkpoints"


def find(name: str, given: str | Path | None = None) -> Found | None:
    """Look for a file: the one given, the environment variable, our cache folder, torch hub's folder, in that order.

    Raises:
        ImageTo3DError: ``weights_missing`` if a file was named, as argument or in the environment, that is not there.
    """
    file = lookup(name)
    named: tuple[tuple[Origin, str | Path | None], ...] = (
        ("given", given),
        ("environment", os.environ.get(file.variable) or None),
    )
    for origin, path in named:
        if path is None:
            continue
        path = Path(path).expanduser()
        if not path.is_file():
            where = f" (from the environment variable {file.variable})" if origin == "environment" else ""
            raise ImageTo3DError(
                ErrorCode.WEIGHTS_MISSING, "weights.given_checkpoint_not_found", path=path, where=where
            )
        return Found(path, origin)
    places: tuple[tuple[Origin, Path], ...] = (("cache", folder()), ("torch hub", torch_hub_folder()))
    for origin, place in places:
        if (place / file.file_name).is_file():
            return Found(place / file.file_name, origin)
    return None


def state(name: str, given: str | Path | None = None) -> tuple[State, str]:
    """Can the weights be used, and if not, one sentence on what to do."""
    file = lookup(name)
    try:
        found = find(name, given)
    except ImageTo3DError as error:
        return "weights_missing", str(error)
    if found is None:
        return "weights_missing", f"Its weights are not here; get them with: image-to-3d weights fetch {name}"
    if found.origin not in ("given", "environment") and needs_consent(file):
        return (
            "licence_not_accepted",
            f"Its licence was not accepted yet; read it with: image-to-3d weights fetch {name}",
        )
    return "ready", ""
