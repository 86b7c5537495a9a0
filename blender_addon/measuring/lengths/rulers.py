"""Blender's own rulers: annotation strokes of two points in a layer that is flagged as ruler.

Scripts can read and move them, but not make them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
from mathutils import Matrix, Vector

from image_to_3d.core.lengths.measuring import Length, length_between, point_near

from ...scene import roles
from .. import analysis, stored_cloud
from ..scale import scale_of_photo

_ON_SURFACE = 0.02
"""Share of the distance from the camera within which an end of a ruler lies on the surface of a photo."""


@dataclass(frozen=True)
class Ruler:
    """A straight ruler of a scene.

    Attributes:
        index: among the straight rulers of the scene.
        ends: in the world.
    """

    index: int
    ends: tuple[Vector, Vector]

    @property
    def length(self) -> float:
        """Blender units."""
        return (self.ends[1] - self.ends[0]).length


def _strokes(scene: bpy.types.Scene) -> list[bpy.types.bpy_struct]:
    """The strokes of two points; those of three measure angles."""
    annotation = scene.annotation if bpy.app.version >= (5, 0, 0) else scene.grease_pencil
    if annotation is None:
        return []
    layers = [layer for layer in annotation.layers if layer.is_ruler]
    strokes = [stroke for layer in layers for frame in layer.frames for stroke in frame.strokes]
    return [stroke for stroke in strokes if len(stroke.points) == 2]


def all_of(scene: bpy.types.Scene) -> list[Ruler]:
    """The straight rulers of a scene, in the order they were drawn."""
    return [
        Ruler(index, tuple(Vector(point.co) for point in stroke.points)) for index, stroke in enumerate(_strokes(scene))
    ]


def on_surface(root: bpy.types.Object) -> list[tuple[bpy.types.Scene, Ruler]]:
    """The rulers with both ends on the surface of a photo."""
    surface = roles.surface_of(root)
    if surface is None or not len(surface.data.polygons):
        return []
    found = []
    for scene in root.users_scene:
        rulers = all_of(scene)
        if rulers:
            found += [(scene, ruler) for ruler in rulers if _both_on(root, surface, ruler)]
    return found


def _both_on(root: bpy.types.Object, surface: bpy.types.Object, ruler: Ruler) -> bool:
    inverse = surface.matrix_world.inverted_safe()
    for end in ruler.ends:
        local = inverse @ end
        near = _ON_SURFACE * local.length
        try:
            found, where, _, _ = surface.closest_point_on_mesh(local, distance=max(near, 1e-6))
        except RuntimeError:  # hidden, hence not evaluated
            return False
        if not found or (where - local).length > near:
            return False
    return True


def carry(rulers: Sequence[tuple[bpy.types.Scene, Ruler]], matrix: Matrix) -> None:
    """Move rulers by a transform of the world."""
    for scene, ruler in rulers:
        stroke = _strokes(scene)[ruler.index]
        for point, end in zip(stroke.points, ruler.ends, strict=True):
            point.co = matrix @ end


def measure(scene: bpy.types.Scene, root: bpy.types.Object, ruler: Ruler, known: analysis.Analysis) -> Length:
    """The length of a ruler with its interval: as long as Blender shows it.

    Raises:
        ImageTo3DError: ``bad_request`` if an end does not lie on the surface of the photo.
    """
    places = stored_cloud.to_camera_frame(root, [tuple(end) for end in ruler.ends])
    a, b = (point_near(known.grid, place) for place in places)
    return length_between(a, b, scale_of_photo(root, scene))
