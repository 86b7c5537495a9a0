"""Which photos a picture shows, where they stand, and how the backend comes to hold them.

Shared by the viewport's overlay and the render engine. A photo stands for its splats in whatever way it is displayed: where the
display hides the points in favour of the surface, the surface says whether the photo is seen.

The backend gets the points as their data-block holds them, one Blender unit as one metre; the unit of the scene, levelling,
calibration, duplicates and animation are all in the instance's matrix, so nothing of that needs another upload.
"""

from __future__ import annotations

import functools
import threading
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
from image_to_3d.protocol.messages import Instance, UploadScene, cloud_fields

from ..scene import edits
from ..scene import points as pointcloud
from ..scene.roles import root_of

_COLUMNS = ("position", "scale", "rotation", "opacity", pointcloud.COLOUR)
_MAX_NESTED = 8  # collections that instance collections


@dataclass(frozen=True, eq=False)
class Placed:
    """The points of a photo as one picture shows them.

    Attributes:
        uid: ``session_uid`` of their data-block.
        name: of their object.
        object_to_world: (4, 4), data-block → OpenCV frame, metres.
        box: (8, 3) corners of the box around them, OpenCV frame, metres.
    """

    uid: int
    name: str
    object_to_world: NDArray[np.float64]
    box: NDArray[np.float64]

    def instance(self, scene: str) -> Instance:
        """As the wire has it, with the id of the scene that the backend holds for this data-block."""
        return Instance(scene, [float(v) for v in self.object_to_world.ravel()])


@dataclass(frozen=True, eq=False)
class Shown:
    """What a picture shows.

    Attributes:
        placed: in the order of the objects.
        refused: one sentence for each photo that cannot be drawn.
    """

    placed: tuple[Placed, ...]
    refused: tuple[str, ...]

    @property
    def uids(self) -> set[int]:
        """Data-blocks whose scenes have to be resident."""
        return {placed.uid for placed in self.placed}

    def nearest(self, view: Matrix, metres_per_unit: float) -> float | None:
        """Smallest depth of a box in a view (``RegionView3D.view_matrix``), metres; None where nothing is shown."""
        if not self.placed:
            return None
        forward = np.array(view)[2] * -1.0
        row = np.append(points_to_opencv(forward[:3]), forward[3] * metres_per_unit)
        return float(min((placed.box @ row[:3]).min() for placed in self.placed) + row[3])


def in_viewport(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, space: bpy.types.SpaceView3D) -> Shown:
    """What a viewport shows: visible, not hidden, in its local view if it has one. Main thread."""
    seen = set(collections(view_layer.layer_collection, render=False))

    def visible(obj: bpy.types.Object) -> bool:
        if obj.hide_get(view_layer=view_layer) or not _in(obj, seen):
            return False
        return space.local_view is None or obj.local_view_get(space)

    return _shown(scene, view_layer, visible)


def in_render(depsgraph: bpy.types.Depsgraph, disabled: bool = False) -> Shown:
    """What a render of ``depsgraph`` shows.

    Args:
        depsgraph: of the render.
        disabled: also photos that are disabled in renders, as those are which have a scene of their own for their splats.
    """
    view_layer = depsgraph.view_layer
    seen = set(collections(view_layer.layer_collection, render=True))
    return _shown(
        depsgraph.scene,
        view_layer,
        lambda obj: _in(obj, seen),
        depsgraph,
        disabled,
    )


def _shown(
    scene: bpy.types.Scene,
    view_layer: bpy.types.ViewLayer,
    visible: Callable[[bpy.types.Object], bool],
    render: bpy.types.Depsgraph | None = None,
    disabled: bool = False,
) -> Shown:
    """What a viewport shows or, with its ``render``, a render."""
    metres_per_unit = scene.unit_settings.scale_length
    placed, refused = [], []
    # A render may begin before anybody was told of the last change.
    for name in _look(view_layer) if render is not None else _candidates(scene, view_layer):
        obj = view_layer.objects.get(name)
        if obj is None or not visible(_stand_in(obj)) or (_disabled(_stand_in(obj), render) and not disabled):
            continue
        for points, matrix in _instances(obj, render):
            if len(_positions(points)) <= edits.removed(points):
                continue
            _residency.edited(points.data.session_uid, edits.state(points))
            try:
                placed.append(_place(points, matrix, metres_per_unit))
            except ImageTo3DError as error:
                refused.append(str(error))
    return Shown(tuple(placed), tuple(refused))


