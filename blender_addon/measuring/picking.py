"""Clicking points on the surface of a photo."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
from bpy.app.translations import pgettext_iface as iface_
from bpy_extras import view3d_utils
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix, Vector

from image_to_3d.core import ErrorCode, ImageTo3DError

from ..photos import session
from ..scene import roles
from .active_photo import shown_root

NAVIGATION = {
    "MIDDLEMOUSE",
    "WHEELUPMOUSE",
    "WHEELDOWNMOUSE",
    "TRACKPADPAN",
    "TRACKPADZOOM",
    "MOUSEROTATE",
    "NDOF_MOTION",
}
_ACROSS_PX = 10.0
_COLOUR = (1.0, 0.6, 0.1, 1.0)


def hit(root: bpy.types.Object, origin: Vector, direction: Vector) -> Vector | None:
    """Where a ray of the world meets the surface of a photo, world coordinates; None if it misses.

    Raises:
        ImageTo3DError: ``bad_request`` if there is no surface, or it is hidden.
    """
    surface = roles.find(root).surface
    if surface is None or not len(surface.data.polygons):
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            f"{root.name} has no surface to pick points on.",
            "Choose a number of vertices under Surface in its settings and press Update.",
        )
    hidden = surface.hide_viewport
    surface.hide_viewport = False  # splats hide it, and what is hidden is not evaluated
    try:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        inverse = surface.matrix_world.inverted_safe()
        start, ahead = inverse @ origin, (inverse.to_3x3() @ direction).normalized()
        found, where, _, _ = surface.ray_cast(start, ahead, depsgraph=depsgraph)
    except RuntimeError:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, f"The surface of {root.name} is hidden.", "Show it in the Outliner, then try again."
        ) from None
    finally:
        surface.hide_viewport = hidden
    return surface.matrix_world @ where if found else None


def under_mouse(context: bpy.types.Context, event: bpy.types.Event, root: bpy.types.Object) -> Vector | None:
    """Where the surface of a photo is seen under the mouse, world coordinates; None beside it.

    Raises:
        ImageTo3DError: see :func:`hit`.
    """
    region = next(region for region in context.area.regions if region.type == "WINDOW")
    view = context.space_data.region_3d
    at = Vector((event.mouse_x - region.x, event.mouse_y - region.y))
    origin = view3d_utils.region_2d_to_origin_3d(region, view, at)
    return hit(root, origin, view3d_utils.region_2d_to_vector_3d(region, view, at))


class PicksPoints:
    """Mix-in of operators that need points on the surface of the photo on show.

    Scripts give them; with the mouse they are clicked, Esc gives up. The operator has ``points``, a float vector of
    3 · ``POINTS`` world coordinates, and ``execute``.
    """

    POINTS = 1

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the points, unless they are given."""
        given = self.properties.is_property_set("points")
        if given or context.area is None or context.area.type != "VIEW_3D" or bpy.app.background:
            return self.execute(context)
        self._picked: list[Vector] = []
        self._root = shown_root(context).name
        arguments = (self._picked,)
        self._handler = bpy.types.SpaceView3D.draw_handler_add(_draw, arguments, "WINDOW", "POST_VIEW")
        context.window_manager.modal_handler_add(self)
        self._say(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Collect clicks; views can be turned meanwhile."""
        root = bpy.data.objects.get(self._root)
        if event.type in {"ESC", "RIGHTMOUSE"} or context.area is None or root is None:
            self._end(context)
            return {"CANCELLED"}
        if event.type != "LEFTMOUSE" or event.value != "PRESS":
            return {"PASS_THROUGH"} if event.type in NAVIGATION else {"RUNNING_MODAL"}
        try:
            point = under_mouse(context, event, root)
        except ImageTo3DError as error:
            self._end(context)
            return session.refuse(self, error)
        if point is None:
            self.report({"INFO"}, iface_("There is no surface under the mouse."))
            return {"RUNNING_MODAL"}
        self._picked.append(point)
        if len(self._picked) < self.POINTS:
            self._say(context)
            return {"RUNNING_MODAL"}
        self._end(context)
        self.points = [coordinate for point in self._picked for coordinate in point]
        return self.picked(context, event)

    def picked(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """All points are there."""
        return self.execute(context)

    def _say(self, context: bpy.types.Context) -> None:
        left = self.POINTS - len(self._picked)
        context.area.header_text_set(iface_("Click {left} more points on the surface. Esc gives up.").format(left=left))
        context.area.tag_redraw()

    def _end(self, context: bpy.types.Context) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
        if context.area is not None:
            context.area.header_text_set(None)
            context.area.tag_redraw()


def _draw(points: list[Vector]) -> None:
    """Crosses of constant size on the screen, over everything."""
    view = bpy.context.region_data
    if not points or view is None:
        return
    right, up = (Vector(view.view_matrix.inverted()[k][axis] for k in range(3)) for axis in (0, 1))
    ends: list[Any] = []
    for point in points:
        size = _ACROSS_PX * _pixel_size(view.perspective_matrix, point, bpy.context.region.width)
        for axis in (right, up):
            ends += [point - size * axis, point + size * axis]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.uniform_float("color", _COLOUR)
    gpu.state.depth_test_set("NONE")
    gpu.state.line_width_set(2.0)
    batch_for_shader(shader, "LINES", {"pos": ends}).draw(shader)
    gpu.state.line_width_set(1.0)


def _pixel_size(perspective: Matrix, point: Vector, width: int) -> float:
    """Size of a pixel at a point of the world, Blender units."""
    w = abs((perspective @ Vector((*point, 1.0))).w)
    return 2.0 * w / (max(1, width) * Vector(perspective[0][:3]).length)
