"""Fetching weights, going on where a broken download stopped, and removing them."""

from __future__ import annotations

import http.client
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ... import __version__
from ...core.errors import ErrorCode, ImageTo3DError
from .checking import check_structure, verify
from .consent import needs_consent
from .json_files import read_json
from .locate import folder
from .records import forget, record, sha256
from .table import WeightsFile, lookup

OnBytes = Callable[[int, int], None]
"""``on_bytes(done, total)`` while fetching; total is 0 where the server does not say."""
_PIECE = 1 << 20
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30.0
_SPARE_BYTES = 200_000_000


def fetch(name: str, on_bytes: OnBytes = lambda done, total: None) -> Path:
    """Download the weights into the cache folder, going on where a broken download stopped.

    The file lies beside its place under the suffix ``.part`` until it is complete and was checked.

    Raises:
        ImageTo3DError: ``licence_not_accepted`` without recorded consent; ``weights_missing`` if the server cannot be reached or
            does not have it, or if what it gave is not the network; ``engine_failed`` if the disk is too small.
    """
    file = lookup(name)
    if needs_consent(file):
        raise ImageTo3DError(ErrorCode.LICENCE_NOT_ACCEPTED, "weights.licence_not_accepted", name=name)
    target = folder() / file.file_name
    if target.is_file():
        verify(name)
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(file, target, on_bytes)
    except OSError as error:
        raise ImageTo3DError(
            ErrorCode.ENGINE_FAILED, "weights.target_not_writable", target=target, why=error.strerror or error
        ) from error
    try:
        check_structure(file, _part(target))
    except ImageTo3DError as error:
        _part(target).unlink()
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING, "weights.download_wrong", host=_host(file.url), why=error.message
        ) from error
    digest = sha256(_part(target))
    _part(target).replace(target)
    _part_note(target).unlink(missing_ok=True)
    record(file, target, digest)
    return target


def remove(name: str) -> list[Path]:
    """Delete the fetched file, and what is left of a broken download; returns what was deleted. Torch hub's is left alone."""
    file = lookup(name)
    target = folder() / file.file_name
    deleted = []
    for path in (target, _part(target), _part_note(target)):
        if path.exists():
            path.unlink()
            deleted.append(path)
    forget(name)
    return deleted


class _Interrupted(Exception):  # noqa: N818 - a state, not an error: the next attempt goes on from there
    """The connection ended before the file did."""


def _download(file: WeightsFile, target: Path, on_bytes: OnBytes) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            return _continue_download(file, target, on_bytes)
        except _Interrupted as interruption:
            if attempt == _ATTEMPTS - 1:
                raise ImageTo3DError(
                    ErrorCode.WEIGHTS_MISSING, "weights.download_broken_off", interruption=interruption
                ) from interruption
            time.sleep(0.5 * attempt)
    return None


def _continue_download(file: WeightsFile, target: Path, on_bytes: OnBytes) -> None:
    """One request, from the end of what is there; the entity tag makes sure that it is still the same file."""
    part, note = _part(target), _part_note(target)
    have = part.stat().st_size if part.exists() else 0
    known = read_json(note)
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
            "weights.server_refused",
            host=_host(file.url),
            error_code=error.code,
            the_reason=error.reason,
            file_name=file.file_name,
            folder=target.parent,
        ) from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ImageTo3DError(
            ErrorCode.WEIGHTS_MISSING,
            "weights.server_unreachable",
            host=_host(file.url),
            the_reason=reason,
            file_name=file.file_name,
            folder=target.parent,
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
            "weights.no_room",
            place=place,
            free=free / 1000000000.0,
            needed=needed / 1000000000.0,
        )


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _part_note(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")
