"""What a person can do about a failure: words without commands to type, and buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import bpy
from bpy.app.translations import pgettext_n as n_

from image_to_3d import __version__
from image_to_3d.core import ErrorCode
from image_to_3d.protocol import ConnectionLost
from image_to_3d.protocol.messages import PROTOCOL_VERSION, EngineState
from image_to_3d.protocol.wire import IncompatibleVersion

from .. import translations
from . import installation, settings
from .connection import backend_settings
from .engine_catalogue import FETCHABLE
from .installer.errors import Filled, InstallError
from .installer.records import State
from .process import OfflineError, SettingsError, find_command


@dataclass(frozen=True)
class Button:
    """A button that helps.

    Attributes:
        operator: its ``bl_idname``.
        text: on it.
        icon: Blender's name of one.
        properties: of the operator.
    """

    operator: str
    text: str
    icon: str
    properties: dict[str, str | int] = field(default_factory=dict)


INSTALL = Button("image_to_3d.install_backend", n_("Install Backend…"), "IMPORT")
RESUME = Button("image_to_3d.install_backend", n_("Resume…"), "IMPORT")
REPAIR = Button("image_to_3d.install_backend", n_("Repair…"), "TOOL_SETTINGS")
UPDATE = Button("image_to_3d.install_backend", n_("Update Backend…"), "FILE_REFRESH")
REMOVE = Button("image_to_3d.remove_backend", n_("Remove…"), "TRASH")
COPY_COMMAND = Button("image_to_3d.copy_install_command", n_("Copy as a Command"), "COPYDOWN")
COPY_LOG = Button("image_to_3d.copy_log", n_("Copy Log"), "TEXT")
RESTART = Button("image_to_3d.restart_backend", n_("Restart Backend"), "FILE_REFRESH")
TEST = Button("image_to_3d.test_connection", n_("Test Connection"), "LINKED")
COPY_KEY = Button("image_to_3d.copy_authorise_command", n_("Copy Command with Key"), "COPYDOWN")
ONLINE = Button("image_to_3d.allow_online_access", n_("Allow Online Access"), "INTERNET")
EXTENSIONS = Button("screen.userpref_show", n_("Get Extensions"), "PREFERENCES", {"section": "EXTENSIONS"})
PREFERENCES = Button("preferences.addon_show", n_("Preferences"), "PREFERENCES", {"module": settings.ADDON})
AGAIN = Button("image_to_3d.generate", n_("Try Again"), "FILE_REFRESH")
_RETRY = "image_to_3d.retry_job"

_NO_WEIGHTS = {"weights_missing", "licence_not_accepted"}
FETCH_HINT = n_("Get Weights shows the licence and fetches them after you have agreed.")


@dataclass(frozen=True)
class FailedPhoto:
    """A photo that failed: its number in the queue, and the engine that was asked for."""

    number: int
    engine: str


FAILED_PHOTOS: list[Callable[[Exception], FailedPhoto | None]] = []
"""Functions that know the photo of a failure; the queue puts its own here."""


@dataclass(frozen=True)
class Remedy:
    """What to say about a failure and which buttons to offer. Words of its own are English; panels translate them."""

    message: str
    hint: str
    buttons: tuple[Button, ...] = ()


def remedy(failure: Exception) -> Remedy:
    """Words and buttons for a failure, by what kind of failure it is and where the backend is."""
    message, hint = translations.words_of(failure)
    if isinstance(failure, IncompatibleVersion):
        return _incompatible(failure.peer)
    if isinstance(failure, OfflineError):
        return Remedy(message, hint, (ONLINE,))
    if isinstance(failure, SettingsError):
        return Remedy(message, hint, (PREFERENCES,))
    if isinstance(failure, ConnectionLost):
        return _connection(failure)
    if isinstance(failure, InstallError):
        return Remedy(message, hint, _for_installation(failure))
    code = getattr(failure, "code", ErrorCode.INTERNAL)
    if code in {ErrorCode.WEIGHTS_MISSING, ErrorCode.LICENCE_NOT_ACCEPTED}:
        hint = FETCH_HINT
    return Remedy(message, hint, _by_code(code, failure))


def weights(engine: str = "") -> Button:
    """The button that fetches the weights of an engine; without one it asks which."""
    return Button(
        "image_to_3d.fetch_weights", n_("Get Weights…"), "IMPORT", {"engine": engine} if engine in FETCHABLE else {}
    )


def can_fetch(engine: EngineState) -> bool:
    """Whether the button is of use: the engine lacks weights that somebody offers, and the backend runs on this computer."""
    return engine.state in _NO_WEIGHTS and bool(engine.terms) and settings.get().location == "LOCAL"


def _connection(failure: ConnectionLost) -> Remedy:
    remote = settings.get().location == "REMOTE"
    message, hint = translations.words_of(failure)
    if failure.reason == "missing":
        return Remedy(message, hint, (*for_private_state(), PREFERENCES))
    if failure.reason == "command":
        return Remedy(message, hint, (PREFERENCES,))
    if failure.reason == "unauthorised":
        hint = n_("Run on its computer what the button copies; then test again.")
        return Remedy(message, hint, (COPY_KEY, TEST))
    if remote:
        if failure.reason == "stranger":
            hint = n_("Compare address and server key with what the backend shows on its computer.")
            return Remedy(message, hint, (PREFERENCES, TEST))
        hint = n_("See that the backend runs on the other computer and that no firewall is between, then test again.")
        return Remedy(message, hint, (TEST, PREFERENCES))
    if failure.reason == "start":
        return Remedy(message, hint, (*((REPAIR,) if uses_private() else (PREFERENCES,)), RESTART, COPY_LOG))
    return Remedy(message, n_("Restart it; if this happens again, its log says why."), (RESTART, COPY_LOG))


def _incompatible(peer: int | None) -> Remedy:
    if peer is not None and peer > PROTOCOL_VERSION:
        return Remedy(
            n_("The backend is newer than this extension: they do not understand each other."),
            n_("Update the extension, or use the backend that it installs."),
            (EXTENSIONS, *_other_backend()),
        )
    return Remedy(
        n_("The backend is older than this extension: they do not understand each other."),
        n_("Update the backend."),
        _other_backend(),
    )


def _other_backend() -> tuple[Button, ...]:
    """How to come by a backend of this version."""
    if settings.get().location == "REMOTE":
        return (TEST, PREFERENCES)
    if uses_private():
        return (UPDATE, RESTART)
    return (RESTART, INSTALL, PREFERENCES)


def version_remedy(server_version: str) -> Remedy | None:
    """What to say about a backend that is connected and has another version; None if it fits.

    Versions fit if major and minor number are equal: corrections do not change what is spoken.
    """
    theirs, ours = _numbers(server_version), _numbers(__version__)
    if theirs == ours:
        return None
    template = (
        n_("The backend has version {theirs}, the extension {ours}: the backend is too new.")
        if theirs > ours
        else n_("The backend has version {theirs}, the extension {ours}: the backend is too old.")
    )
    buttons = (EXTENSIONS, *_other_backend()) if theirs > ours else _other_backend()
    return Remedy(Filled(template, theirs=server_version, ours=__version__), n_("Something may not work."), buttons)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def for_private_state(state: State | None = None) -> tuple[Button, ...]:
    """How to come by a private installation that works, from what is there; ``state`` is looked up if it is not given."""
    return {
        "missing": (INSTALL, COPY_COMMAND),
        "interrupted": (RESUME, REMOVE),
        "broken": (REPAIR, REMOVE),
        "outdated": (UPDATE, REMOVE),
        "installed": (REPAIR, REMOVE),
    }[installation.state() if state is None else state]


def uses_private() -> bool:
    """Whether the backend of this computer is the private installation."""
    try:
        return find_command(backend_settings(bpy.context)).origin == "private"
    except (ConnectionLost, SettingsError):
        return False


def _for_installation(failure: InstallError) -> tuple[Button, ...]:
    if failure.problem == "python":
        return (RESUME, PREFERENCES, COPY_LOG)
    if failure.problem in {"space", "path", "busy"}:
        return (RESUME,)
    if failure.problem == "cancelled":
        return (RESUME, REMOVE)
    return (RESUME, COPY_LOG)


def _by_code(code: ErrorCode, failure: Exception) -> tuple[Button, ...]:
    job = next((found for of_failure in FAILED_PHOTOS if (found := of_failure(failure)) is not None), None)
    if code == ErrorCode.BUSY:
        return (AGAIN if job is None else replace(AGAIN, operator=_RETRY, properties={"number": job.number}),)
    if code in {ErrorCode.WEIGHTS_MISSING, ErrorCode.LICENCE_NOT_ACCEPTED}:
        return (weights() if job is None else weights(job.engine),)
    if code in {ErrorCode.SHUTTING_DOWN, ErrorCode.OUT_OF_MEMORY}:
        return (RESTART,) if settings.get().location == "LOCAL" else (TEST,)
    return ()
