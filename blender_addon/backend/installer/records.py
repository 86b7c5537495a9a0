"""What is installed: the record of it, its state, and the lock that keeps two from installing at once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from .builds import Source
from .commands import answer
from .errors import InstallError

RECORD, LOCK, LOG = "installation.json", "lock", "install.log"
SLOTS = ("a", "b")
State = Literal["missing", "interrupted", "installed", "outdated", "broken"]


@dataclass(frozen=True)
class Installation:
    """A complete environment, as its record describes it.

    Attributes:
        folder: of everything.
        environment: its name below the folder.
        version, digest: of the project's wheel in it.
        torch, torch_build: version of PyTorch, and ``cpu``, ``cuda`` or ``mps``.
        python: version.
        base: interpreter that the environment was made with, and needs.
        device: what it computes on.
        date, seconds: when it was made, and how long that took.
    """

    folder: Path
    environment: str
    version: str
    digest: str
    torch: str
    torch_build: str
    python: str
    base: str
    device: str = ""
    date: str = ""
    seconds: float = 0.0

    @property
    def interpreter(self) -> Path:
        """Python of the environment."""
        return interpreter(self.folder / self.environment)

    @property
    def command(self) -> list[str]:
        """Command line of the backend; -I keeps the packages of other Pythons out."""
        return [str(self.interpreter), "-I", "-m", "image_to_3d"]

    @property
    def works(self) -> bool:
        """False if something has been taken away: the environment, or the Python (often Blender's) that it stands on."""
        return self.interpreter.is_file() and Path(self.base).is_file()


def interpreter(environment: Path) -> Path:
    """Python of an environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find(folder: Path) -> Installation | None:
    """The complete installation below a folder, or None. Fast: one small file is read."""
    try:
        stored = json.loads((folder / RECORD).read_text("utf-8"))
        return Installation(folder=folder, **{k: v for k, v in stored.items() if k != "folder"})
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def state(folder: Path, wanted: Source | None) -> State:
    """What there is below a folder.

    Args:
        folder: of the installation.
        wanted: what the extension carries; an installation of anything else is ``outdated``.
    """
    found = find(folder)
    if found is None:
        return "interrupted" if any((folder / slot).is_dir() for slot in SLOTS) else "missing"
    if not found.works:
        return "broken"
    return "installed" if wanted is None or found.digest == wanted.digest else "outdated"


def remove(folder: Path) -> None:
    """Delete the installation, all of it.

    Raises:
        InstallError: ``busy`` while somebody installs; ``disk`` if something is still in use.
    """
    if not folder.is_dir():
        return
    with lock(folder):
        found = find(folder)
        if found is not None and found.works:
            answer([*found.command, "stop"])
        (folder / RECORD).unlink(missing_ok=True)
        for name in (*SLOTS, "cache", "tmp", LOG):
            delete(folder / name)
    shutil.rmtree(folder, ignore_errors=True)


def delete(path: Path) -> None:
    """Delete a file or a folder; nothing there is fine.

    Raises:
        InstallError: ``disk``.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InstallError(
            "disk",
            "{filename} cannot be deleted: {why}.",
            "Stop the backend and try again.",
            filename=error.filename or path,
            why=error.strerror,
        ) from None


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[IO[str]]:
    """Keep other Blenders from installing into this folder. The system gives it back whatever happens to this process.

    Raises:
        InstallError: ``busy`` if another one holds it; ``disk`` if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise InstallError(
            "disk",
            "{folder} cannot be written: {why}.",
            "Check the permissions of the folder.",
            folder=folder,
            why=error.strerror,
        ) from None
    with file:
        try:
            if os.name == "nt":
                import msvcrt

                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InstallError(
                "busy", "Another Blender is installing the backend.", "Wait until it is done; then it is here as well."
            ) from None
        yield file
