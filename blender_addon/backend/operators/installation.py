"""Installing, repairing, updating and removing the backend, and fetching weights. The work is done by :mod:`..installer`."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_
from bpy.props import BoolProperty, EnumProperty

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.paths import log_folder
from image_to_3d.protocol.messages import EngineState

from ... import translations
from ...backend import settings
from ...runtime.notices import Notices
from ...runtime.objects import of
from ...runtime.workers import Handle
from .. import installation
from ..connection import Connection, backend_settings
from ..engine_catalogue import ENGINE_ITEMS, FETCHABLE
from ..installation import Machine
from ..installer import builds, commands, environment, pythons, records
from ..installer.errors import Filled, InstallError
from ..long_tasks import LongTasks
from ..process import OfflineError, find_command

DIALOG_WIDTH = 460
LETTERS = 74
"""That fit into a dialog of this width."""


def begin(operator: bpy.types.Operator, start: Callable[[], object]) -> set[str]:
    """Start a task; say why not if it cannot be started."""
    try:
        start()
    except (InstallError, ImageTo3DError) as error:
        of(Notices).fail("backend", error)
        operator.report({"WARNING"}, translations.words_of(error)[0])
        return {"CANCELLED"}
    of(Notices).begin()
    return {"FINISHED"}


def install(choice: builds.TorchChoice) -> Handle:
    """Begin to install, repair or update.

    Raises:
        InstallError: the extension is incomplete, or something is under way.
        OfflineError: Blender may not use the network.
    """
    if not bpy.app.online_access:
        raise OfflineError("backend.offline_install")
    of(Machine).invalidate()  # the next question is about what is there then
    wanted = builds.source(Path(builds.__file__).parents[2])
    place, preferred = installation.folder(create=True), settings.get().python

    def work(task: Handle) -> None:
        task.report(n_("Looking for Python"), 0.0)
        python = pythons.find_python(preferred)
        torch = builds.choose_torch(choice, platform.system(), builds.find_gpu())
        environment.Installer(place, wanted, torch, python, task.say, task.report, task.cancelled.is_set).run()

    return of(LongTasks).begin(n_("Installing the backend"), work, _use)


def _use() -> None:
    """Ask what was installed what it can do."""
    of(Machine).invalidate()
    of(Connection).forget()
    of(Connection).test(bpy.context)


class IMAGE_TO_3D_OT_install_backend(bpy.types.Operator):
    """Install the backend into a folder of this extension, with an environment of its own. Blender's Python stays as it is"""

    bl_idname = "image_to_3d.install_backend"
    bl_label = "Install Backend"

    torch: EnumProperty(
        name="PyTorch",
        description="The library that runs the networks",
        items=[
            ("auto", "Automatic", "For the graphics card if it can be used, else for the processor"),
            ("cpu", "Processor", "Works everywhere, slower"),
            ("cuda", "NVIDIA Graphics Card", "Needs a recent NVIDIA card and driver; a large download"),
        ],
        default="auto",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """One thing at a time."""
        if of(LongTasks).current is not None:
            cls.poll_message_set("Something is being installed already.")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: what, how large, where."""
        if not bpy.app.online_access:
            return self.execute(context)
        of(Machine).survey()
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """The question."""
        layout = self.layout
        source, survey = installation.source(), of(Machine).survey(look=False)
        column = layout.column(align=True)
        _paragraph(column, n_("PyTorch and the backend are fetched from the Python package index and installed here:"))
        for row in textwrap.wrap(str(installation.folder()), LETTERS):
            column.label(text=row, translate=False)
        layout.prop(self, "torch")
        column = layout.column(align=True)
        if survey is None:
            column.label(text="Looking for Python and a graphics card…")
            return
        torch = survey.torch(self.torch)
        if source is not None:
            text = iface_("Backend {version}, PyTorch {torch} for {device} ({why})").format(
                version=source.version,
                torch=source.torch,
                device=torch.name.upper(),
                why=translations.sentence(torch.why),
            )
            _paragraph(column, text)
        text = iface_("Download about {download:.1f} GB, {disk:.1f} GB on disk; {free:.0f} GB are free").format(
            download=torch.download_bytes / 1e9, disk=torch.disk_bytes / 1e9, free=survey.free_bytes / 1e9
        )
        _paragraph(column, text)
        if survey.python is not None:
            text = iface_("Made with Python {version}: {path}").format(
                version=survey.python.version, path=survey.python.path
            )
            _paragraph(column, text)
        elif survey.problem is not None:
            _paragraph(column, translations.words_of(survey.problem)[0], "ERROR")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start and return; the panel shows how far it is."""
        return begin(self, lambda: install(self.torch))


class IMAGE_TO_3D_OT_cancel_installation(bpy.types.Operator):
    """Stop what is being installed or fetched; what is already here is kept for the next time"""

    bl_idname = "image_to_3d.cancel_installation"
    bl_label = "Cancel Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs."""
        return of(LongTasks).current is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the thread to end; it does so within a second."""
        of(LongTasks).current.cancelled.set()
        return {"FINISHED"}


class IMAGE_TO_3D_OT_remove_backend(bpy.types.Operator):
    """Delete the backend that this extension has installed. Weights and keys stay"""

    bl_idname = "image_to_3d.remove_backend"
    bl_label = "Remove Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something to delete."""
        return of(LongTasks).current is None and installation.state() != "missing"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start and return."""
        place = installation.folder()

        def work(task: Handle) -> None:
            task.report(n_("Deleting"), 0.1)
            records.remove(place)

        def then() -> None:
            of(Machine).invalidate()
            of(Connection).forget()

        return begin(self, lambda: of(LongTasks).begin(n_("Removing the backend"), work, then))


class IMAGE_TO_3D_OT_copy_install_command(bpy.types.Operator):
    """Copy a command that installs the same in a terminal, for those who prefer that; on Windows for PowerShell"""

    bl_idname = "image_to_3d.copy_install_command"
    bl_label = "Copy as a Command"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it on the clipboard."""
        context.window_manager.clipboard = installation.command_line()
        self.report({"INFO"}, "The command is on the clipboard.")
        return {"FINISHED"}


class IMAGE_TO_3D_OT_copy_log(bpy.types.Operator):
    """Copy what was said while installing, and the last lines of the backend's log, to ask somebody for help"""

    bl_idname = "image_to_3d.copy_log"
    bl_label = "Copy Log"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Put it on the clipboard."""
        files = (installation.folder() / records.LOG, *(log_folder() / name for name in _LOGS))
        context.window_manager.clipboard = "\n".join(_tail(path) for path in files if path.is_file())
        self.report({"INFO"}, "The log is on the clipboard.")
        return {"FINISHED"}


_LOGS = ("started-by-blender.log", "backend.log")


def _tail(path: Path, lines: int = 200) -> str:
    text = path.read_text("utf-8", "replace").splitlines()
    return "\n".join([f"--- {path}", *text[-lines:]])


class IMAGE_TO_3D_OT_dismiss(bpy.types.Operator):
    """Take this message away"""

    bl_idname = "image_to_3d.dismiss"
    bl_label = "Dismiss"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """It was read."""
        of(LongTasks).dismiss()
        of(Notices).begin()
        return {"FINISHED"}


_FETCHED = [item for item in ENGINE_ITEMS if item[0] in FETCHABLE]


class IMAGE_TO_3D_OT_fetch_weights(bpy.types.Operator):
    """Fetch the weights of an engine, after you have read and accepted their licence"""

    bl_idname = "image_to_3d.fetch_weights"
    bl_label = "Get Weights"

    engine: EnumProperty(name="Engine", items=_FETCHED, default="sharp")
    accepted: BoolProperty(name="I accept these terms", default=False, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only for the backend of this computer, and only if it has said what the terms are."""
        if of(LongTasks).current is not None:
            cls.poll_message_set("Something is being installed already.")
            return False
        if settings.get(context).location == "REMOTE":
            cls.poll_message_set("Weights are fetched on the computer of the backend.")
            return False
        if of(Connection).welcome is None:
            cls.poll_message_set("Press Test Connection first.")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show the terms first."""
        return context.window_manager.invoke_props_dialog(self, width=DIALOG_WIDTH)

    def draw(self, context: bpy.types.Context) -> None:
        """The terms."""
        layout = self.layout
        layout.prop(self, "engine")
        engine = self._state()
        column = layout.column(align=True)
        _paragraph(column, engine.licence)
        _paragraph(column, engine.terms)
        row = column.row()
        row.operator("wm.url_open", text="The text that binds", icon="URL").url = engine.terms_url
        text = iface_("Download about {size:.1f} GB").format(size=engine.download_bytes / 1e9)
        column.label(text=text, translate=False)
        if engine.needs_consent:
            layout.prop(self, "accepted")

    def _state(self) -> EngineState:
        return next(engine for engine in of(Connection).welcome.engines if engine.name == self.engine)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start and return."""
        return begin(self, lambda: fetch_weights(self._state(), self.accepted))


def fetch_weights(engine: EngineState, accepted: bool) -> Handle:
    """Begin to fetch the weights of an engine with the backend's own command.

    Raises:
        ImageTo3DError: ``licence_not_accepted``; Blender may not use the network; there is no command.
        InstallError: something is under way.
    """
    if engine.needs_consent and not accepted:
        raise ImageTo3DError(ErrorCode.LICENCE_NOT_ACCEPTED, "weights.licence_not_ticked")
    if not bpy.app.online_access:
        raise OfflineError("backend.offline_weights")
    command = find_command(backend_settings(bpy.context)).parts
    arguments = ["weights", "fetch", engine.name, "--accept-licence", "--raw-progress"]

    def work(task: Handle) -> None:
        task.report(n_("Fetching weights"), 0.0)

        def hear(line: str) -> None:
            numbers = commands.progress_of(line)
            if numbers is None:
                task.say(line)
                return
            done, total = numbers
            template = n_("Fetching {done} of about {total} MB")
            stage = Filled(template, done=round(done / 1e6), total=round(total / 1e6))
            task.report(stage, done / total if total else 0.0)

        if commands.stream([*command, *arguments], commands.plain_environment(), hear, task.cancelled.is_set):
            last = next((line for line in reversed(task.log) if line.strip()), n_("it said nothing"))
            raise InstallError(
                "weights", "The weights could not be fetched: {last}", "Try again: what was fetched is kept.", last=last
            )

    return of(LongTasks).begin(n_("Fetching weights"), work, _use)


def _paragraph(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    for row in textwrap.wrap(translations.sentence(text), LETTERS):
        layout.label(text=row, icon=icon, translate=False)
        icon = "NONE"


CLASSES = (
    IMAGE_TO_3D_OT_install_backend,
    IMAGE_TO_3D_OT_cancel_installation,
    IMAGE_TO_3D_OT_remove_backend,
    IMAGE_TO_3D_OT_copy_install_command,
    IMAGE_TO_3D_OT_copy_log,
    IMAGE_TO_3D_OT_dismiss,
    IMAGE_TO_3D_OT_fetch_weights,
)
