"""Standing a photo on its floor: the root turns and is lifted, so that the floor is z = 0 and walls are upright."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from bpy.props import BoolProperty, FloatVectorProperty
from mathutils import Matrix, Quaternion

from image_to_3d.blender import points as blender_points
from image_to_3d.blender.levelling import matrix_of, stand
from image_to_3d.core.lengths.anchors import Anchor, anchor
from image_to_3d.core.lengths.reapply import LevelWish, level_again
from image_to_3d.core.surfaces import levelling as core

from .. import analysis, anchors, stored_cloud
from ..active_photo import OnPhoto, shown_root, start
from ..lengths import rulers
from ..picking import PicksPoints
from ..properties import Levelling

_SAME_ANGLE = np.radians(0.05)
_SAME_HEIGHT_M = 0.001


def wish_of(root: bpy.types.Object) -> LevelWish | None:
    """How a root was levelled; None if it was not."""
    state = root.image_to_3d.levelling
    if not state.levelled:
        return None
    return LevelWish(state.method, state.aligned, tuple(anchors.get_anchor(point) for point in state.points))


def apply_again(root: bpy.types.Object, levelling: core.Levelling) -> None:
    """Stand a levelled root as a new levelling says, and keep how a person has moved and turned it since.

    Differences that nobody sees leave it where it is.
    """
    state = root.image_to_3d.levelling
    place, turned, size = root.matrix_world.decompose()
    before, after = Quaternion(state.rotation_before), Quaternion(state.rotation_after)
    similarity = blender_points.Similarity(1.0, np.array(before.to_matrix(), np.float64), np.zeros(3))
    stood = Quaternion(Matrix(stand(levelling, similarity, 1.0).rotation).to_quaternion())
    higher = levelling.camera_height_m - state.camera_height_m
    if stood.rotation_difference(after).angle < _SAME_ANGLE and abs(higher) < _SAME_HEIGHT_M:
        return
    place.z += higher / root.image_to_3d.outcome.metres_per_unit * size.x
    move(root, Matrix.LocRotScale(place, turned @ after.inverted() @ stood, size))
    _record(state, levelling)
    state.rotation_after = stood


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
    _record(state, levelling)
    state.rotation_after = root.matrix_world.to_quaternion()
    anchors.write(state.points, points)


def _record(state: Levelling, levelling: core.Levelling) -> None:
    state.aligned = levelling.aligned
    state.pitch_deg, state.roll_deg, state.sd_deg = levelling.pitch_deg, levelling.roll_deg, levelling.sd_deg
    state.camera_height_m = levelling.camera_height_m


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


def sized(root: bpy.types.Object, ratio: float) -> Matrix:
    """The transform of a root in the world, times larger about its camera; a levelled one stays on its floor."""
    place, turned, size = root.matrix_world.decompose()
    state = root.image_to_3d.levelling
    if state.levelled:
        height = state.camera_height_m / root.image_to_3d.outcome.metres_per_unit
        place.z += height * size.x * (ratio - 1.0)
    return Matrix.LocRotScale(place, turned, size * ratio)


def move(root: bpy.types.Object, matrix: Matrix) -> None:
    """Give a root a transform of the world; rulers that lie on the photo go with it."""
    followers = rulers.on_surface(root)
    old = root.matrix_world.copy()
    root.matrix_world = matrix
    bpy.context.view_layer.update()
    rulers.carry(followers, root.matrix_world @ old.inverted_safe())


class IMAGE_TO_3D_OT_level(OnPhoto, bpy.types.Operator):
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
        name, align = shown_root(context).name, self.align

        def then(found: analysis.Analysis) -> None:
            root = bpy.data.objects.get(name)
            if root is None:
                return
            bpy.context.view_layer.update()
            apply(root, level_again(found.grid, LevelWish("FLOOR", align), found.metric, found.planes))
            bpy.ops.ed.undo_push(message="Level to Floor")

        return start(self, name, then)


class IMAGE_TO_3D_OT_level_points(OnPhoto, PicksPoints, bpy.types.Operator):
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
        root = shown_root(context)
        context.view_layer.update()
        places = stored_cloud.to_camera_frame(root, np.reshape(self.points, (3, 3)))
        name, align = root.name, self.align

        def then(found: analysis.Analysis) -> None:
            root = bpy.data.objects.get(name)
            if root is None:
                return
            bpy.context.view_layer.update()
            wish = LevelWish("POINTS", align, tuple(anchor(found.grid, place) for place in places))
            apply(root, level_again(found.grid, wish, found.metric, found.planes), wish.points)
            bpy.ops.ed.undo_push(message="Level by Three Points")

        return start(self, name, then)


class IMAGE_TO_3D_OT_unlevel(bpy.types.Operator):
    """Turn the photo back to how it stood before it was levelled"""

    bl_idname = "image_to_3d.unlevel"
    bl_label = "Remove Levelling"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a levelled photo."""
        root = shown_root(context)
        return root is not None and root.image_to_3d.levelling.levelled

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn it back."""
        context.view_layer.update()
        remove(shown_root(context))
        return {"FINISHED"}


CLASSES = (IMAGE_TO_3D_OT_level, IMAGE_TO_3D_OT_level_points, IMAGE_TO_3D_OT_unlevel)
