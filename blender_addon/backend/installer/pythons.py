"""Which Python to make the environment with."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from .commands import answer
from .errors import InstallError

OLDEST, NEWEST = (3, 10), (3, 14)
"""Pythons for which PyTorch and numba have wheels."""
_PROBE = (
    "import json, ssl, sys, venv, ensurepip\n"
    "print(json.dumps([list(sys.version_info[:3]), sys.maxsize > 2**32, sys.implementation.name, sys.base_prefix]))"
)


@dataclass(frozen=True)
class Python:
    """An interpreter that can make environments.

    Attributes:
        path: of the program.
        version: with dots.
        prefix: folder of its installation.
    """

    path: str
    version: str
    prefix: str


def find_python(preferred: str = "", own: str = sys.executable) -> Python:
    """The interpreter to make the environment with: the preferred one, else the one that Blender brings, else one on the PATH.

    Args:
        preferred: by the person; nothing else is tried then.
        own: the interpreter that runs this.

    Raises:
        InstallError: ``python`` if none fits.
    """
    if preferred:
        found = shutil.which(preferred)
        fitting = probe_python(found) if found else None
        if fitting is None:
            raise InstallError(
                "python",
                "{preferred} is not a Python that the backend can use.",
                "Choose a 64-bit Python {dotted} to {dotted2} with venv and pip, or leave the field empty.",
                preferred=preferred,
                dotted=_dotted(OLDEST),
                dotted2=_dotted(NEWEST),
            )
        return fitting
    for candidate in _candidates(own):
        fitting = probe_python(candidate)
        if fitting is not None:
            return fitting
    raise InstallError(
        "python",
        "No Python {dotted} to {dotted2} with venv and pip was found.",
        "Install Python from python.org (on Debian and Ubuntu: apt install python3-venv) and try again.",
        dotted=_dotted(OLDEST),
        dotted2=_dotted(NEWEST),
    )


def _candidates(own: str) -> Iterator[str]:
    yield own
    places = os.environ.get("PATH", os.defpath)
    if sys.platform == "darwin":  # programs started by the Finder do not see these
        places = os.pathsep.join([places, "/opt/homebrew/bin", "/usr/local/bin"])
    for name in ("python3.13", "python3.12", "python3.11", "python3.10", "python3.14", "python3", "python"):
        found = shutil.which(name, path=places)
        if found:
            yield found


def probe_python(path: str) -> Python | None:
    """The interpreter at ``path`` if it runs and fits."""
    said = answer([path, "-I", "-c", _PROBE])
    try:
        version, is_64_bit, implementation, prefix = json.loads(said)
    except ValueError:
        return None
    fits = OLDEST <= tuple(version[:2]) <= NEWEST and is_64_bit and implementation == "cpython"
    return Python(path, ".".join(map(str, version)), prefix) if fits else None


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
