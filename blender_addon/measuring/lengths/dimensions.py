"""The room's dimensions at one click, single lengths between two places, and keeping all of them up to date."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
from bpy.props import FloatVectorProperty
from mathutils import Vector
from numpy.typing import NDArray

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.lengths.anchors import anchor
from image_to_3d.core.lengths.calibration import Scale
from image_to_3d.core.lengths.measuring import distance, point_near
from image_to_3d.core.surfaces.levelling import Gravity
from image_to_3d.core.surfaces.room import RoomReport, WallExtent, room_report

from ...photos import session
from .. import analysis, anchors, scale, stored_cloud
from ..active_photo import OnPhoto, shown_root, start
from ..analysis import Analysis
from ..picking import PicksPoints
from . import dimension_objects
from .dimension_objects import Dimension

ROOM = frozenset(["HEIGHT", "DISTANCE", "WIDTH", "WALL_HEIGHT"])
_BARE = Scale("engine", 0.0, 0.0)  # lengths of the engine, with the uncertainty of their ends alone
_MOST_WALLS = 4
_PARALLEL, _LOWER = 0.99, 0.9  # cosine of 8°; share of the wall's height
_WALL_SHARE = 0.02  # of the picture; smaller ones are sides of furniture and window reveals


def refresh(root: bpy.types.Object, scene: bpy.types.Scene) -> None:
    """Write the lengths of all dimensions of a photo anew: after calibration, levelling or with other units. Cheap.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly.
    """
    found = [obj for obj in dimension_objects.of(root) if dimension_objects.whole(obj)]
    if not found:
        return
    worth = scale.of(root, scene)
    for obj in found:
        dimension_objects.label(obj, root, scene, worth)


def remeasure(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
    """Measure all dimensions of a photo anew whose points have changed: made anew, or bent by a calibration.

    Those of the room are found again, single lengths by their anchors; a laser and what cannot be found stay where they are.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly.
    """
    if any(obj.image_to_3d.dimension.kind in ROOM for obj in dimension_objects.of(root)):
        try:
            measure_room(root, scene, found)
        except ImageTo3DError as error:
            session.current().failure = error
    worth = scale.of(root, scene)
    for obj in list(dimension_objects.of(root)):
        stored = obj.image_to_3d.dimension
        if stored.kind != "LENGTH" or not dimension_objects.whole(obj):
            continue
        if dimension_objects.moved(obj):
            places = np.array([root.matrix_world @ Vector(end) for end in dimension_objects.ends(obj)])
            measure_length(root, scene, found, places, stored.rank)
            continue
        if not stored.anchored:
            continue
        places = tuple(anchors.get_anchor(end) for end in (stored.start, stored.end))
        try:
            a, b = (place.on(found.grid) for place in places)
        except ImageTo3DError:
            continue
        ends = np.stack([a.position, b.position])
        facing = _common_normal(a.normal, b.normal, ends)
        dimension = Dimension("LENGTH", ends, distance(a, b)[1], stored.rank, facing=facing, anchors=places)
        dimension_objects.put(root, scene, dimension, worth)
    refresh(root, scene)


def measure_room(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> list[bpy.types.Object]:
    """Show height, distances between facing walls and visible extents of the walls; what was shown before is updated.

    Raises:
        ImageTo3DError: ``bad_request`` if the picture tells no floor, or nothing that could be measured.
    """
    gravity = analysis.gravity_of(root, found)
    if gravity.floor is None and not root.image_to_3d.levelling.levelled:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "The room cannot be measured: no floor is in view.",
            "Measure single lengths, or level it first by picking three points of the floor.",
        )
    lengths = room_dimensions(room_report(found.grid, gravity, _BARE), gravity)
    if not lengths:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            "Neither a ceiling nor a wall is in view, so there is nothing to measure in this room.",
            "Measure single lengths instead.",
        )
    worth = scale.of(root, scene)
    made = [dimension_objects.put(root, scene, length, worth) for length in lengths]
    for obj in list(dimension_objects.of(root)):
        if obj.image_to_3d.dimension.kind in ROOM and obj not in made:
            dimension_objects.remove(obj)
    return made


def room_dimensions(report: RoomReport, gravity: Gravity) -> list[Dimension]:
    """What of a report is shown: height, distances, and the extents of the walls that matter in the picture."""
    shown = []
    if report.height is not None and report.height_ends is not None:
        shown.append(Dimension("HEIGHT", report.height_ends, report.height.sd))
    for rank, wall in enumerate(report.distances[:_MOST_WALLS]):
        shown.append(Dimension("DISTANCE", wall.ends, wall.distance.sd, rank))
    seen = [e for e in report.extents if gravity.planes[e.wall].share >= _WALL_SHARE]
    walls = [e for e in seen if not any(_stands_before(e, other, gravity) for other in seen)][:_MOST_WALLS]
    for rank, extent in enumerate(walls):
        facing = gravity.planes[extent.wall].normal
        shown.append(Dimension("WIDTH", extent.width_ends, extent.width.sd, rank, facing=facing, at_least=True))
        shown.append(Dimension("WALL_HEIGHT", extent.height_ends, extent.height.sd, rank, facing=facing, at_least=True))
    return shown


def _stands_before(extent: WallExtent, other: WallExtent, gravity: Gravity) -> bool:
    """Whether an upright surface is the front of furniture: parallel to a wall, before it and not as high."""
    plane, wall = gravity.planes[extent.wall], gravity.planes[other.wall]
    parallel = float(plane.normal @ wall.normal) > _PARALLEL
    before = float(wall.signed_distance(plane.centre)) > 0
    return parallel and before and extent.height.metres < _LOWER * other.height.metres


def measure_length(
    root: bpy.types.Object,
    scene: bpy.types.Scene,
    found: Analysis,
    places: NDArray[np.floating],
    rank: int | None = None,
) -> bpy.types.Object:
    """Show the length between two places (2, 3) of the world, Blender units, in place of that of a rank, or as another one.

    Places on the surface are remembered by what the photo shows there; others, such as those of an empty in the air, count as
    exactly where they are.

    Raises:
        ImageTo3DError: ``bad_request`` if they are the same place, or the root is stretched unevenly.
    """
    ends = stored_cloud.to_camera_frame(root, places)
    if not float(np.linalg.norm(ends[1] - ends[0])) > 1e-6:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "The two ends of the length are the same place.", "Choose two places apart."
        )
    facing, kept, sd = None, (), 0.0
    try:
        a, b = (point_near(found.grid, end) for end in ends)
        kept = (anchor(found.grid, ends[0]), anchor(found.grid, ends[1]))
        sd = distance(a, b)[1]
        facing = _common_normal(a.normal, b.normal, ends)
    except ImageTo3DError:
        pass  # not both on the surface
    if rank is None:
        stored = (obj.image_to_3d.dimension for obj in dimension_objects.of(root))
        rank = max((d.rank for d in stored if d.kind == "LENGTH"), default=-1) + 1
    dimension = Dimension("LENGTH", ends, sd, rank, facing=facing, anchors=kept)
    return dimension_objects.put(root, scene, dimension, scale.of(root, scene))


def _common_normal(
    a: NDArray[np.float64], b: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The normal of the surface that both ends of a length lie on, across the length; None if they lie on different ones."""
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    normal = 0.5 * (a + b)
    if float(a @ b) < 0.9 or abs(float(normal @ along)) > 0.2:
        return None
    across = normal - float(normal @ along) * along
    return np.asarray(across / np.linalg.norm(across))


