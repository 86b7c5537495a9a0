"""Dimensions as objects: two vertices at the ends of a length, and below them the drawn figure and its text.

Snapping, and add-ons that draw dimensions of their own, find the two vertices; renders show the figure and the text, which are
plain geometry. Everything hangs below the root of the photo and follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from image_to_3d.blender.dimension_figure import DimensionFigure, dimension_figure, text_height
from image_to_3d.blender.length_labels import Units, length_label
from image_to_3d.core.cameras.axes import points_to_blender, points_to_opencv
from image_to_3d.core.lengths.anchors import Anchor
from image_to_3d.core.lengths.calibration import Scale
from image_to_3d.core.lengths.measuring import with_scale

from ...scene import node_trees
from ...scene.roles import root_of
from .. import anchors

Float64 = NDArray[np.float64]

MATERIAL = "Image to 3D Dimensions"
_COLOUR = (1.0, 0.22, 0.02, 1.0)
_EYE, _UP = np.zeros(3), np.array([0.0, 0.0, 1.0])  # the photo's camera, below the root
_BOLD = 0.012  # of the text's height, added to the outline of its letters: bright text on a photo needs it
_CLEAR = 0.4  # of the text's height: how far a dimension stands in front of the surface it faces away from

NAMES = {
    "HEIGHT": "Room Height",
    "DISTANCE": "Between Walls",
    "WIDTH": "Wall Width",
    "WALL_HEIGHT": "Wall Height",
    "LENGTH": "Length",
    "LASER": "Laser",
}
"""Kind → name of its objects."""


@dataclass(frozen=True, eq=False)
class Dimension:
    """A length to be shown.

    Attributes:
        kind, rank, direction: which one; a dimension with the same three takes its place.
        ends: (2, 3) camera frame, metres of the engine.
        sd_m: standard deviation from the ends alone, metres of the engine.
        facing: (3,) camera frame, where its text looks; None: at the photo's camera.
        at_least, hidden, extended: see :class:`.dimension_state.Dimension`.
        anchors: its ends, to be found again when the photo is made anew.
    """

    kind: str
    ends: Float64
    sd_m: float
    rank: int = 0
    direction: str = ""
    facing: Float64 | None = None
    at_least: bool = False
    hidden: bool = False
    extended: bool = False
    anchors: tuple[Anchor, ...] = field(default=())


def of(root: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """The dimensions below a root."""
    for obj in root.children_recursive:
        if obj.image_to_3d.role == "DIMENSION" and root_of(obj) == root:
            yield obj


def put(root: bpy.types.Object, scene: bpy.types.Scene, dimension: Dimension, scale: Scale) -> bpy.types.Object:
    """Show a dimension, in place of the one of the same kind, rank and direction if there is one.

    Args:
        root: of the photo.
        scene: its units are those of the text.
        dimension: to be shown.
        scale: scale of the root.
    """
    obj = _find(root, dimension) or _make(root, scene, dimension)
    stored = obj.image_to_3d.dimension
    stored.kind, stored.rank, stored.direction = dimension.kind, dimension.rank, dimension.direction
    stored.sd_m, stored.at_least = dimension.sd_m, dimension.at_least
    stored.hidden, stored.extended = dimension.hidden, dimension.extended
    stored.anchored = len(dimension.anchors) == 2
    for slot, anchor in zip((stored.start, stored.end), dimension.anchors, strict=False):
        anchors.set_anchor(slot, anchor)
    facing = np.zeros(3) if dimension.facing is None else np.asarray(points_to_blender(dimension.facing), np.float64)
    stored.facing = facing
    _draw(obj, root, points_to_blender(dimension.ends) / root.image_to_3d.outcome.metres_per_unit, facing)
    label(obj, root, scene, scale)
    return obj


def label(obj: bpy.types.Object, root: bpy.types.Object, scene: bpy.types.Scene, scale: Scale) -> None:
    """Write the length of a dimension as it is now: after calibration, scaling by hand, another unit."""
    stored = obj.image_to_3d.dimension
    if moved(obj):
        _draw(obj, root, ends(obj), np.array(stored.facing))
    a, b = points_to_opencv(ends(obj)) * root.image_to_3d.outcome.metres_per_unit
    length = with_scale(float(np.linalg.norm(b - a)), stored.sd_m, np.stack([a, b]), scale)
    stored.metres, (stored.low_m, stored.high_m) = length.metres, length.interval
    stored.half_m = (stored.high_m - stored.low_m) / 2
    text = _child(obj, "FONT")
    if text is not None:
        text.data.body = text_of(obj, scene)


def _interval(stored: bpy.types.PropertyGroup) -> tuple[float, float]:
    """Of a length as it is shown; files of before have half its width."""
    if stored.high_m:
        return stored.low_m, stored.high_m
    return stored.metres - stored.half_m, stored.metres + stored.half_m


def text_of(obj: bpy.types.Object, scene: bpy.types.Scene) -> str:
    """ "≈ 2.60 m ± 0.04", with what a laser passed."""
    stored = obj.image_to_3d.dimension
    units = Units(scene.unit_settings.system, scene.unit_settings.length_unit)
    shown = f"{'≥' if stored.at_least else '≈'} {length_label(stored.metres, _interval(stored), units)}"
    states = [word for word in ("hidden", "extended") if getattr(stored, word)]
    return f"{shown} ({', '.join(states)})" if states else shown


def ends(obj: bpy.types.Object) -> Float64:
    """The two vertices (2, 3) of a dimension, below its root, Blender units."""
    matrix = np.array(_below_root(obj), np.float64)
    vertices = np.array([v.co for v in obj.data.vertices[:2]], np.float64)
    return np.asarray(vertices @ matrix[:3, :3].T + matrix[:3, 3], np.float64)


def whole(obj: bpy.types.Object) -> bool:
    """Whether a dimension still has its two vertices, apart from each other."""
    return len(obj.data.vertices) >= 2 and float(np.ptp(ends(obj), axis=0).max()) > 0


def moved(obj: bpy.types.Object) -> bool:
    """Whether somebody has moved the vertices of a dimension since they were set."""
    return not np.allclose(obj.image_to_3d.dimension.placed, _vertices(obj), rtol=1e-5, atol=1e-6)


def remove(obj: bpy.types.Object) -> None:
    """Delete a dimension with its figure, its text and their data; its collection too if that is empty then."""
    collections = list(obj.users_collection)
    for part in (*obj.children, obj):
        if part != obj and part.image_to_3d.role != "LABEL":
            part.parent = None  # somebody else's
            continue
        data = part.data
        bpy.data.objects.remove(part)
        if data is not None and data.users == 0:
            bpy.data.batch_remove([data])
    for collection in collections:
        if collection.name.endswith(_COLLECTION) and not collection.objects and not collection.children:
            bpy.data.collections.remove(collection)


_COLLECTION = " Dimensions"


def material() -> bpy.types.Material:
    """One bright colour in every renderer, whatever the light."""
    made = bpy.data.materials.get(MATERIAL)
    if made is not None:
        return made
    made = node_trees.new_material(MATERIAL)
    made.diffuse_color = _COLOUR
    node_trees.show_shader(made.node_tree, node_trees.emission(made.node_tree, _COLOUR))
    return made


def _find(root: bpy.types.Object, dimension: Dimension) -> bpy.types.Object | None:
    wanted = (dimension.kind, dimension.rank, dimension.direction)
    for obj in of(root):
        stored = obj.image_to_3d.dimension
        if (stored.kind, stored.rank, stored.direction) == wanted:
            return obj
    return None


def _make(root: bpy.types.Object, scene: bpy.types.Scene, dimension: Dimension) -> bpy.types.Object:
    name = " ".join(filter(None, (NAMES[dimension.kind], dimension.direction.capitalize())))
    obj = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    obj.image_to_3d.role = "DIMENSION"
    obj.parent = root
    _collection(root, scene).objects.link(obj)
    return obj


def _collection(root: bpy.types.Object, scene: bpy.types.Scene) -> bpy.types.Collection:
    """One collection for all dimensions of a photo, beside its other objects."""
    for obj in of(root):
        if obj.users_collection:
            return obj.users_collection[0]
    made = bpy.data.collections.new(root.name + _COLLECTION)
    next(iter(root.users_collection), scene.collection).children.link(made)
    return made


def _draw(obj: bpy.types.Object, root: bpy.types.Object, points: Float64, facing: Float64) -> None:
    """Set the vertices of a dimension to points (2, 3) below its root, and its figure and text around them."""
    middle = points.mean(axis=0)
    obj.parent = root
    obj.matrix_parent_inverse = Matrix.Identity(4)
    obj.matrix_basis = Matrix.Translation(middle)
    obj.data.clear_geometry()
    obj.data.from_pydata((points - middle).tolist(), [(0, 1)], [])
    obj.data.update()
    obj.image_to_3d.dimension.placed = _vertices(obj)
    faces = bool(np.any(facing))
    start, end = points
    size = text_height(start, end, _EYE)
    offset = _CLEAR * size * facing if faces else None
    figure = dimension_figure(start, end, _EYE, _UP, offset, size, facing if faces else None)
    _figure(obj, figure, middle)
    _text(obj, figure, middle)


def _figure(obj: bpy.types.Object, figure: DimensionFigure, middle: Float64) -> None:
    part = _child(obj, "MESH")
    if part is None:
        part = _label(obj, bpy.data.meshes.new(f"{obj.name} Figure"))
    part.matrix_basis = Matrix.Identity(4)
    part.data.clear_geometry()
    part.data.from_pydata((figure.vertices - middle).tolist(), [], figure.faces.tolist())
    part.data.update()


def _text(obj: bpy.types.Object, figure: DimensionFigure, middle: Float64) -> None:
    part = _child(obj, "FONT")
    if part is None:
        part = _label(obj, bpy.data.curves.new(f"{obj.name} Text", "FONT"))
        part.data.align_x, part.data.align_y = "CENTER", "BOTTOM_BASELINE"
    part.data.size = figure.text_height
    part.data.offset = _BOLD * figure.text_height
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = figure.text_axes, figure.text_origin - middle
    part.matrix_basis = Matrix(matrix)


def _label(obj: bpy.types.Object, data: bpy.types.ID) -> bpy.types.Object:
    """A part of a dimension's drawing. It cannot be selected, so that a click finds the dimension."""
    part = bpy.data.objects.new(data.name, data)
    part.image_to_3d.role = "LABEL"
    part.parent = obj
    part.hide_select = True
    part.data.materials.append(material())
    for collection in obj.users_collection:
        collection.objects.link(part)
    return part


def _child(obj: bpy.types.Object, kind: str) -> bpy.types.Object | None:
    return next((c for c in obj.children if c.image_to_3d.role == "LABEL" and c.type == kind), None)


def _below_root(obj: bpy.types.Object) -> Matrix:
    return obj.matrix_parent_inverse @ obj.matrix_basis


def _vertices(obj: bpy.types.Object) -> list[float]:
    return [float(x) for v in obj.data.vertices[:2] for x in _below_root(obj) @ v.co]
