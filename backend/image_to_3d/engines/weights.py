"""Weights of the networks: where they come from, under which terms, where they lie, and whether they are what they should be.

Nothing is fetched without being asked for, and files under a licence that needs consent are neither fetched nor picked up before
it was given. Importing this module does not load torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib
import json
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from .. import __version__
from ..core.errors import ErrorCode, ImageTo3DError
from ..io.atomic import atomic_open
from ..paths import cache_folder, config_folder, write_private

State = Literal["ready", "weights_missing", "licence_not_accepted"]
Origin = Literal["given", "environment", "cache", "torch hub"]
OnBytes = Callable[[int, int], None]
"""``on_bytes(done, total)`` while fetching; total is 0 where the server does not say."""

_PIECE = 1 << 20
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30.0
_SPARE_BYTES = 200_000_000


@dataclass(frozen=True)
class Licence:
    """Terms of a weights file.

    Attributes:
        name: short name.
        terms: what a person must know before using the file, in our words.
        url: the text that binds.
        needs_consent: the file is only used by those who accepted the terms.
    """

    name: str
    terms: str
    url: str
    needs_consent: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown: consent to other words is no consent to these."""
        return hashlib.sha256(f"{self.name}\n{self.terms}\n{self.url}".encode()).hexdigest()


@dataclass(frozen=True)
class WeightsFile:
    """One checkpoint.

    Attributes:
        name: of the engine that uses it.
        file_name: in the cache folder and in torch hub's.
        url: where it is published.
        size: bytes, roughly, for the question whether there is room.
        licence: its terms.
        check: ``module:function`` that takes the path and raises ImageTo3DError if the file is not that network.
    """

    name: str
    file_name: str
    url: str
    size: int
    licence: Licence
    check: str

    @property
    def variable(self) -> str:
        """Environment variable that may name the file."""
        return f"IMAGE_TO_3D_{self.name.upper().replace('-', '_')}_CHECKPOINT"


APPLE_RESEARCH = Licence(
    "Apple Machine Learning Research Model licence (apple-amlr)",
    "These weights are Apple's. They may be used for non-commercial scientific research only: not in or for a commercial product "
    "or service, and not to make one. Who passes them on must pass the licence text on with them.",
    "https://github.com/apple/ml-sharp/blob/main/LICENSE_MODEL",
    needs_consent=True,
)
MIT = Licence(
    "MIT",
    "Free for any use, as long as the licence text goes along.",
    "https://github.com/isl-org/MiDaS/blob/master/LICENSE",
)

WEIGHTS: dict[str, WeightsFile] = {
    file.name: file
    for file in (
        WeightsFile(
            "sharp",
            "sharp_2572gikvuh.pt",
            "https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt",
            2_810_000_000,
            APPLE_RESEARCH,
            "image_to_3d.engines.sharp.state_dict:check_published",
        ),
        WeightsFile(
            "midas-small",
            "midas_v21_small_256.pt",
            "https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_small_256.pt",
            86_000_000,
            MIT,
            "image_to_3d.engines.midas.state_dict:check_small",
        ),
        WeightsFile(
            "dpt-large",
            "dpt_large_384.pt",
            "https://github.com/isl-org/MiDaS/releases/download/v3/dpt_large_384.pt",
            1_380_000_000,
            MIT,
            "image_to_3d.engines.midas.state_dict:check_large",
        ),
    )
}


@dataclass(frozen=True)
class Found:
    """A weights file that is there, and how it was found."""

    path: Path
    origin: Origin


def lookup(name: str) -> WeightsFile:
    """The row of the table.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name.
    """
    if name not in WEIGHTS:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            f"There are no weights called {name[:40]!r}.",
            f"Choose one of: {', '.join(WEIGHTS)}.",
        )
    return WEIGHTS[name]


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
                ErrorCode.WEIGHTS_MISSING,
                f"There is no checkpoint {path}{where}.",
                "Check the path for a typing error.",
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
            message = f"The licence of the weights of {name} was not accepted."
            raise ImageTo3DError(ErrorCode.LICENCE_NOT_ACCEPTED, message, hint)
        if found is None:
            raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, f"The weights of {name} are not here.", hint)
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, f"The weights of {name} cannot be used.", hint)
    if found.origin not in ("given", "environment"):
        _check_unchanged(lookup(name), found.path)
    return found


