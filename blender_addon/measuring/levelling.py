"""Standing a photo on its floor: the root turns and is lifted, so that the floor is z = 0 and walls are upright."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy.props import BoolProperty, FloatVectorProperty
from mathutils import Matrix, Quaternion

from image_to_3d.core import ErrorCode, ImageTo3DError, blender_points
from image_to_3d.core import levelling as core
from image_to_3d.core.anchors import Anchor, anchor
from image_to_3d.core.blender_levelling import matrix_of, stand
from image_to_3d.core.measuring import point_near

from .. import session
from . import analysis, anchors, cloud, rulers
from .picking import PicksPoints, failed


def apply(root: bpy.types.Object, levelling: core.Levelling, points: Sequence[Anchor] = ()) -> None:
    """Stand a root as a levelling says, and remember how it stood.

    Args:
        root: of the photo; its ``matrix_world`` is up to date.
        levelling: of the photo, metres of the engine.
        points: picked on the floor; empty if the picture told.

    Raises:
        ImageTo3DError: ``bad_request`` if the root is stretched unevenly, sheared or mirrored.
    """
    transform = blender_points.similarity(np.array(root.matrix_world))
    state = root.image_to_3d.levelling
    if not state.levelled:
        state.rotation_before = root.matrix_world.to_quaternion()
        state.height_before = root.matrix_world.translation.z
    stood = stand(levelling, transform, 1.0 / root.image_to_3d.outcome.metres_per_unit)
    move(root, Matrix(matrix_of(stood)))
    state.levelled = True
    state.method = "POINTS" if points else "FLOOR"
    state.aligned = levelling.aligned
    state.pitch_deg, state.roll_deg, state.sd_deg = levelling.pitch_deg, levelling.roll_deg, levelling.sd_deg
    state.camera_height_m = levelling.camera_height_m
    state.rotation_after = root.matrix_world.to_quaternion()
    anchors.write(state.points, points)


def remove(root: bpy.types.Object) -> None:
    """Undo :func:`apply`, but for what a person moved or scaled since."""
    state = root.image_to_3d.levelling
    if not state.levelled:
        return
    place, turned, size = root.matrix_world.decompose()
    before, after = Quaternion(state.rotation_before), Quaternion(state.rotation_after)
    height = state.camera_height_m / root.image_to_3d.outcome.metres_per_unit * size.x
    place.z += state.height_before - height
    move(root, Matrix.LocRotScale(place, turned @ after.inverted() @ before, size))
    state.levelled = False
    state.points.clear()


def move(root: bpy.types.Object, matrix: Matrix) -> None:
    """Give a root a transform of the world; rulers that lie on the photo go with it."""
    followers = rulers.on_surface(root)
    old = root.matrix_world.copy()
    root.matrix_world = matrix
    bpy.context.view_layer.update()
    rulers.carry(followers, root.matrix_world @ old.inverted_safe())


def by_picture(found: analysis.Analysis, align: bool) -> core.Levelling:
    """The levelling that a picture tells.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason if it does not tell, or shows no wall to align.
    """
    if found.gravity is None:
        assert found.refusal is not None
        raise found.refusal
    return core.level(found.gravity, wall_to_align(found.gravity) if align else None)


def wall_to_align(gravity: core.Gravity) -> core.Plane:
    """The largest wall.

    Raises:
        ImageTo3DError: ``bad_request`` if there is none.
    """
    if not gravity.walls:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "No wall is in view that could lie along an axis.", "Level without aligning a wall."
        )
    return gravity.walls[0]


class _OnPhoto:
    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a photo that can be measured."""
        root = session.shown_root(context)
        return root is not None and cloud.measurable(root) and session.current().job is None


class IMAGE_TO_3D_OT_level(_OnPhoto, bpy.types.Operator):
    """Stand the photo on its floor: the floor becomes z = 0, walls become upright, and the camera goes with it"""

    bl_idname = "image_to_3d.level"
    bl_label = "Level to Floor"
    bl_options = {"REGISTER"}  # the root moves later, with an undo step of its own

    align: BoolProperty(
        name="Wall Along Axis",
        description="Turn the largest wall by the least angle until it lies along X or Y",
        default=False,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look for floor and walls; the timer does the rest."""
        name, align = session.shown_root(context).name, self.align

        def then(found: analysis.Analysis) -> None:
            root = bpy.data.objects.get(name)
            if root is None:
                return
            bpy.context.view_layer.update()
            apply(root, by_picture(found, align))
            bpy.ops.ed.undo_push(message="Level to Floor")

        return start(self, name, then)


class IMAGE_TO_3D_OT_level_points(_OnPhoto, PicksPoints, bpy.types.Operator):
    """Click three points of the floor, far apart: the floor becomes z = 0, and the camera goes with it"""

    bl_idname = "image_to_3d.level_points"
    bl_label = "Level by Three Points"
    bl_options = {"REGISTER"}

    POINTS = 3

    points: FloatVectorProperty(name="Points", description="Three places on the floor, world", size=9)
    align: BoolProperty(
        name="Wall Along Axis",
        description="Turn the largest wall by the least angle until it lies along X or Y",
        default=False,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Level by the points; the timer does the rest."""
        root = session.shown_root(context)
        context.view_layer.update()
        places = cloud.to_camera_frame(root, np.reshape(self.points, (3, 3)))
        name, align = root.name, self.align

        def then(found: analysis.Analysis) -> None:
            root = bpy.data.objects.get(name)
            if root is None:
                return
            bpy.context.view_layer.update()
            apply(root, by_points(found, places, align), [anchor(found.grid, place) for place in places])
            bpy.ops.ed.undo_push(message="Level by Three Points")

        return start(self, name, then)


def by_points(found: analysis.Analysis, places: np.ndarray, align: bool) -> core.Levelling:
    """The levelling by three places of the floor, (3, 3) in the camera frame.

    Raises:
        ImageTo3DError: ``bad_request`` for points off the surface, on a line or above the camera, or without a wall to align.
    """
    points = [point_near(found.grid, place) for place in places]
    covariances = np.array([point.covariance for point in points])
    levelling = core.level_from_points(places, None, covariances)
    if not align:
        return levelling
    gravity = found.with_up(-levelling.rotation[1], levelling.sd_deg)
    return core.level_from_points(places, wall_to_align(gravity), covariances)


class IMAGE_TO_3D_OT_unlevel(bpy.types.Operator):
    """Turn the photo back to how it stood before it was levelled"""

    bl_idname = "image_to_3d.unlevel"
    bl_label = "Remove Levelling"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a levelled photo."""
        root = session.shown_root(context)
        return root is not None and root.image_to_3d.levelling.levelled

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn it back."""
        context.view_layer.update()
        remove(session.shown_root(context))
        return {"FINISHED"}


def start(operator: bpy.types.Operator, name: str, then) -> set[str]:
    """Have a photo analysed and ``then`` called; says why not where it cannot be."""
    session.current().failure = None
    try:
        analysis.request(bpy.data.objects[name], then)
    except ImageTo3DError as error:
        return failed(operator, error)
    session.start_timer()
    return {"FINISHED"}


_CLASSES = (IMAGE_TO_3D_OT_level, IMAGE_TO_3D_OT_level_points, IMAGE_TO_3D_OT_unlevel)


def register() -> None:
    """Register the operators."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Unregister the operators."""
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
