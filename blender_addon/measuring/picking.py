"""Clicking points on the surface of a photo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import gpu
from bpy.app.translations import pgettext_iface as iface_
from gpu_extras.batch import batch_for_shader
from mathutils import Matrix, Vector

from image_to_3d.core import ErrorCode, ImageTo3DError

from ..runtime import session_uids
from ..scene import roles
from ..scene.active import shown_or_only_root
from ..ui.modal import View, ViewportTool
from ..ui.reporting import refuse

_ACROSS_PX = 10.0
_COLOUR = (1.0, 0.6, 0.1, 1.0)


def hit(root: bpy.types.Object, origin: Vector, direction: Vector) -> Vector | None:
    """Where a ray of the world meets the surface of a photo, world coordinates; None if it misses.

    Raises:
        ImageTo3DError: ``bad_request`` if there is no surface, or it is hidden.
    """
    surface = roles.surface_of(root)
    if surface is None or not len(surface.data.polygons):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.no_surface", root_name=root.name)
    hidden = surface.hide_viewport
    surface.hide_viewport = False  # splats hide it, and what is hidden is not evaluated
    try:
        depsgraph = bpy.context.evaluated_depsgraph_get()
        inverse = surface.matrix_world.inverted_safe()
        start, ahead = inverse @ origin, (inverse.to_3x3() @ direction).normalized()
        found, where, _, _ = surface.ray_cast(start, ahead, depsgraph=depsgraph)
    except RuntimeError:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.surface_hidden", root_name=root.name) from None
    finally:
        surface.hide_viewport = hidden
    return surface.matrix_world @ where if found else None


class PicksPoints(ViewportTool):
    """Mix-in of operators that need points on the surface of the photo on show.

    Scripts give them; with the mouse they are clicked, Esc gives up. The operator has ``points``, a float vector of
    3 · ``POINTS`` world coordinates, and ``execute``.
    """

    if TYPE_CHECKING:  # what the operator brings
        properties: Any
        points: Any
        report: Any
        execute: Any

    POINTS = 1

    PAINTS = "POST_VIEW"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the points, unless they are given."""
        if self.properties.is_property_set("points") or not self.usable(context):
            return self.execute(context)
        self._picked: list[Vector] = []
        self._root = shown_or_only_root(context).session_uid
        return self.start(context)

    def hint(self) -> str:
        left = self.POINTS - len(self._picked)
        return iface_("Click {left} more points on the surface. Esc gives up.").format(left=left)

    def possible(self, context: bpy.types.Context) -> bool:
        return session_uids.find(bpy.data.objects, self._root) is not None

    def pressed(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> set[str] | None:
        """Take the place under the mouse."""
        try:
            point = hit(session_uids.find(bpy.data.objects, self._root), *view.ray())
        except ImageTo3DError as error:
            return refuse(self, error)
        if point is None:
            self.report({"INFO"}, iface_("There is no surface under the mouse."))
            return None
        self._picked.append(point)
        if len(self._picked) < self.POINTS:
            return None
        self.end(context)
        self.points = [coordinate for point in self._picked for coordinate in point]
        return self.picked(context, event)

    def picked(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """All points are there."""
        return self.execute(context)

    def paint(self, region: bpy.types.Region, data: bpy.types.RegionView3D) -> None:
        _draw(self._picked, region, data)


def _draw(points: list[Vector], region: bpy.types.Region, view: bpy.types.RegionView3D) -> None:
    """Crosses of constant size on the screen, over everything."""
    if not points:
        return
    right, up = (Vector(view.view_matrix.inverted()[k][axis] for k in range(3)) for axis in (0, 1))
    ends: list[Any] = []
    for point in points:
        size = _ACROSS_PX * _pixel_size(view.perspective_matrix, point, region.width)
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