# --- consent ------------------------------------------------------------------------------------------------------------


def _consents() -> dict[str, Any]:
    return _read_json(config_folder() / "licences.json")


def consent(file: WeightsFile) -> dict[str, str] | None:
    """The record of consent to the terms as they stand now: ``licence``, ``terms_sha256``, ``date``; None if there is none."""
    record = _consents().get(file.name)
    if isinstance(record, dict) and record.get("terms_sha256") == file.licence.digest:
        return record
    return None


def needs_consent(file: WeightsFile) -> bool:
    """Whether somebody must still accept the terms."""
    return file.licence.needs_consent and consent(file) is None


def record_consent(file: WeightsFile) -> None:
    """Note that the person at the keyboard accepted the terms, with the date and a hash of what was shown."""
    record = {
        "licence": file.licence.name,
        "url": file.licence.url,
        "terms_sha256": file.licence.digest,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": __version__,
    }
    write_private(config_folder() / "licences.json", json.dumps({**_consents(), file.name: record}, indent=1) + "\n")


# --- hashes -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileRecord:
    """What a file was when it was first used."""

    path: str
    size: int
    modified: float
    sha256: str


def _records() -> dict[str, Any]:
    return _read_json(folder() / "records.json")


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


def _record(file: WeightsFile, path: Path, digest: str) -> None:
    status = path.stat()
    entry = FileRecord(str(path), status.st_size, status.st_mtime, digest)
    with atomic_open(folder() / "records.json") as stream:
        stream.write((json.dumps({**_records(), file.name: asdict(entry)}, indent=1) + "\n").encode())


def _check_unchanged(file: WeightsFile, path: Path) -> None:
    """Cheap where size and date are as recorded; otherwise the hash decides."""
    known = recorded(file)
    status = path.stat()
    if known is not None and (known.path, known.size, known.modified) == (str(path), status.st_size, status.st_mtime):
        return
    digest = sha256(path)
    if known is not None and known.path == str(path) and known.sha256 != digest:
        raise _changed(file, path)
    _record(file, path, digest)


def _changed(file: WeightsFile, path: Path) -> ImageTo3DError:
    return ImageTo3DError(
        ErrorCode.WEIGHTS_MISSING,
        f"{path} is not the file it was when it was first used: its SHA-256 differs.",
        f"Fetch it again: image-to-3d weights remove {file.name}, then image-to-3d weights fetch {file.name}.",
    )


def verify(name: str, given: str | Path | None = None) -> tuple[Path, str]:
    """Hash the file, compare with the record, check that it is the network it should be; returns path and SHA-256.

    Raises:
        ImageTo3DError: ``weights_missing`` if it is not there, changed, or another network.
    """
    file = lookup(name)
    found = find(name, given)
    if found is None:
        raise ImageTo3DError(ErrorCode.WEIGHTS_MISSING, f"The weights of {name} are not here.", state(name)[1])
    digest = sha256(found.path)
    known = recorded(file)
    managed = found.origin not in ("given", "environment")
    if managed and known is not None and known.path == str(found.path) and known.sha256 != digest:
        raise _changed(file, found.path)
    check_structure(file, found.path)
    if managed:
        _record(file, found.path, digest)
    return found.path, digest


def check_structure(file: WeightsFile, path: Path) -> None:
    """Raise ImageTo3DError if a file is not the network of its row."""
    module, _, function = file.check.partition(":")
    getattr(importlib.import_module(module), function)(path)


def remove(name: str) -> list[Path]:
    """Delete the fetched file, and what is left of a broken download; returns what was deleted. Torch hub's is left alone."""
    file = lookup(name)
    target = folder() / file.file_name
    deleted = []
    for path in (target, _part(target), _part_note(target)):
        if path.exists():
            path.unlink()
            deleted.append(path)
    records = _records()
    if records.pop(name, None) is not None:
        with atomic_open(folder() / "records.json") as stream:
            stream.write((json.dumps(records, indent=1) + "\n").encode())
    return deleted


# --- fetching -----------------------------------------------------------------------------------------------------------


