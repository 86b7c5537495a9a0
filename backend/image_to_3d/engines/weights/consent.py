"""Who accepted which terms, recorded in the config folder."""

from __future__ import annotations

import json
import time
from typing import Any

from ... import __version__
from ...paths import config_folder, write_private
from .json_files import read_json
from .table import WeightsFile


def _consents() -> dict[str, Any]:
    return read_json(config_folder() / "licences.json")


def consent_record(file: WeightsFile) -> dict[str, str] | None:
    """The record of consent to the terms as they stand now: ``licence``, ``terms_sha256``, ``date``; None if there is none."""
    record = _consents().get(file.name)
    if isinstance(record, dict) and record.get("terms_sha256") == file.licence.digest:
        return record
    return None


def needs_consent(file: WeightsFile) -> bool:
    """Whether somebody must still accept the terms."""
    return file.licence.needs_consent and consent_record(file) is None


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
