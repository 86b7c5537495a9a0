"""Colours of the points in Solid view.

Blender's Solid shading shows point clouds in one colour whatever attributes they have. So a draw handler paints each point's
colour over its grey sphere, at its depth, and other objects stay in front of it or behind it as they are. Selected points are
painted in orange, in every shading.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass

import bpy
import gpu
import numpy as np
from mathutils import Matrix

from ..runtime.main_thread import TIME_SLICE_S
from ..runtime.objects import of
from ..runtime.pump import Pump
from ..scene import edits, point_changes, points
from ..scene.roles import root_of
from ..scene.splats import ellipsoids

_VERTEX = """
void main()
{
  vec4 clip = clip_from_object * vec4(position, 1.0);
  float r = radius * scale;
  gl_PointSize = clamp(2.0 * r * pixels / clip.w, 2.0, 64.0);
  /* In front of the sphere that Solid shading draws there: one radius nearer to the viewer. */
  if (orthographic != 0) { clip.z += depth.x * 1.1 * r; }
  else {
    float near = max(clip.w - 1.1 * r, 0.1 * clip.w);
    clip.z = (depth.y - depth.x * near) / near * clip.w;
  }
  gl_Position = clip;
  shown = clamp(colour.rgb, 0.0, 1.0);
}
"""
_FRAGMENT = """
void main()
{
  vec2 from_centre = gl_PointCoord - vec2(0.5);
  if (dot(from_centre, from_centre) > 0.25) { discard; }
  fragment = vec4(shown, 1.0);  /* the viewport's overlay is linear light */
}
"""


_SELECTED = (1.0, 0.25, 0.0, 1.0)

_Columns = dict[str, np.ndarray]


@dataclass(eq=False)
class _Cloud:
    """The points of one data-block on their way to the graphics card.

    Attributes:
        key: share of the points that viewports show; whether all of them are painted or only selected ones.
        reading: ends with what is to be painted; None once it has.
        columns: that, until it is on the card; None where nothing is to be painted.
        batch: on the card.
    """

    key: tuple[float, bool]
    reading: Generator[None, None, _Columns | None] | None
    columns: _Columns | None = None
    batch: gpu.types.GPUBatch | None = None

    def carry_on(self, end: float) -> None:
        """Read until the time ``end``, one step at least."""
        while self.reading is not None:
            try:
                next(self.reading)
            except StopIteration as done:
                self.reading, self.columns = None, done.value
            except ReferenceError:  # the object is gone
                self.reading = None
            if time.perf_counter() >= end:
                return


class PointPainter:
    """Shader and vertex buffers; made at the first draw, because there is no GPU before a window has one."""

    def __init__(self) -> None:
        self._shader: gpu.types.GPUShader | None = None
        self._clouds: dict[int, _Cloud] = {}
        self._broken = False
        of(Pump).add(self.read_on)

    def forget(self, uid: int | None = None) -> None:
        """Read the points anew at the next draw: of one data-block, or of all."""
        if uid is None:
            self._clouds.clear()
        else:
            self._clouds.pop(uid, None)

    def draw(self) -> None:
        """Paint in the viewport that is being drawn."""
        context = bpy.context
        space = context.space_data
        if space is None or self._broken:
            return
        solid = space.shading.type == "SOLID" and not space.shading.show_xray
        clouds = [
            obj
            for obj in context.view_layer.objects
            if obj.image_to_3d.role == "POINTS"
            and obj.display_type in {"SOLID", "TEXTURED"}
            and obj.visible_in_viewport_get(space)
            and (solid or edits.has_selection(obj))
        ]
        if not clouds:
            return
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.depth_mask_set(True)
        gpu.state.program_point_size_set(True)
        end = time.perf_counter() + TIME_SLICE_S
        for obj in clouds:
            self._draw_cloud(obj, context.region_data, context.region.height, solid, end)
        gpu.state.program_point_size_set(False)
        gpu.state.depth_mask_set(False)
        gpu.state.depth_test_set("NONE")

    def _draw_cloud(
        self, obj: bpy.types.Object, view: bpy.types.RegionView3D, height: int, solid: bool, end: float
    ) -> None:
        if self._shader is None:
            try:
                self._shader = _shader()
            except Exception:  # a driver that cannot compile it: grey points are no reason to fail at every draw
                self._broken = True
                raise
        uid = obj.data.session_uid
        root = root_of(obj)
        share = 1.0 if root is None else root.image_to_3d.viewport_share
        cloud = self._clouds.get(uid)
        if cloud is None or cloud.key != (share, solid):
            cloud = self._clouds[uid] = _Cloud((share, solid), _columns(obj, share, solid))
        cloud.carry_on(end)
        if cloud.reading is not None:
            of(Pump).wake(self.read_on)  # away from drawings, because each would draw all the points
            return
        if cloud.columns is not None:  # making a buffer needs no more than copying
            cloud.batch, cloud.columns = _batch(cloud.columns), None
        if cloud.batch is None:
            return
        projection: Matrix = view.window_matrix
        shader = self._shader
        shader.bind()
        shader.uniform_float("clip_from_object", projection @ view.view_matrix @ obj.matrix_world)
        shader.uniform_float("depth", (projection[2][2], projection[2][3]))
        shader.uniform_float("pixels", 0.5 * height * projection[1][1])
        shader.uniform_float("scale", obj.matrix_world.median_scale)
        shader.uniform_int("orthographic", int(projection[3][3] != 0))
        cloud.batch.draw(shader)

    def read_on(self) -> float | None:
        """Carry on with what no drawing has finished, a moment at a time, then have the viewports drawn. Called by the pump."""
        end = time.perf_counter() + TIME_SLICE_S
        for cloud in self._clouds.values():
            if cloud.reading is not None and time.perf_counter() < end:
                cloud.carry_on(end)
        if any(cloud.reading is not None for cloud in self._clouds.values()):
            return 0.0  # after the window has had its turn
        for window in bpy.context.window_manager.windows:
            for area in window.screen.areas:
                if area.type == "VIEW_3D":
                    area.tag_redraw()
        return None

    def close(self) -> None:
        """Free the buffers."""
        of(Pump).remove(self.read_on)
        self._clouds.clear()


def _shader() -> gpu.types.GPUShader:
    between = gpu.types.GPUStageInterfaceInfo("image_to_3d_points")
    between.flat("VEC3", "shown")
    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC3", "position")
    info.vertex_in(1, "FLOAT", "radius")
    info.vertex_in(2, "VEC4", "colour")
    info.push_constant("MAT4", "clip_from_object")
    info.push_constant("VEC2", "depth")
    info.push_constant("FLOAT", "pixels")
    info.push_constant("FLOAT", "scale")
    info.push_constant("INT", "orthographic")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "fragment")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def _columns(obj: bpy.types.Object, share: float, solid: bool) -> Generator[None, None, _Columns | None]:
    """The points that are shown, selected ones in orange, read in steps; without ``solid`` only those. None where there are none.

    Raises ``ReferenceError`` where the object has gone or has other data meanwhile.
    """
    data = obj.data.session_uid

    def read(name: str) -> np.ndarray:
        if obj.data.session_uid != data:
            raise ReferenceError
        return points.read(obj, name)

    columns = {}
    for name in ("position", "radius"):
        columns[name] = read(name)
        yield
    heat_map = points.DEVIATION_COLOUR in obj.data.attributes
    columns[points.COLOUR] = read(points.DEVIATION_COLOUR if heat_map else points.COLOUR)
    yield
    if edits.has_selection(obj):
        selected = edits.selection(obj)
        columns[points.COLOUR][selected] = _SELECTED
    else:
        selected = np.zeros(len(columns["radius"]), bool)
    yield
    kept = edits.kept(obj)
    if kept.all() and share == 1.0 and solid:
        return columns
    seen = np.flatnonzero(kept)
    if share < 1.0:
        seen = seen[ellipsoids.shown(len(seen), share)]
    if not solid:
        seen = seen[selected[seen]]
    for name in columns:
        yield
        columns[name] = columns[name][seen]
    return columns if len(seen) else None


def _batch(columns: _Columns) -> gpu.types.GPUBatch:
    layout = gpu.types.GPUVertFormat()
    layout.attr_add(id="position", comp_type="F32", len=3, fetch_mode="FLOAT")
    layout.attr_add(id="radius", comp_type="F32", len=1, fetch_mode="FLOAT")
    layout.attr_add(id="colour", comp_type="F32", len=4, fetch_mode="FLOAT")
    vertices = gpu.types.GPUVertBuf(layout, len(columns["radius"]))
    for name, values in columns.items():
        vertices.attr_fill(name, values)
    return gpu.types.GPUBatch(type="POINTS", buf=vertices)


def _draw() -> None:
    of(PointPainter).draw()


def _on_points(uid: int | None) -> None:
    of(PointPainter).forget(uid)


DRAW_HANDLERS = (("POST_VIEW", _draw),)


def on_register() -> None:
    """Hear of points that become others."""
    point_changes.LISTENERS.append(_on_points)


def on_unregister() -> None:
    """Undo :func:`on_register`."""
    point_changes.LISTENERS.remove(_on_points)