def fetch(name: str, on_bytes: OnBytes = lambda done, total: None) -> Path:
    """Download the weights into the cache folder, going on where a broken download stopped.

    The file lies beside its place under the suffix ``.part`` until it is complete and was checked.

    Raises:
        ImageTo3DError: ``licence_not_accepted`` without recorded consent; ``weights_missing`` if the server cannot be reached or
            does not have it, or if what it gave is not the network; ``engine_failed`` if the disk is too small.
    """
    file = lookup(name)
    if needs_consent(file):
        raise ImageTo3DError(
            ErrorCode.LICENCE_NOT_ACCEPTED,
            f"The licence of the weights of {name} was not accepted.",
            f"Read it and accept it: image-to-3d weights fetch {name}.",
        )
    target = folder() / file.file_name
    if target.is_file():
        verify(name)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(file, target, on_bytes)
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.ENGINE_FAILED,
            f"{target} cannot be written: {error.strerror or error}.",
            "Check the free space and the permissions of the folder.",
        ) from error
    try:
        check_structure(file, _part(target))
    except ImageTo3DError as error:
        _part(target).unlink()
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"What {_host(file.url)} sent is not the file. {error.message}",
            "Try again later.",
        ) from error
    digest = sha256(_part(target))
    _part(target).replace(target)
    _part_note(target).unlink(missing_ok=True)
    _record(file, target, digest)
    return target


class _Interrupted(Exception):  # noqa: N818 - a state, not an error: the next attempt goes on from there
    """The connection ended before the file did."""


def _download(file: WeightsFile, target: Path, on_bytes: OnBytes) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            return _continue_download(file, target, on_bytes)
        except _Interrupted as interruption:
            if attempt == _ATTEMPTS - 1:
                raise ImageTo3DError(
                    ErrorCode.WEIGHTS_MISSING,
                    f"The download broke off again and again ({interruption}).",
                    "Run the same command again; it goes on from where it stopped.",
                ) from interruption
            time.sleep(0.5 * attempt)
    return None


def _continue_download(file: WeightsFile, target: Path, on_bytes: OnBytes) -> None:
    """One request, from the end of what is there; the entity tag makes sure that it is still the same file."""
    part, note = _part(target), _part_note(target)
    have = part.stat().st_size if part.exists() else 0
    known = _read_json(note)
    tag = known.get("tag")
    if have and (known.get("url") != file.url or not tag):
        have = 0
    headers = {"User-Agent": f"image-to-3d/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(tag)}
    try:
        response = urllib.request.urlopen(urllib.request.Request(file.url, headers=headers), timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            part.unlink()
            raise _Interrupted("the rest could not be had") from error
        if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Interrupted(f"the server answered {error.code} {error.reason}") from error
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"{_host(file.url)} answered {error.code} {error.reason}.",
            f"Get {file.file_name} elsewhere and put it into {target.parent}.",
        ) from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            f"{_host(file.url)} cannot be reached: {reason}.",
            f"Check the network, or put {file.file_name} into {target.parent} by hand.",
        ) from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # the whole file, because it changed or because this server sends no parts
        length = int(response.headers.get("Content-Length") or 0)
        total = have + length
        _check_space(target.parent, (length or file.size - have))
        note.write_text(json.dumps({"url": file.url, "tag": _entity_tag(response.headers)}))
        with part.open("r+b" if have else "wb") as stream:
            stream.seek(have)
            while True:
                try:
                    piece = response.read(_PIECE)
                except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
                    raise _Interrupted(str(error) or type(error).__name__) from error
                if not piece:
                    break
                stream.write(piece)
                have += len(piece)
                on_bytes(have, total)
        if length and have < total:
            raise _Interrupted(f"{have} of {total} bytes came")


def _entity_tag(headers: Any) -> str | None:
    """A strong ETag or the date of change, what ``If-Range`` takes (RFC 9110 §13.1.5)."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _check_space(place: Path, needed: int) -> None:
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE_BYTES:
        raise ImageTo3DError(
            ErrorCode.ENGINE_FAILED,
            f"{place} has {free / 1e9:.1f} GB left; the weights need {needed / 1e9:.1f} GB more.",
            "Make room, or set IMAGE_TO_3D_HOME to a folder on a larger disk.",
        )


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _part_note(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")


def _read_json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return value
    return {}
