"""Whether a file is the network that it should be, and the one that it was."""

from __future__ import annotations

import importlib
from pathlib import Path

from ...core.errors import ErrorCode, ImageTo3DError
from .locate import Found, find, state
from .records import changed, check_unchanged, record, recorded, sha256
from .table import WeightsFile, lookup


def require(name: str, given: str | Path | None = None) -> Found:
    """The file to load, its hash recorded at first use.

    A file that a person names is theirs to answer for; one that merely lies in a folder needs consent to its terms.

    Raises:
        ImageTo3DError: ``weights_missing``, ``licence_not_accepted``, or the file changed since it was first used.
    """
    found = find(name, given)
    status, note = state(name, given)
    if found is None or status != "ready":
        hint = f"{note.rstrip('.')}."
        if status == "licence_not_accepted":
            raise ImageTo3DError(ErrorCode.LICENCE_NOT_ACCEPTED, "weights.licence_not_accepted", name=name)
        if found is None:
            raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.absent", name=name, hint=hint)
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.unusable", name=name, hint=hint)
    if found.origin not in ("given", "environment"):
        check_unchanged(lookup(name), found.path)
    return found


def verify(name: str, given: str | Path | None = None) -> tuple[Path, str]:
    """Hash the file, compare with the record, check that it is the network it should be; returns path and SHA-256.

    Raises:
        ImageTo3DError: ``weights_missing`` if it is not there, changed, or another network.
    """
    file = lookup(name)
    found = find(name, given)
    if found is None:
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.absent", name=name, hint=state(name)[1])
    digest = sha256(found.path)
    known = recorded(file)
    managed = found.origin not in ("given", "environment")
    if managed and known is not None and known.path == str(found.path) and known.sha256 != digest:
        raise changed(file, found.path)
    check_structure(file, found.path)
    if managed:
        record(file, found.path, digest)
    return found.path, digest


def check_structure(file: WeightsFile, path: Path) -> None:
    """Raise ImageTo3DError if a file is not the network of its row."""
    module, _, function = file.check.partition(":")
    getattr(importlib.import_module(module), function)(path)
