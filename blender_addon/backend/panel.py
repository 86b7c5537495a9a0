"""The backend as the sidebar and the preferences show it: what it is, what state it is in, and what can be done about it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from image_to_3d.core import ImageTo3DError
from image_to_3d.protocol import published
from image_to_3d.protocol.messages import EngineState

from .. import translations
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..runtime.workers import Handle
from ..ui.widgets import Sidebar, fact, lines
from . import installation, recovery, settings
from .connection import Connection, backend_settings
from .installation import Machine
from .long_tasks import LongTasks
from .process import find_command
from .recovery import Remedy
from .recovery_widgets import draw_buttons, draw_failure, draw_remedy

LOG_LINES = 6
GLANCE_SECONDS = 1.0
"""How long what was found on disk is believed while panels are drawn again and again."""

_ENGINE_STATES = {
    "ready": n_("ready"),
    "weights_missing": n_("weights missing"),
    "licence_not_accepted": n_("licence not accepted"),
    "unavailable": n_("not available"),
}
_ORIGINS = {
    "preference": n_("It starts when needed, with the command of the preferences"),
    "variable": n_("It starts when needed, with the command of the variable IMAGE_TO_3D_BACKEND"),
    "private": n_("Installed; it starts when needed"),
    "path": n_("It starts when needed; found on the search path"),
}


@dataclass(frozen=True)
class Situation:
    """How things stand while nothing has failed.

    Attributes:
        text: one line.
        icon: of the line.
        remedy: what is wrong, if something is.
    """

    text: str
    icon: str
    remedy: Remedy | None = None


class _Glances:
    """How things stood a moment ago."""

    def __init__(self) -> None:
        self._seen: tuple[float, str, Situation] | None = None

    def situation(self, context: bpy.types.Context) -> Situation:
        chosen = settings.get(context)
        key = "\n".join([chosen.location, chosen.command, chosen.address, chosen.server_key])
        if self._seen is None or self._seen[1] != key or time.monotonic() - self._seen[0] > GLANCE_SECONDS:
            self._seen = (time.monotonic(), key, _look(context))
        return self._seen[2]

    def invalidate(self) -> None:
        self._seen = None


def situation(context: bpy.types.Context) -> Situation:
    """How things stand, for panels: cheap enough to be asked with every drawing."""
    current = of(Connection)
    if current.welcome is not None:
        version = current.welcome.server_version
        busy = current.asking or bool((current.status or {}).get("running"))
        text = n_("Connected, working, version {version}") if busy else n_("Connected, version {version}")
        return Situation(iface_(text).format(version=version), "LINKED", recovery.version_remedy(version))
    if current.asking:
        return Situation(iface_("Connecting…"), "SORTTIME")
    return of(_Glances).situation(context)


def invalidate() -> None:
    """Believe nothing that was found before."""
    of(_Glances).invalidate()


def _look(context: bpy.types.Context) -> Situation:
    try:
        wanted = backend_settings(context)
        if wanted.address:
            text = iface_("Not connected to {address}").format(address=wanted.address)
            return Situation(text, "UNLINKED")
        if published() is not None:
            return Situation(iface_("Running; it is asked when needed"), "UNLINKED")
        origin = find_command(wanted).origin
    except ImageTo3DError as error:
        found = recovery.remedy(error)
        return Situation(translations.sentence(found.message), "ERROR", found)
    if origin == "private" and installation.state() == "outdated":
        outdated = Remedy(
            n_("The installed backend is not the one that this extension brings."),
            n_("Update it, so that both speak alike."),
            recovery.for_private_state(),
        )
        return Situation(iface_(_ORIGINS[origin]), "UNLINKED", outdated)
    return Situation(iface_(_ORIGINS[origin]), "UNLINKED")


class IMAGE_TO_3D_PT_backend(Sidebar, bpy.types.Panel):
    """The process that does the work."""

    bl_label = "Backend"
    bl_idname = "IMAGE_TO_3D_PT_backend"
    bl_parent_id = "IMAGE_TO_3D_PT_main"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Lay out the panel."""
        layout = self.layout
        draw_connection(layout, context)
        draw_actions(layout, context)
        layout.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = settings.ADDON
        task = of(LongTasks).current or of(LongTasks).last
        if task is not None:
            draw_log(layout, context, task)