def chosen_places(context: bpy.types.Context) -> list[Vector]:
    """World coordinates of the selected vertices in edit mode, else of the selected objects that are no part of a photo.

    Empties and other objects count by their origin.
    """
    obj = context.object
    if obj is not None and obj.mode == "EDIT" and obj.type == "MESH":
        import bmesh

        mesh = bmesh.from_edit_mesh(obj.data)
        selected = [v.co.copy() for v in mesh.verts if v.select]
        return [obj.matrix_world @ co for co in selected] if len(selected) <= 2 else []
    return [o.matrix_world.translation.copy() for o in context.selected_objects if o.image_to_3d.role == "NONE"]


class OfPhoto(OnPhoto):
    """Operators on a photo that can be measured."""

    bl_options = {"REGISTER"}  # the objects come later, with an undo step of their own


class IMAGE_TO_3D_OT_measure_room(OfPhoto, bpy.types.Operator):
    """Show the height of the room, the distances between its walls and how much of them is visible"""

    bl_idname = "image_to_3d.measure_room"
    bl_label = "Measure Room"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the planes and return; the dimensions come when they are found."""
        return later(self, context, "Measure Room", measure_room)


class IMAGE_TO_3D_OT_measure_length(OfPhoto, PicksPoints, bpy.types.Operator):
    """Show the length between two places: two selected vertices in Edit Mode, two selected empties, or two clicks on the surface"""

    bl_idname = "image_to_3d.measure_length"
    bl_label = "Add Dimension"

    POINTS = 2

    points: FloatVectorProperty(name="Points", description="Both ends, world", size=6, options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Two chosen places are taken at once; otherwise they are clicked."""
        if len(chosen_places(context)) == 2:
            return self.execute(context)
        return PicksPoints.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Measure between the places given, else between those chosen."""
        if self.properties.is_property_set("points"):
            places = np.reshape(self.points, (2, 3))
        else:
            places = np.array(chosen_places(context)).reshape(-1, 3)
        if len(places) != 2:
            self.report({"WARNING"}, "Choose two places: two vertices in Edit Mode, or two empties.")
            return {"CANCELLED"}
        return later(
            self, context, "Add Dimension", lambda root, scene, found: measure_length(root, scene, found, places)
        )


class IMAGE_TO_3D_OT_refresh_dimensions(OfPhoto, bpy.types.Operator):
    """Measure all dimensions of this photo anew, with its points, scale and units as they are now"""

    bl_idname = "image_to_3d.refresh_dimensions"
    bl_label = "Update Dimensions"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask for the planes and return."""
        return later(self, context, "Update Dimensions", remeasure)


