"""Why there is no installation, in words for a person."""

from __future__ import annotations

import errno
import re
from pathlib import Path
from typing import Literal

Problem = Literal["python", "network", "space", "pip", "busy", "broken", "path", "cancelled", "disk", "weights"]


class InstallError(Exception):
    """Why there is no installation.

    Args:
        problem: what kind of thing it is, for the choice of buttons.
        message: template of one sentence: what is wrong.
        hint: template of one sentence: what to do.
        values: for their fields. Whoever translates does so before they are filled in.
    """

    def __init__(self, problem: Problem, message: str, hint: str = "", /, **values: object) -> None:
        self.templates = message, hint
        self.values = {name: value if isinstance(value, (int, float)) else str(value) for name, value in values.items()}
        self.problem = problem
        self.message, self.hint = (template.format(**self.values) for template in self.templates)
        super().__init__(f"{self.message} {self.hint}".strip())


class Filled(str):
    """A text made from a template and values, which it still knows: whoever shows it translates the template."""

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, /, **values: object) -> Filled:
        filled = super().__new__(cls, template.format(**values))
        filled.template, filled.values = template, values
        return filled

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        return (self.template,), self.values


def n_(text: str) -> str:
    """Marks a text for translation, as ``pgettext_n`` of Blender does; the panel looks it up."""
    return text


_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Name or service not known|getaddrinfo failed|Temporary failure in name|"
    r"nodename nor servname|Network is unreachable|Connection refused|ConnectTimeoutError|ReadTimeoutError|ProxyError|"
    r"SSLError|ConnectionResetError|No route to host|Connection aborted|Connection broken|IncompleteRead",
)
_NO_SPACE = re.compile(
    r"No space left on device|\[Errno 28\]|not enough space on the disk|WinError 112|Disk quota exceeded"
)


def explain(problem: Problem, said: list[str]) -> InstallError:
    """The sentence for a command that failed.

    Args:
        problem: what failed, if its words tell nothing better: ``python`` (making the environment), ``pip`` or ``broken``.
        said: its lines.
    """
    if any(_NO_SPACE.search(line) for line in said):
        return InstallError(
            "space", "The disk is full.", "Free some space, then press Resume: what was fetched is kept."
        )
    if any(_NO_NETWORK.search(line) for line in said):
        return InstallError(
            "network",
            "The package index cannot be reached.",
            "Check the network, proxy and firewall, then press Resume: it goes on where it stopped.",
        )
    last = _last_meaningful(said)
    hint = n_("The log has the details; press Resume to try again.")
    if problem == "python":
        return InstallError(problem, "Python cannot make an environment: {last}.", hint, last=last)
    if problem == "broken":
        return InstallError(problem, "What was installed does not start: {last}.", hint, last=last)
    return InstallError(problem, "pip could not install the backend: {last}.", hint, last=last)


def _last_meaningful(said: list[str]) -> str:
    errors = [line.removeprefix("ERROR: ").strip() for line in said if line.startswith("ERROR: ")]
    others = [line.strip() for line in said if line.strip() and not line.startswith(("WARNING", "[notice]", " "))]
    plain = [line for line in errors if not line.startswith("ResolutionImpossible")]  # which only names a web page
    return (plain or errors or others or ["it said nothing"])[-1].rstrip(".")[:300]


def disk_error(error: OSError, folder: Path) -> InstallError:
    """The sentence for a disk that cannot be used."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return explain("pip", ["No space left on device"])
    return InstallError(
        "disk",
        "{filename} cannot be used: {why}.",
        "Check the disk, then press Resume.",
        filename=error.filename or folder,
        why=error.strerror or error,
    )