def draw_connection(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the backend is and can do."""
    current, now = of(Connection), situation(context)
    lines(layout, context, now.text, now.icon)
    if current.welcome is None:
        return
    welcome, report = current.welcome, current.status or {}
    column = layout.column(align=True)
    fact(column, "Device", report.get("device") or welcome.device or iface_("not known yet"))
    memory = report.get("memory_bytes") or welcome.memory_bytes
    if memory:
        fact(column, "Memory", iface_("{size:.1f} GB free").format(size=memory / 1e9))
    waiting = report.get("waiting", 0)
    if waiting:
        fact(column, "Waiting", str(waiting))
    for engine in welcome.engines:
        _draw_engine(layout, context, engine)
    renderer = report.get("renderer") or welcome.renderer
    if renderer:
        lines(layout, context, renderer, "SHADING_RENDERED")


def _draw_engine(layout: bpy.types.UILayout, context: bpy.types.Context, engine: EngineState) -> None:
    column = layout.column(align=True)
    row = column.row(align=True)
    split = row.split(factor=0.5)
    ready = engine.state == "ready"
    split.label(text=engine.name, icon="CHECKMARK" if ready else "DOT", translate=False)
    split.label(text=iface_(_ENGINE_STATES.get(engine.state, engine.state)), translate=False)
    if recovery.can_fetch(engine):
        operator = row.operator("image_to_3d.fetch_weights", text="", icon="IMPORT")
        operator.engine = engine.name
    if engine.licence != "none":
        lines(column, context, engine.licence)


def draw_actions(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What can be done with the backend as it is."""
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    grid.operator("image_to_3d.test_connection", icon="LINKED")
    grid.operator("image_to_3d.stop_backend", text="Stop", icon="QUIT")
    if settings.get(context).location == "REMOTE":
        return
    grid.operator("image_to_3d.restart_backend", text="Restart", icon="FILE_REFRESH")
    grid.operator("image_to_3d.copy_log", text="Copy Log", icon="TEXT")
    glance = of(Machine).glance()
    installed = glance.found
    if installed is not None:
        text = iface_("Installed by the extension: {version}, PyTorch {torch}, Python {python}").format(
            version=installed.version, torch=installed.torch, python=installed.python
        )
        lines(layout, context, text, "PACKAGE")
    if of(LongTasks).current is None:
        draw_buttons(layout, recovery.for_private_state(glance.state))


def draw_notice(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What a person has to know about the backend before a photo can be made; nothing if all is well."""
    task, failed = of(LongTasks).current, of(LongTasks).last
    if task is not None:
        draw_task(layout, context, task)
        return
    if failed is not None and failed.failure is not None:
        box = draw_failure(layout, context, failed.failure)
        _dismiss(box)
        _look_ahead(recovery.remedy(failed.failure))
    elif of(Notices).failure is None:
        found = situation(context).remedy
        if found is not None:
            draw_remedy(layout.box(), context, found, "INFO")
            _look_ahead(found)


def _look_ahead(found: Remedy) -> None:
    """Know what the question before an installation shows when it is asked: a dialog that is open is not drawn again by itself."""
    if bpy.app.online_access and any(button.operator == recovery.INSTALL.operator for button in found.buttons):
        of(Machine).survey()


def draw_task(layout: bpy.types.UILayout, context: bpy.types.Context, task: Handle) -> None:
    """How far an installation is."""
    box = layout.box()
    box.label(text=task.title)
    box.progress(factor=task.fraction, text=f"{task.fraction:.0%}")
    seconds = iface_("{seconds:.0f} s").format(seconds=task.elapsed)
    lines(box, context, f"{translations.sentence(task.stage)} · {seconds}")
    box.operator("image_to_3d.cancel_installation", text="Cancel", icon="CANCEL")


def draw_log(layout: bpy.types.UILayout, context: bpy.types.Context, task: Handle) -> None:
    """The last lines that were said."""
    column = layout.box().column(align=True)
    column.scale_y = 0.7
    for line in list(task.log)[-LOG_LINES:]:
        column.label(text=line[:200], translate=False)


def _dismiss(layout: bpy.types.UILayout) -> None:
    layout.operator("image_to_3d.dismiss", icon="X")


CLASSES = (IMAGE_TO_3D_PT_backend,)
