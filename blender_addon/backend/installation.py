"""The private installation of the backend, and what this machine offers for one. What makes it is :mod:`.installer`."""

from __future__ import annotations

import contextlib
import platform
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import bpy

from .. import preferences
from . import installer
from .installer import InstallError


@dataclass(frozen=True)
class Survey:
    """What this machine offers; found by running other programs, so away from the main thread.

    Attributes:
        python: for the environment, or None with the reason in ``problem``.
        gpu: NVIDIA GPU, or None.
        free_bytes: where the installation goes.
    """

    python: installer.Python | None
    problem: InstallError | None
    gpu: installer.Gpu | None
    free_bytes: int

    def torch(self, choice: installer.TorchChoice) -> installer.Torch:
        """The build of PyTorch that a choice means here."""
        return installer.choose_torch(choice, platform.system(), self.gpu)


_survey: Survey | None = None
_surveyor: threading.Thread | None = None


def folder(create: bool = False) -> Path:
    """Where the private installation is: the folder that Blender gives this extension."""
    return Path(bpy.utils.extension_path_user(preferences.ADDON, path="backend", create=create))


def source() -> installer.Source | None:
    """What the extension carries; None if it was not installed from its zip."""
    try:
        return installer.source(Path(__file__).parents[1])
    except InstallError:
        return None


def state() -> installer.State:
    """Of the private installation."""
    return installer.state(folder(), source())


def found() -> installer.Installation | None:
    """The private installation, if it is complete and works."""
    installed = installer.find(folder())
    return installed if installed is not None and installed.works else None


def command_line() -> str:
    """What does in a terminal what the button does."""
    known = _survey.python if _survey is not None else None
    python = known.path if known is not None else sys.executable
    return installer.shell_command(python, folder())


def survey(look: bool = True) -> Survey | None:
    """What this machine offers, once it is known; the first call begins to look."""
    global _surveyor
    if _survey is None and look and (_surveyor is None or not _surveyor.is_alive()):
        place, preferred = folder(), preferences.get().python
        _surveyor = threading.Thread(target=_look, args=(place, preferred), name="image-to-3d survey", daemon=True)
        _surveyor.start()
    return _survey


def forget_survey(*_: object) -> None:
    """A preference has changed: look again when somebody asks."""
    global _survey
    _survey = None


def _look(place: Path, preferred: str) -> None:
    global _survey
    python, problem = None, None
    try:
        python = installer.find_python(preferred)
    except InstallError as error:
        problem = error
    _survey = Survey(python, problem, installer.find_gpu(), _free_bytes(place))


def _free_bytes(place: Path) -> int:
    """Where a folder is or will be: of the nearest one above it that is there."""
    for path in (place, *place.parents):
        with contextlib.suppress(OSError):  # not there, or just removed
            return shutil.disk_usage(path).free
    return 0


def on_unregister() -> None:
    """Forget what was found."""
    forget_survey()