def _instances(
    obj: bpy.types.Object, render: bpy.types.Depsgraph | None, depth: int = 0
) -> Iterator[tuple[bpy.types.Object, Matrix]]:
    """Points that an object is or, as an instance of a collection, brings, with their matrices."""
    if obj.image_to_3d.role == "POINTS":
        yield obj, _matrix(obj, render)
    if not _instances_collection(obj) or depth == _MAX_NESTED:
        return
    base = _matrix(obj, render) @ Matrix.Translation(-obj.instance_collection.instance_offset)
    for member in _members(obj.instance_collection, render is not None):
        if not _disabled(_stand_in(member), render):
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


def _disabled(obj: bpy.types.Object, render: bpy.types.Depsgraph | None) -> bool:
    return obj.hide_viewport if render is None else obj.evaluated_get(render).hide_render


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
    return any(obj.name in collection.objects for collection in seen)


def _matrix(obj: bpy.types.Object, render: bpy.types.Depsgraph | None) -> Matrix:
    """Object → world; of what is disabled, and so not evaluated, by way of its parent."""
    if _disabled(obj, render) and obj.parent is not None and obj.parent_type == "OBJECT":
        return _matrix(obj.parent, render) @ obj.matrix_parent_inverse @ obj.matrix_basis
    return obj.matrix_world if render is None else obj.evaluated_get(render).matrix_world


def _positions(points: bpy.types.Object) -> Any:
    attribute = points.data.attributes.get("position")
    return () if attribute is None else attribute.data


def _place(points: bpy.types.Object, matrix: Matrix, metres_per_unit: float) -> Placed:
    missing = [name for name in _COLUMNS if name not in points.data.attributes]
    if missing:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            f"{points.name} cannot be drawn: its points have no {missing[0]}.",
            "Press Update to make them again.",
        )
    try:
        object_to_world, box = _where(tuple(map(tuple, matrix)), tuple(map(tuple, points.bound_box)), metres_per_unit)
    except ImageTo3DError:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            f"{points.name} cannot be drawn: it is stretched unevenly, sheared, mirrored or flattened.",
            "Give it the same positive scale along X, Y and Z.",
        ) from None
    return Placed(points.data.session_uid, points.name, object_to_world, box)


