"""Which photos a picture shows, and where they stand.

Shared by the viewport's overlay and the render engine. A photo stands for its splats in whatever way it is displayed: where the
display hides the points in favour of the surface, the surface says whether the photo is seen.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent
from mathutils import Matrix
from numpy.typing import NDArray

from image_to_3d.blender import points as blender_points
from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.cameras.axes import matrix_to_opencv, points_to_opencv
from image_to_3d.protocol.messages import Instance

from ..runtime import session_uids
from ..runtime.objects import of
from . import edits
from . import points as pointcloud
from .roles import root_of
from .transforms import disabled, world_matrix

COLUMNS = ("position", "scale", "rotation", "opacity", pointcloud.COLOUR)
"""Attributes that a splat is drawn by."""
_MAX_NESTED = 8  # collections that instance collections


@dataclass(frozen=True, eq=False)
class SplatInstance:
    """The points of a photo as one picture shows them.

    Attributes:
        uid: ``session_uid`` of their data-block.
        name: of their object.
        object_uid: ``session_uid`` of it.
        edits: what is left out of them, see :func:`.edits.state`.
        object_to_world: (4, 4), data-block → OpenCV frame, metres.
        box: (8, 3) corners of the box around them, OpenCV frame, metres.
    """

    uid: int
    name: str
    object_uid: int
    edits: tuple[Any, ...]
    object_to_world: NDArray[np.float64]
    box: NDArray[np.float64]

    def to_wire(self, scene: str) -> Instance:
        """As the wire has it, with the id of the scene that the backend holds for this data-block."""
        return Instance(scene, [float(v) for v in self.object_to_world.ravel()])


@dataclass(frozen=True, eq=False)
class VisibleSplats:
    """What a picture shows.

    Attributes:
        instances: in the order of the objects.
        refused: one sentence for each photo that cannot be drawn.
    """

    instances: tuple[SplatInstance, ...]
    refused: tuple[str, ...]

    @property
    def uids(self) -> set[int]:
        """Data-blocks whose scenes have to be resident."""
        return {one.uid for one in self.instances}

    def nearest(self, view: Matrix, metres_per_unit: float) -> float | None:
        """Smallest depth of a box in a view (``RegionView3D.view_matrix``), metres; None where nothing is shown."""
        if not self.instances:
            return None
        forward = np.array(view)[2] * -1.0
        row = np.append(points_to_opencv(forward[:3]), forward[3] * metres_per_unit)
        return float(min((one.box @ row[:3]).min() for one in self.instances) + row[3])


def in_viewport(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, space: bpy.types.SpaceView3D) -> VisibleSplats:
    """What a viewport shows: visible, not hidden, in its local view if it has one. Main thread."""
    seen = set(collections(view_layer.layer_collection, render=False))

    def visible(obj: bpy.types.Object) -> bool:
        if obj.hide_get(view_layer=view_layer) or not _in(obj, seen):
            return False
        return space.local_view is None or obj.local_view_get(space)

    return _visible(scene, view_layer, visible)


def in_render(depsgraph: bpy.types.Depsgraph, also_disabled: bool = False) -> VisibleSplats:
    """What a render of ``depsgraph`` shows.

    Args:
        depsgraph: of the render.
        also_disabled: also photos that are disabled in renders, as those are which have a scene of their own for their splats.
    """
    view_layer = depsgraph.view_layer
    seen = set(collections(view_layer.layer_collection, render=True))
    return _visible(
        depsgraph.scene,
        view_layer,
        lambda obj: _in(obj, seen),
        depsgraph,
        also_disabled,
    )


def _visible(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    visible: Callable[[bpy.types.Object], bool],
    render: bpy.types.Depsgraph | None = None,
    also_disabled: bool = False,
) -> VisibleSplats:
    """What a viewport shows or, with its ``render``, a render."""
    metres_per_unit = scene.unit_settings.scale_length
    instances, refused = [], []
    # A render may begin before anybody was told of the last change.
    names = _may_bring_points(view_layer) if render is not None else of(ViewLayerNames).points(scene, view_layer)
    for uid, name in names:
        obj = session_uids.find(view_layer.objects, uid, name)
        if obj is None or not visible(_stand_in(obj)) or (disabled(_stand_in(obj), render) and not also_disabled):
            continue
        for points, matrix in _instances(obj, render):
            if len(_positions(points)) <= edits.removed(points):
                continue
            try:
                instances.append(_instance(points, matrix, metres_per_unit))
            except ImageTo3DError as error:
                refused.append(str(error))
    return VisibleSplats(tuple(instances), tuple(refused))


def _instances(
    obj: bpy.types.Object, render: bpy.types.Depsgraph | None, depth: int = 0
) -> Iterator[tuple[bpy.types.Object, Matrix]]:
    """Points that an object is or, as an instance of a collection, brings, with their matrices."""
    if obj.image_to_3d.role == "POINTS":
        yield obj, world_matrix(obj, render)
    if not _instances_collection(obj) or depth == _MAX_NESTED:
        return
    base = world_matrix(obj, render) @ Matrix.Translation(-obj.instance_collection.instance_offset)
    for member in _members(obj.instance_collection, render is not None):
        if not disabled(_stand_in(member), render):
            for points, matrix in _instances(member, render, depth + 1):
                yield points, base @ matrix


def _instances_collection(obj: bpy.types.Object) -> bool:
    return obj.instance_type == "COLLECTION" and obj.instance_collection is not None


def _members(collection: bpy.types.Collection, render: bool) -> Iterator[bpy.types.Object]:
    if not (collection.hide_render if render else collection.hide_viewport):
        yield from collection.objects
        for child in collection.children:
            yield from _members(child, render)


def _stand_in(obj: bpy.types.Object) -> bpy.types.Object:
    """The object whose visibility is the photo's: the surface where that is displayed in place of the points."""
    if obj.image_to_3d.role == "POINTS":
        root = root_of(obj)
        if root is not None and root.image_to_3d.display == "SURFACE":
            surfaces = (child for child in root.children if child.image_to_3d.role == "SURFACE")
            return next(surfaces, root)
    return obj


