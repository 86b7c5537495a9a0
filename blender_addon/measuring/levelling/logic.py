"""Standing a photo on its floor: the root turns and is lifted, so that the floor is z = 0 and walls are upright."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix, Quaternion

from image_to_3d.blender import points as blender_points
from image_to_3d.blender.levelling import levelled_transform, matrix_of
from image_to_3d.core.lengths.anchors import Anchor
from image_to_3d.core.lengths.reapply import LevelRequest
from image_to_3d.core.surfaces import levelling as core

from .. import anchors
from ..lengths import rulers
from ..properties import Levelling

_SAME_ANGLE = np.radians(0.05)
_SAME_HEIGHT_M = 0.001


def level_request_of(root: bpy.types.Object) -> LevelRequest | None:
    """How a root was levelled; None if it was not."""
    state = root.image_to_3d.levelling
    if not state.levelled:
        return None
    return LevelRequest(state.method, state.aligned, tuple(anchors.get_anchor(point) for point in state.points))


def reapply(root: bpy.types.Object, levelling: core.Levelling) -> None:
    """Stand a levelled root as a new levelling says, and keep how a person has moved and turned it since.

    Differences that nobody sees leave it where it is.
    """
    state = root.image_to_3d.levelling
    place, turned, size = root.matrix_world.decompose()
    before, after = Quaternion(state.rotation_before), Quaternion(state.rotation_after)
    similarity = blender_points.Similarity(1.0, np.array(before.to_matrix(), np.float64), np.zeros(3))
    rotation = Quaternion(Matrix(levelled_transform(levelling, similarity, 1.0).rotation).to_quaternion())
    higher = levelling.camera_height_m - state.camera_height_m
    if rotation.rotation_difference(after).angle < _SAME_ANGLE and abs(higher) < _SAME_HEIGHT_M:
        return
    place.z += higher / root.image_to_3d.outcome.metres_per_unit * size.x
    move(root, Matrix.LocRotScale(place, turned @ after.inverted() @ rotation, size))
    _record(state, levelling)
    state.rotation_after = rotation


def apply(root: bpy.types.Object, levelling: core.Levelling, points: Sequence[Anchor] = ()) -> None:
    """Level a root, and remember how it was turned before.

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
    levelled = levelled_transform(levelling, transform, 1.0 / root.image_to_3d.outcome.metres_per_unit)
    move(root, Matrix(matrix_of(levelled)))
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
