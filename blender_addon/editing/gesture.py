"""Selecting points by a box, a lasso or a circle drawn in the viewport, in every Blender.

From 4.5 on point clouds have an Edit Mode with Blender's own selection tools; both write the same selection.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import gpu
import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import BoolProperty, CollectionProperty, EnumProperty
from gpu_extras.batch import batch_for_shader

from image_to_3d.core.cloud import selecting

from ..photos import session
from ..scene import edits, roles
from ..scene import points as pointcloud
from .operators import Edits

_CIRCLE_CORNERS = 64
_LINE = (1.0, 0.55, 0.0, 1.0)
_NAVIGATION = {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE", "WHEELINMOUSE", "WHEELOUTMOUSE", "TRACKPADPAN"}


def outline(shape: str, path: list[tuple[float, float]]) -> np.ndarray:
    """Corners (M, 2) of what was drawn: of the box or circle from the first to the last place, or the path itself."""
    drawn = np.array(path, np.float64).reshape(-1, 2)
    if len(drawn) < 2 or shape == "LASSO":
        return drawn
    first, last = drawn[0], drawn[-1]
    if shape == "BOX":
        return np.array([first, (last[0], first[1]), last, (first[0], last[1])])
    angles = np.linspace(0, 2 * math.pi, _CIRCLE_CORNERS, endpoint=False)
    return first + np.linalg.norm(last - first) * np.column_stack([np.cos(angles), np.sin(angles)])


class IMAGE_TO_3D_OT_select_points(Edits, bpy.types.Operator):
    """Draw around points to select them. Shift adds, Ctrl takes away"""

    bl_idname = "image_to_3d.select_points"
    bl_label = "Select Points"

    shape: EnumProperty(
        name="Shape",
        items=[
            ("BOX", "Box", "Drag from corner to corner"),
            ("LASSO", "Lasso", "Draw around the points"),
            ("CIRCLE", "Circle", "Drag from the centre outwards"),
        ],
        default="BOX",
    )
    mode: EnumProperty(
        name="Mode",
        items=[
            ("SET", "Set", "Select these points and no others"),
            ("ADD", "Extend", "Select these points too"),
            ("SUB", "Subtract", "Deselect these points"),
        ],
        default="SET",
    )
    through: BoolProperty(
        name="Select Through", description="Also select points that others hide from this view", default=True
    )
    path: CollectionProperty(type=bpy.types.OperatorMousePath, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs points, and a view of them."""
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("Needs a 3D viewport")
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait for the mouse to draw."""
        self._drawn: list[tuple[float, float]] = []
        self._region: bpy.types.Region | None = None
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window.cursor_modal_set("CROSSHAIR")
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set(iface_("Draw around points to select them. Shift adds, Ctrl takes away"))
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the mouse from press to release; the view can be turned before."""
        gone = context.area is None or context.area.type != "VIEW_3D"  # closed, or another editor took its place
        if event.type in {"ESC", "RIGHTMOUSE"} or gone:
            self._end(context)
            return {"CANCELLED"}
        if self._region is None:
            if event.type == "LEFTMOUSE" and event.value == "PRESS":
                self._region = _region_at(context.area, event.mouse_x, event.mouse_y)
                if self._region is None:  # outside the view
                    self._end(context)
                    return {"CANCELLED"}
                self.mode = "ADD" if event.shift else "SUB" if event.ctrl else self.mode
                self._add(event)
            return {"PASS_THROUGH"} if event.type in _NAVIGATION else {"RUNNING_MODAL"}
        if event.type in {"MOUSEMOVE", "INBETWEEN_MOUSEMOVE"}:  # the latter while Blender is slower than the mouse
            self._add(event)
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._add(event)
            self._end(context)
            for place in self._drawn:
                self.path.add().loc = place
            return self._select(context, self._region, _view_of(context.area, self._region))
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """The window was closed, or another file loaded."""
        self._end(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select by the path, in the view of ``context``."""
        return self._select(context, context.region, context.region_data)

    def _select(self, context: bpy.types.Context, region: bpy.types.Region, view: Any) -> set[str]:
        root = session.shown_root(context)
        points = roles.points_of(root)
        size = region.width, region.height
        clip_from_points = np.array(view.perspective_matrix @ points.matrix_world)
        drawn = outline(self.shape, [tuple(place.loc) for place in self.path])
        chosen = edits.kept(points)
        pixels, distances = selecting.on_screen(pointcloud.read(points, "position"), clip_from_points, *size)
        if not self.through:
            hidden = ~chosen
            pixels[hidden] = np.nan  # what is not shown hides nothing
            chosen &= selecting.foremost(pixels, distances, *size)
        chosen &= selecting.inside_outline(pixels, drawn, *size)
        before = edits.selection(points)
        combined = {"SET": chosen, "ADD": before | chosen, "SUB": before & ~chosen}[self.mode]
        edits.select(points, combined)
        self.report({"INFO"}, iface_("{count} points selected").format(count=f"{np.count_nonzero(combined):,}"))
        return {"FINISHED"}

    def _add(self, event: bpy.types.Event) -> None:
        assert self._region is not None
        self._drawn.append((event.mouse_x - self._region.x, event.mouse_y - self._region.y))

    def _end(self, context: bpy.types.Context) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
        context.window.cursor_modal_restore()
        context.workspace.status_text_set(None)
        if context.area is not None:
            context.area.tag_redraw()

    def _draw(self) -> None:
        if self._region is None or bpy.context.region != self._region or len(self._drawn) < 2:
            return
        corners = [tuple(corner) for corner in outline(self.shape, self._drawn)]
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.uniform_float("color", _LINE)
        batch_for_shader(shader, "LINE_LOOP", {"pos": [(x, y, 0.0) for x, y in corners]}).draw(shader)


def _region_at(area: bpy.types.Area, x: int, y: int) -> bpy.types.Region | None:
    """The part of a viewport under the mouse that shows the scene."""
    over = [r for r in area.regions if r.x <= x < r.x + r.width and r.y <= y < r.y + r.height]
    # Sidebar and header lie over the view where regions overlap.
    if any(r.type not in {"WINDOW", "HEADER", "TOOL_HEADER"} and r.width > 1 and r.alignment != "NONE" for r in over):
        return None
    return next((r for r in over if r.type == "WINDOW"), None)


def _view_of(area: bpy.types.Area, region: bpy.types.Region) -> bpy.types.RegionView3D:
    """What a region shows; quad views have four."""
    space = area.spaces.active
    windows = [r for r in area.regions if r.type == "WINDOW"]
    if len(windows) > 1 and len(space.region_quadviews) == len(windows):
        return space.region_quadviews[windows.index(region)]
    return space.region_3d


CLASSES = (IMAGE_TO_3D_OT_select_points,)