def collections(layer: bpy.types.LayerCollection, render: bool) -> Iterator[bpy.types.Collection]:
    """Collections of a view layer that are seen."""
    collection = layer.collection
    hidden = collection.hide_render if render else layer.hide_viewport or collection.hide_viewport
    if layer.exclude:
        hidden = True
    if not hidden:
        yield collection
    for child in layer.children:
        if not hidden or layer.exclude:  # an excluded collection may hold one that is not
            yield from collections(child, render)


def _in(obj: bpy.types.Object, seen: set[bpy.types.Collection]) -> bool:
    return any(_holds(collection, obj) for collection in seen)


def _holds(collection: bpy.types.Collection, obj: bpy.types.Object) -> bool:
    """Whether a collection holds an object, and not only one of the same name from another file."""
    found = collection.objects.get(obj.name)
    return found is not None and (found == obj or obj in collection.objects[:])


def _positions(points: bpy.types.Object) -> Any:
    attribute = points.data.attributes.get("position")
    return () if attribute is None else attribute.data


def _instance(points: bpy.types.Object, matrix: Matrix, metres_per_unit: float) -> SplatInstance:
    missing = [name for name in COLUMNS if name not in points.data.attributes]
    if missing:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST, "scene.points_incomplete", points_name=points.name, missing=missing[0]
        )
    try:
        object_to_world, box = _where(tuple(map(tuple, matrix)), tuple(map(tuple, points.bound_box)), metres_per_unit)
    except ImageTo3DError:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.points_stretched", points_name=points.name) from None
    data_uid, object_uid = points.data.session_uid, points.session_uid
    return SplatInstance(data_uid, points.name, object_uid, edits.state(points), object_to_world, box)


@functools.lru_cache(maxsize=64)
def _where(
    matrix: tuple[tuple[float, ...], ...], corners: tuple[tuple[float, ...], ...], metres_per_unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``object_to_world`` and ``box`` of a :class:`SplatInstance`, kept because every redraw asks and photos rarely move.

    Raises:
        ImageTo3DError: the matrix is no similarity.
    """
    blender_points.similarity(np.array(matrix))
    object_to_world = matrix_to_opencv(np.array(matrix), metres_per_unit)
    box = points_to_opencv(np.array(corners)) @ object_to_world[:3, :3].T + object_to_world[:3, 3]
    object_to_world.setflags(write=False)
    box.setflags(write=False)
    return object_to_world, box


Name = tuple[int, str]
"""``session_uid`` of an object, and its name, by which it is found quickly."""


class ViewLayerNames:
    """Objects of the view layers that matter here, looked for anew only after something has changed."""

    def __init__(self) -> None:
        self._points: dict[tuple[int, str], list[Name]] = {}  # by scene and view layer
        self._surfaces: dict[tuple[int, str], list[Name]] = {}

    def points(self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> list[Name]:
        """What is points or may bring some."""
        key = scene.session_uid, view_layer.name
        if key not in self._points:
            self._points[key] = _may_bring_points(view_layer)
        return self._points[key]

    def surfaces(self, scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> list[Name]:
        """Meshes of photos."""
        key = scene.session_uid, view_layer.name
        if key not in self._surfaces:
            found = (obj for obj in view_layer.objects if obj.image_to_3d.role == "SURFACE")
            self._surfaces[key] = [(obj.session_uid, obj.name) for obj in found]
        return self._surfaces[key]

    def forget(self) -> None:
        """Look for everything anew when it is asked for next."""
        self._points.clear()
        self._surfaces.clear()


def _may_bring_points(view_layer: bpy.types.ViewLayer) -> list[Name]:
    """Objects that are points or instance a collection."""
    return [
        (obj.session_uid, obj.name)
        for obj in view_layer.objects
        if obj.image_to_3d.role == "POINTS" or _instances_collection(obj)
    ]


def surfaces(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Iterator[bpy.types.Object]:
    """The meshes of photos in a view layer, shown or not."""
    for uid, name in of(ViewLayerNames).surfaces(scene, view_layer):
        obj = session_uids.find(view_layer.objects, uid, name)
        if obj is not None:
            yield obj


@persistent
def _forget_names(*_: Any) -> None:
    of(ViewLayerNames).forget()


HANDLERS = tuple((when, _forget_names) for when in ("depsgraph_update_post", "load_post", "undo_post", "redo_post"))