@functools.lru_cache(maxsize=64)
def _where(
    matrix: tuple[tuple[float, ...], ...], corners: tuple[tuple[float, ...], ...], metres_per_unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``object_to_world`` and ``box`` of a :class:`Placed`, kept because every redraw asks and photos rarely move.

    Raises:
        ImageTo3DError: the matrix is no similarity.
    """
    blender_points.similarity(np.array(matrix))
    object_to_world = matrix_to_opencv(np.array(matrix), metres_per_unit)
    box = points_to_opencv(np.array(corners)) @ object_to_world[:3, :3].T + object_to_world[:3, 3]
    object_to_world.setflags(write=False)
    box.setflags(write=False)
    return object_to_world, box


@dataclass(frozen=True, eq=False)
class Upload:
    """The points of a data-block on their way to the backend.

    Attributes:
        uid: of the data-block.
        version: of its content.
        make: gives the message, which takes a while; any thread.
    """

    uid: int
    version: int
    make: Callable[[], UploadScene]


@dataclass(frozen=True)
class _Held:
    scene: str
    version: int


class Residency:
    """Which scene of the backend holds which data-block. Any thread, but for :meth:`read`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._versions: dict[int, int] = {}
        self._edits: dict[int, tuple[Any, ...]] = {}
        self._base = 0

    def scene(self, uid: int) -> str | None:
        """Id of the scene, or None if there is none with the content as it is now."""
        with self._lock:
            held = self._held.get(uid)
            return held.scene if held is not None and held.version == self._version(uid) else None

    def latest(self, uid: int) -> str | None:
        """Id of the scene with the content as it is now or, until that has been sent, as it was before."""
        with self._lock:
            held = self._held.get(uid)
            return None if held is None else held.scene

    def read(self, placed: Placed) -> Upload:
        """Take the points out of bpy. Main thread, or a render's.

        Raises:
            ImageTo3DError: they are gone.
        """
        points = bpy.data.objects.get(placed.name)
        if points is None or points.data is None or points.data.session_uid != placed.uid:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, f"{placed.name} is gone.", "Undo, or press Update.")
        state = edits.state(points)
        with self._lock:
            version = self._version(placed.uid)
            self._edits[placed.uid] = state
        columns = [pointcloud.read(points, name) for name in _COLUMNS]
        kept = edits.kept(points)
        if not kept.any():
            raise edits.nothing_left(points.name)
        return Upload(placed.uid, version, lambda: _message(*(column[kept] for column in columns)))

    def arrived(self, upload: Upload, scene: str) -> str | None:
        """The backend holds an upload as ``scene``; returns the scene that it replaces, to be dropped, if there is one."""
        with self._lock:
            before = self._held.get(upload.uid)
            self._held[upload.uid] = _Held(scene, upload.version)
            needed = {held.scene for held in self._held.values()}
        return before.scene if before is not None and before.scene not in needed else None

    def changed(self, uid: int | None = None) -> None:
        """The content of a data-block, or of all, is another from now on."""
        with self._lock:
            if uid is None:
                self._base += 1
            else:
                self._versions[uid] = self._versions.get(uid, 0) + 1

    def edited(self, uid: int, state: tuple[Any, ...]) -> None:
        """The content is another from now on if the edits are, see :func:`edits.state`."""
        with self._lock:
            if self._edits.setdefault(uid, state) != state:
                self._edits[uid] = state
                self._versions[uid] = self._versions.get(uid, 0) + 1

    def lost(self) -> None:
        """The backend holds nothing any more."""
        with self._lock:
            self._held.clear()

    def _version(self, uid: int) -> int:
        return self._base + self._versions.get(uid, 0)


def _message(
    positions: NDArray[np.float32],
    scales: NDArray[np.float32],
    rotations: NDArray[np.float32],
    opacities: NDArray[np.float32],
    colours: NDArray[np.float32],
) -> UploadScene:
    where_they_are = blender_points.similarity(np.eye(4))
    cloud = blender_points.to_cloud(positions, scales, rotations, colours, opacities, where_they_are)
    return UploadScene(**cloud_fields(cloud))


_residency = Residency()
_names: dict[tuple[int, str], list[str]] = {}  # objects that may bring points, by scene and view layer
_surfaces: dict[tuple[int, str], list[str]] = {}


def residency() -> Residency:
    """Of this Blender."""
    return _residency


def _candidates(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> list[str]:
    """Names of the objects that are points or instance a collection: looked for anew only after something changed."""
    key = scene.session_uid, view_layer.name
    if key not in _names:
        _names[key] = _look(view_layer)
    return _names[key]


def _look(view_layer: bpy.types.ViewLayer) -> list[str]:
    return [obj.name for obj in view_layer.objects if obj.image_to_3d.role == "POINTS" or _instances_collection(obj)]


def _forget_names() -> None:
    _names.clear()
    _surfaces.clear()


def surfaces(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> list[str]:
    """Names of the meshes of photos in a view layer, shown or not."""
    key = scene.session_uid, view_layer.name
    if key not in _surfaces:
        _surfaces[key] = [obj.name for obj in view_layer.objects if obj.image_to_3d.role == "SURFACE"]
    return _surfaces[key]


@persistent
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    _forget_names()
    for update in depsgraph.updates:
        if not update.is_updated_geometry:
            continue
        if isinstance(update.id, (bpy.types.PointCloud, bpy.types.Mesh)):
            _residency.changed(update.id.original.session_uid)  # evaluated copies have none
        elif isinstance(update.id, bpy.types.Object) and update.id.original.image_to_3d.role == "POINTS":
            _residency.changed(update.id.original.data.session_uid)  # its crop box was moved


@persistent
def _on_other_state(*_: Any) -> None:
    _forget_names()
    _residency.changed()


HANDLERS = (
    ("depsgraph_update_post", _on_update),
    ("load_post", _on_other_state),
    ("undo_post", _on_other_state),
    ("redo_post", _on_other_state),
)


def on_unregister() -> None:
    """Forget what the backend holds."""
    _forget_names()
    _residency.lost()
