"""Weights of the networks: where they come from, under which terms, where they lie, and whether they are what they should be.

Nothing is fetched without being asked for, and files under a licence that needs consent are neither fetched nor picked up before
it was given. Importing this package does not load torch.

``table`` (what there is) < ``consent``, ``locate`` < ``records`` (hashes) < ``checking`` < ``download``.
"""

from .checking import check_structure, require, verify
from .consent import consent_record, needs_consent, record_consent
from .download import OnBytes, fetch, remove
from .locate import Found, Origin, State, find, folder, state, torch_hub_folder
from .records import FileRecord, recorded, sha256
from .table import WEIGHTS, Licence, WeightsFile, lookup

__all__ = [
    "WEIGHTS",
    "FileRecord",
    "Found",
    "Licence",
    "OnBytes",
    "Origin",
    "State",
    "WeightsFile",
    "check_structure",
    "consent_record",
    "fetch",
    "find",
    "folder",
    "lookup",
    "needs_consent",
    "record_consent",
    "recorded",
    "remove",
    "require",
    "sha256",
    "state",
    "torch_hub_folder",
    "verify",
]
