"""Drawing a box or a lasso over a photo in a 3D viewport."""

from __future__ import annotations

import bpy
import gpu
import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy_extras import view3d_utils
from gpu_extras.batch import batch_for_shader
from mathutils import Vector

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.surfaces.inspection import box_polygon

from ..photos import session
from . import picking, stored_cloud
from .active_photo import shown_root

_COLOUR = (1.0, 0.6, 0.1, 1.0)
_STEP_PX = 4.0
_AT_CAMERA = 1e-3  # of the distance of what is seen: how far from the photo's camera a view still is that of the photo


class Marks:
    """Mix-in of operators that need a region of the photo: a box or a lasso is drawn, Esc gives up.

    The operator has ``by``, of which ``BOX`` and ``LASSO`` are drawn, ``outline``, which takes what was drawn, and ``execute``.
    """

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let it be drawn, unless the region is given or selected."""
        if self.outline or self.by not in {"BOX", "LASSO"} or bpy.app.background:
            return self.execute(context)
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)
        self._root = shown_root(context).name
        self._drawn: list[tuple[float, float]] = []
        self._pressed = False
        arguments = (self._drawn, self.by == "BOX")
        self._handler = bpy.types.SpaceView3D.draw_handler_add(_draw, arguments, "WINDOW", "POST_PIXEL")
        context.window_manager.modal_handler_add(self)
        context.area.header_text_set(iface_("Drag around one flat surface. Esc gives up."))
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Collect the line while the button is held."""
        root = bpy.data.objects.get(self._root)
        if event.type in {"ESC", "RIGHTMOUSE"} or context.area is None or root is None:
            self._end(context)
            return {"CANCELLED"}
        region = next(region for region in context.area.regions if region.type == "WINDOW")
        at = (float(event.mouse_x - region.x), float(event.mouse_y - region.y))
        if event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._pressed = True
            self._drawn[:] = [at]
        elif event.type == "MOUSEMOVE" and self._pressed:
            if self.by == "BOX":
                self._drawn[1:] = [at]
            elif np.hypot(at[0] - self._drawn[-1][0], at[1] - self._drawn[-1][1]) >= _STEP_PX:
                self._drawn.append(at)
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._pressed:
            self._end(context)
            return self._done(context, root, region)
        elif not self._pressed:
            return {"PASS_THROUGH"} if event.type in picking.NAVIGATION else {"RUNNING_MODAL"}
        return {"RUNNING_MODAL"}

    def _done(self, context: bpy.types.Context, root: bpy.types.Object, region: bpy.types.Region) -> set[str]:
        drawn = np.array(self._drawn)
        if self.by == "BOX" and len(drawn) == 2:
            drawn = box_polygon(*drawn)
        try:
            pixels = photo_pixels(root, region, context.space_data.region_3d, drawn)
        except ImageTo3DError as error:
            return session.refuse(self, error)
        self.outline = " ".join(f"{u:.3f},{v:.3f}" for u, v in pixels)
        return self.execute(context)

    def _end(self, context: bpy.types.Context) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
        if context.area is not None:
            context.area.header_text_set(None)
            context.area.tag_redraw()


def photo_pixels(
    root: bpy.types.Object, region: bpy.types.Region, view: bpy.types.RegionView3D, drawn: np.ndarray
) -> np.ndarray:
    """Pixels (N, 2) of the photo under places (N, 2) of a region.

    Seen from the photo's camera these are the rays themselves; from elsewhere, where they meet its surface, and places beside
    it are left out.

    Raises:
        ImageTo3DError: ``bad_request`` if fewer than three are left.
    """
    pixels = []
    k = stored_cloud.intrinsics(root)
    for at in drawn:
        origin = view3d_utils.region_2d_to_origin_3d(region, view, at)
        direction = view3d_utils.region_2d_to_vector_3d(region, view, at)
        if np.linalg.norm(stored_cloud.to_camera_frame(root, np.array(origin))) < _AT_CAMERA and view.is_perspective:
            seen = stored_cloud.to_camera_frame(root, np.array(origin + direction))
        else:
            where = picking.hit(root, origin, Vector(direction))
            if where is None:
                continue
            seen = stored_cloud.to_camera_frame(root, np.array(where))
        if seen[2] > 0:
            pixels.append(k.project(seen))
    if len(pixels) < 3:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "Too little of the photo lies in what was drawn.",
            "Draw around a surface of the photo.",
        )
    return np.array(pixels)


def _draw(drawn: list[tuple[float, float]], box: bool) -> None:
    """The line so far, closed."""
    if len(drawn) < 2:
        return
    places = [tuple(corner) for corner in box_polygon(*np.array(drawn[:2]))] if box else drawn
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.uniform_float("color", _COLOUR)
    gpu.state.line_width_set(2.0)
    ends = [(*place, 0.0) for pair in zip(places, [*places[1:], places[0]], strict=True) for place in pair]
    batch_for_shader(shader, "LINES", {"pos": ends}).draw(shader)
    gpu.state.line_width_set(1.0)
