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

from ..scene import edits, roles
from ..scene import points as pointcloud
from ..scene.active import shown_root
from ..ui.modal import View, ViewportTool
from .operators import Edits

_CIRCLE_CORNERS = 64
_LINE = (1.0, 0.55, 0.0, 1.0)


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


class IMAGE_TO_3D_OT_select_points(Edits, ViewportTool, bpy.types.Operator):
    """Draw around points to select them. Shift adds, Ctrl takes away"""

    bl_idname = "image_to_3d.select_points"
    bl_label = "Select Points"

    DRAGS = True

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
        return self.start(context)

    def hint(self) -> str:
        return iface_("Draw around points to select them. Shift adds, Ctrl takes away")

    def pressed(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> None:
        """Begin there; the keys that are held say what becomes of the selection."""
        self.mode = "ADD" if event.shift else "SUB" if event.ctrl else self.mode
        self._drawn[:] = [view.at]

    def dragged(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> None:
        self._drawn.append(view.at)

    def released(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> set[str]:
        """Select what was drawn around."""
        self.end(context)
        for place in (*self._drawn, view.at):
            self.path.add().loc = place
        return self._select(context, view.region, view.data)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Select by the path, in the view of ``context``."""
        return self._select(context, context.region, context.region_data)

    def _select(self, context: bpy.types.Context, region: bpy.types.Region, view: Any) -> set[str]:
        root = shown_root(context)
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

    def paint(self, region: bpy.types.Region, data: bpy.types.RegionView3D) -> None:
        """The outline so far."""
        if len(self._drawn) < 2:
            return
        corners = [tuple(corner) for corner in outline(self.shape, self._drawn)]
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        shader.uniform_float("color", _LINE)
        batch_for_shader(shader, "LINE_LOOP", {"pos": [(x, y, 0.0) for x, y in corners]}).draw(shader)


CLASSES = (IMAGE_TO_3D_OT_select_points,)
