"""Drawing a box or a lasso over a photo in a 3D viewport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import gpu
import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy_extras import view3d_utils
from gpu_extras.batch import batch_for_shader
from mathutils import Vector

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.surfaces.inspection import box_polygon

from ..runtime import session_uids
from ..scene.active import shown_or_only_root
from ..ui.modal import View, ViewportTool
from ..ui.reporting import refuse
from . import picking, stored_cloud

_COLOUR = (1.0, 0.6, 0.1, 1.0)
_STEP_PX = 4.0
_AT_CAMERA = 1e-3  # of the distance of what is seen: how far from the photo's camera a view still is that of the photo


class SelectsRegion(ViewportTool):
    """Mix-in of operators that need a region of the photo: a box or a lasso is drawn, Esc gives up.

    The operator has ``by``, of which ``BOX`` and ``LASSO`` are drawn, ``outline``, which takes what was drawn, and ``execute``.
    """

    if TYPE_CHECKING:  # what the operator brings
        by: str
        outline: str
        execute: Any

    DRAGS = True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Let it be drawn, unless the region is given or selected."""
        if self.outline or self.by not in {"BOX", "LASSO"} or not self.usable(context):
            return self.execute(context)
        self._root = shown_or_only_root(context).session_uid
        self._drawn: list[tuple[float, float]] = []
        return self.start(context)

    def hint(self) -> str:
        return iface_("Drag around one flat surface. Esc gives up.")

    def possible(self, context: bpy.types.Context) -> bool:
        return session_uids.find(bpy.data.objects, self._root) is not None

    def pressed(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> None:
        self._drawn[:] = [view.at]

    def dragged(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> None:
        """The opposite corner of the box, or one more place of the lasso."""
        if self.by == "BOX":
            self._drawn[1:] = [view.at]
        elif np.hypot(*np.subtract(view.at, self._drawn[-1])) >= _STEP_PX:
            self._drawn.append(view.at)

    def released(self, context: bpy.types.Context, event: bpy.types.Event, view: View) -> set[str]:
        """What was drawn is the region."""
        self.end(context)
        drawn = np.array(self._drawn)
        if self.by == "BOX" and len(drawn) == 2:
            drawn = box_polygon(*drawn)
        try:
            root = session_uids.find(bpy.data.objects, self._root)
            pixels = photo_pixels(root, view.region, view.data, drawn)
        except ImageTo3DError as error:
            return refuse(self, error)
        self.outline = " ".join(f"{u:.3f},{v:.3f}" for u, v in pixels)
        return self.execute(context)

    def paint(self, region: bpy.types.Region, data: bpy.types.RegionView3D) -> None:
        _draw(self._drawn, self.by == "BOX")


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
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.region_outside_photo")
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