class IMAGE_TO_3D_OT_remove_dimensions(OfPhoto, bpy.types.Operator):
    """Delete the dimensions of this photo: those selected, or all if none is"""

    bl_idname = "image_to_3d.remove_dimensions"
    bl_label = "Remove Dimensions"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Delete them."""
        every = list(dimension_objects.of(shown_root(context)))
        for obj in [o for o in every if o.select_get()] or every:
            dimension_objects.remove(obj)
        return {"FINISHED"}


def later(
    operator: bpy.types.Operator,
    context: bpy.types.Context,
    step: str,
    work: Callable[[bpy.types.Object, bpy.types.Scene, Analysis], object],
) -> set[str]:
    """Do ``work`` on the main thread once the planes of the photo on show are known, as one undo step.

    Args:
        operator: that reports what prevents it at once.
        context: of the operator.
        step: name of the undo step.
        work: may raise ImageTo3DError, which becomes the session's failure.
    """
    root_name, scene_name = shown_root(context).name, context.scene.name

    def then(found: Analysis) -> None:
        root, scene = bpy.data.objects.get(root_name), bpy.data.scenes.get(scene_name)
        if root is None or scene is None:  # deleted meanwhile
            return
        bpy.context.view_layer.update()
        work(root, scene, found)
        bpy.ops.ed.undo_push(message=step)

    return start(operator, root_name, then)


CLASSES = (
    IMAGE_TO_3D_OT_measure_room,
    IMAGE_TO_3D_OT_measure_length,
    IMAGE_TO_3D_OT_refresh_dimensions,
    IMAGE_TO_3D_OT_remove_dimensions,
)
