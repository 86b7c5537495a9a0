"""Tools that are used with the mouse in a viewport: clicks and drags, until they have what they need or are given up.

A tool takes the mouse only over the view that it was started in. Sidebar, header and other editors keep working meanwhile, and
the view can be turned. However it ends, nothing of it stays: no drawing, no text, no cursor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy
from bpy_extras import view3d_utils
from mathutils import Vector

from ..runtime import objects, session_uids
from ..runtime.objects import of

NAVIGATION = frozenset(
    [
        "MIDDLEMOUSE",
        "WHEELUPMOUSE",
        "WHEELDOWNMOUSE",
        "WHEELINMOUSE",
        "WHEELOUTMOUSE",
        "TRACKPADPAN",
        "TRACKPADZOOM",
        "MOUSEROTATE",
        "MOUSESMARTZOOM",
        "NDOF_MOTION",
    ]
)
"""Types of events that turn a view."""

_MOVES = {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE"}  # the latter while Blender is slower than the mouse
_PRESSES = {"PRESS", "DOUBLE_CLICK"}  # a second click soon after the first is still a click


@dataclass(frozen=True, eq=False)
class View:
    """The part of a viewport that shows the scene under the mouse. For one event only: Blender may free it after that.

    Attributes:
        region: one of four in a quad view.
        data: what it shows.
        at: place of the mouse in the region, pixels.
    """

    region: bpy.types.Region
    data: bpy.types.RegionView3D
    at: tuple[float, float]

    def ray(self) -> tuple[Vector, Vector]:
        """Origin and direction, in the world, of what is seen under the mouse."""
        origin = view3d_utils.region_2d_to_origin_3d(self.region, self.data, self.at)
        return origin, view3d_utils.region_2d_to_vector_3d(self.region, self.data, self.at)


class Traces:
    """What running tools show: taken away with the tool, or when the extension is switched off, of which Blender tells no tool."""

    def __init__(self) -> None:
        self._workspaces: dict[object, int] = {}  # of each drawing: where its text stands

    def add(self, draw: Callable[[], None], kind: str, workspace: bpy.types.WorkSpace) -> object:
        """Have viewports call ``draw``; gives what :meth:`remove` wants."""
        drawing = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", kind)
        self._workspaces[drawing] = workspace.session_uid
        return drawing

    def remove(self, drawing: object) -> None:
        """Take away the drawing and the text."""
        uid = self._workspaces.pop(drawing, None)
        if uid is None:
            return
        bpy.types.SpaceView3D.draw_handler_remove(drawing, "WINDOW")
        workspace = session_uids.find(bpy.data.workspaces, uid)  # perhaps another one is shown by now
        if workspace is not None:
            workspace.status_text_set(None)

    def close(self) -> None:
        """Take away everything."""
        if self._workspaces:
            for window in bpy.context.window_manager.windows:
                window.cursor_modal_restore()
        for drawing in list(self._workspaces):
            self.remove(drawing)


class ViewportTool:
    """Mix-in of operators that wait for the mouse in a viewport.

    ``invoke`` returns :meth:`start`. The operator overrides :meth:`pressed`, and :meth:`dragged` and :meth:`released` if it
    ``DRAGS``; each returns None to go on, or what ends the operator. Esc and the right button give up.
    """

    DRAGS = False
    """True: what is drawn from a press to its release is one gesture, and all of it belongs to the region of the press."""
    PAINTS = "POST_PIXEL"
    """When :meth:`paint` is called: with coordinates of the region (``POST_PIXEL``) or of the world (``POST_VIEW``)."""

    _running = False

    def hint(self) -> str:
        """What to do, translated, for the status bar."""
        raise NotImplementedError

    def possible(self, context: bpy.types.Context) -> bool:
        """Whether it makes sense to go on; the tool gives up where not."""
        return True

    def pressed(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> set[str] | None:
        """The left button went down over the view."""
        raise NotImplementedError

    def dragged(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> set[str] | None:
        """The mouse moved while the button was held, perhaps beyond the region."""
        return None

    def released(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> set[str] | None:
        """The button went up."""
        return None

    def paint(self, region: bpy.types.Region, data: bpy.types.RegionView3D) -> None:
        """Draw what there is so far, in each region of the viewport; during a drag in its region only."""

    @staticmethod
    def usable(context: bpy.types.Context) -> bool:
        """Whether there is a viewport to use the mouse in; scripts without a window give operators their values instead."""
        return context.area is not None and context.area.type == "VIEW_3D" and not bpy.app.background

    def start(self, context: bpy.types.Context) -> set[str]:
        """Wait for the mouse in the viewport of ``context``; what ``invoke`` returns."""
        self._running = True
        self._viewport = context.area.as_pointer()
        self._held = 0  # the region of a drag, by its address: it may be freed before the next event
        self._over = False
        self._drawing = of(Traces).add(self._on_draw, self.PAINTS, context.workspace)
        context.window_manager.modal_handler_add(self)
        self.say(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Take what is meant for the tool, pass on everything else."""
        if not self._running:
            return {"CANCELLED", "PASS_THROUGH"}
        try:
            result = self._handle(context, event)
        except BaseException:
            self.end(context)
            raise
        if not result & {"RUNNING_MODAL", "PASS_THROUGH"}:
            self.end(context)
        return result

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender gives up the operator: its window was closed, or another file is loaded."""
        self.end(context)

    def say(self, context: bpy.types.Context) -> None:
        """Show :meth:`hint` and what is painted as they are now."""
        context.workspace.status_text_set(self.hint())
        context.area.tag_redraw()

    def end(self, context: bpy.types.Context) -> None:
        """Leave nothing behind; to be called before the tool's work where that shows something of its own."""
        if not self._running:
            return
        self._running = False
        if objects.running():
            of(Traces).remove(self._drawing)
        self._point_at(context, False)
        if context.area is not None:
            context.area.tag_redraw()

    def _handle(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        area = context.area
        if area is None or area.type != "VIEW_3D" or area.as_pointer() != self._viewport or not self.possible(context):
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            return {"CANCELLED"}
        if self._held:
            return self._drag(context, event)
        view = view_at(area, event.mouse_x, event.mouse_y)
        if event.type in _MOVES:
            self._point_at(context, view is not None)
        if view is None or event.type in NAVIGATION or event.type.startswith("TIMER"):
            return {"PASS_THROUGH"}
        if event.type == "RIGHTMOUSE" and event.value == "PRESS":
            return {"CANCELLED"}
        if event.type != "LEFTMOUSE" or event.value not in _PRESSES:
            return {"RUNNING_MODAL"}
        if self.DRAGS:
            self._held = view.region.as_pointer()
        return self._went_on(context, self.pressed(context, event, view))

    def _drag(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        region = next((r for r in context.area.regions if r.as_pointer() == self._held), None)
        if region is None or event.type == "RIGHTMOUSE":  # a quad view was closed meanwhile
            return {"CANCELLED"}
        view = _view(context.area, region, event.mouse_x, event.mouse_y)
        if event.type in _MOVES:
            return self._went_on(context, self.dragged(context, event, view))
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._held = 0
            return self._went_on(context, self.released(context, event, view))
        return {"PASS_THROUGH"} if event.type.startswith("TIMER") else {"RUNNING_MODAL"}

    def _went_on(self, context: bpy.types.Context, result: set[str] | None) -> set[str]:
        if result is None:
            self.say(context)
            return {"RUNNING_MODAL"}
        self.end(context)
        return {"FINISHED"} if "RUNNING_MODAL" in result else result  # what it opened, such as a dialog, runs by itself

    def _point_at(self, context: bpy.types.Context, over: bool) -> None:
        """A cross over the view, the usual cursor beside it."""
        if over == self._over or context.window is None:
            return
        self._over = over
        if over:
            context.window.cursor_modal_set("CROSSHAIR")
        else:
            context.window.cursor_modal_restore()

    def _on_draw(self) -> None:
        context: Any = bpy.context
        if context.area is None or context.area.as_pointer() != self._viewport or context.region_data is None:
            return
        if not self._held or context.region.as_pointer() == self._held:
            self.paint(context.region, context.region_data)


def view_at(area: bpy.types.Area, x: int, y: int) -> View | None:
    """The view of a 3D viewport under the mouse; None where something else is there.

    Args:
        area: the viewport.
        x, y: of the mouse in the window, as events have it.
    """
    over = [r for r in area.regions if r.x <= x < r.x + r.width and r.y <= y < r.y + r.height]
    # Sidebar and header lie over the view where regions overlap; what is hidden has no size or no side.
    if any(r.type != "WINDOW" and r.width > 1 and r.height > 1 and r.alignment != "NONE" for r in over):
        return None
    region = next((r for r in over if r.type == "WINDOW"), None)
    return None if region is None else _view(area, region, x, y)


def _view(area: bpy.types.Area, region: bpy.types.Region, x: int, y: int) -> View:
    space = area.spaces.active
    windows = [r for r in area.regions if r.type == "WINDOW"]
    quad = len(windows) > 1 and len(space.region_quadviews) == len(windows)
    data = space.region_quadviews[windows.index(region)] if quad else space.region_3d
    return View(region, data, (float(x - region.x), float(y - region.y)))
