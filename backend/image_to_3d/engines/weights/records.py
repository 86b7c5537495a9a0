"""What files were when they were first used: size, date and SHA-256, recorded beside the fetched weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...core.errors import ErrorCode, ImageTo3DError
from ...io.atomic import atomic_open
from .json_files import read_json
from .locate import folder
from .table import WeightsFile

_PIECE = 1 << 20


@dataclass(frozen=True)
class FileRecord:
    """What a file was when it was first used."""

    path: str
    size: int
    modified: float
    sha256: str


def _records() -> dict[str, Any]:
    return read_json(folder() / "records.json")


def recorded(file: WeightsFile) -> FileRecord | None:
    """The record of a file, or None."""
    try:
        return FileRecord(**_records()[file.name])
    except (KeyError, TypeError):
        return None


def sha256(path: Path) -> str:
    """Hash of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _sha256(stream)


def _sha256(stream: Any) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def record(file: WeightsFile, path: Path, digest: str) -> None:
    """Note what a file is now."""
    status = path.stat()
    entry = FileRecord(str(path), status.st_size, status.st_mtime, digest)
    with atomic_open(folder() / "records.json") as stream:
        stream.write((json.dumps({**_records(), file.name: asdict(entry)}, indent=1) + "\n").encode())


def forget(name: str) -> None:
    """Drop the record of a file that is deleted."""
    records = _records()
    if records.pop(name, None) is not None:
        with atomic_open(folder() / "records.json") as stream:
            stream.write((json.dumps(records, indent=1) + "\n").encode())


def check_unchanged(file: WeightsFile, path: Path) -> None:
    """Cheap where size and date are as recorded; otherwise the hash decides."""
    known = recorded(file)
    status = path.stat()
    if known is not None and (known.path, known.size, known.modified) == (str(path), status.st_size, status.st_mtime):
        return
    digest = sha256(path)
    if known is not None and known.path == str(path) and known.sha256 != digest:
        raise changed(file, path)
    record(file, path, digest)


def changed(file: WeightsFile, path: Path) -> ImageTo3DError:
    """The error for a file that is no longer what it was."""
    return ImageTo3DError(ErrorCode.WEIGHTS_MISSING, "weights.changed_on_disk", path=path, file_name=file.name)
