"""The private installation of the backend, and what this machine offers for one. What makes it is :mod:`.installer`."""

from __future__ import annotations

import contextlib
import platform
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..runtime.objects import of
from ..runtime.workers import Workers
from . import settings
from .installer import builds, cli, pythons, records
from .installer.errors import InstallError


@dataclass(frozen=True)
class Survey:
    """What this machine offers; found by running other programs, so away from the main thread.

    Attributes:
        python: for the environment, or None with the reason in ``problem``.
        gpu: NVIDIA GPU, or None.
        free_bytes: where the installation goes.
    """

    python: pythons.Python | None
    problem: InstallError | None
    gpu: builds.Gpu | None
    free_bytes: int

    def torch(self, choice: builds.TorchChoice) -> builds.Torch:
        """The build of PyTorch that a choice means here."""
        return builds.choose_torch(choice, platform.system(), self.gpu)


GLANCE_SECONDS = 1.0
"""How long what was found on disk is believed while panels are drawn again and again."""


@dataclass(frozen=True)
class Glance:
    """The private installation, for panels."""

    found: records.Installation | None
    state: records.State
    can_install: bool


class Machine:
    """What is known of this machine and of the private installation. Main thread."""

    def __init__(self) -> None:
        self._survey: Survey | None = None
        self._surveyed: tuple[Path, str] | None = None
        self._glance: Glance | None = None
        self._glanced = 0.0

    def survey(self, look: bool = True) -> Survey | None:
        """What this machine offers, once it is known for the Python of the preferences; the first call begins to look."""
        wanted = folder(), settings.get().python
        if self._surveyed != wanted:
            self._survey = None
            if look:
                self._surveyed = wanted
                of(Workers).run(
                    lambda _: _look(*wanted), lambda found: self._take(wanted, found), lane="machine", in_any_mode=True
                )
        return self._survey

    def _take(self, wanted: tuple[Path, str], found: Survey | Exception) -> None:
        if self._surveyed == wanted:  # else the preference has changed since, and another look is under way
            if isinstance(found, Survey):
                self._survey = found
            else:
                self._surveyed = None

    def glance(self) -> Glance:
        """The installation as it was a moment ago: cheap enough to be asked with every drawing."""
        if self._glance is None or time.monotonic() - self._glanced > GLANCE_SECONDS:
            self._glance, self._glanced = Glance(found(), state(), source() is not None), time.monotonic()
        return self._glance

    def invalidate(self) -> None:
        """Something was installed or removed: look again when somebody asks."""
        self._survey = self._surveyed = self._glance = None


def folder(create: bool = False) -> Path:
    """Where the private installation is: the folder that Blender gives this extension."""
    return Path(bpy.utils.extension_path_user(settings.ADDON, path="backend", create=create))


def source() -> builds.Source | None:
    """What the extension carries; None if it was not installed from its zip."""
    try:
        return builds.source(Path(__file__).parents[1])
    except InstallError:
        return None


def state() -> records.State:
    """Of the private installation."""
    return records.state(folder(), source())


def found() -> records.Installation | None:
    """The private installation, if it is complete and works."""
    installed = records.find(folder())
    return installed if installed is not None and installed.works else None


def command_line() -> str:
    """What does in a terminal what the button does."""
    known = of(Machine).survey(look=False)
    python = known.python.path if known is not None and known.python is not None else sys.executable
    return cli.shell_command(python, folder())


def _look(place: Path, preferred: str) -> Survey:
    python, problem = None, None
    try:
        python = pythons.find_python(preferred)
    except InstallError as error:
        problem = error
    return Survey(python, problem, builds.find_gpu(), _free_bytes(place))


def _free_bytes(place: Path) -> int:
    """Where a folder is or will be: of the nearest one above it that is there."""
    for path in (place, *place.parents):
        with contextlib.suppress(OSError):  # not there, or just removed
            return shutil.disk_usage(path).free
    return 0
