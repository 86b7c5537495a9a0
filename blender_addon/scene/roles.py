"""Which object is what: the objects made from a photo hang below its root, and each knows its role."""

from __future__ import annotations

from dataclasses import dataclass

import bpy


@dataclass(frozen=True)
class PhotoObjects:
    """The objects made from a photo.

    Attributes:
        collection: holds them.
        root: empty that carries the transform.
        points: the Gaussians.
        camera: matches the photo; None for a PLY file that names no camera.
        surface: mesh for snapping; None where there is no picture grid or none was asked for.
    """

    collection: bpy.types.Collection
    root: bpy.types.Object
    points: bpy.types.Object
    camera: bpy.types.Object | None
    surface: bpy.types.Object | None = None


def root_of(obj: bpy.types.Object | None) -> bpy.types.Object | None:
    """The root empty that an object hangs below, or None."""
    while obj is not None and obj.image_to_3d.role != "ROOT":
        obj = obj.parent
    return obj


def has_photo(root: bpy.types.Object) -> bool:
    """Whether a root was made from a photo, rather than from a PLY file."""
    recipe = root.image_to_3d.recipe
    return bool(recipe.photo_path if recipe.source == "FILE" else recipe.image)


def by_role(root: bpy.types.Object) -> dict[str, bpy.types.Object]:
    """The first object of each role below a root: a copy that a person made is left alone."""
    found: dict[str, bpy.types.Object] = {}
    for child in root.children_recursive:
        if root_of(child) == root:
            found.setdefault(child.image_to_3d.role, child)
    return found


def adopt(obj: bpy.types.Object, root: bpy.types.Object, role: str) -> bpy.types.Object:
    """Hang a new object below a root, in a role."""
    obj.image_to_3d.role = role
    obj.parent = root
    return obj


def find(root: bpy.types.Object) -> PhotoObjects:
    """The objects of a root.

    Raises:
        LookupError: the points have been deleted.
    """
    found = by_role(root)
    return PhotoObjects(root.users_collection[0], root, found["POINTS"], found.get("CAMERA"), found.get("SURFACE"))


def points_of(root: bpy.types.Object) -> bpy.types.Object | None:
    """The Gaussians of a photo; None where they have been deleted."""
    return by_role(root).get("POINTS")


def camera_of(root: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that matches the photo; None where it has been deleted or there was none."""
    return by_role(root).get("CAMERA")


def surface_of(root: bpy.types.Object) -> bpy.types.Object | None:
    """The surface of the photo; None where it has been deleted or there was none."""
    return by_role(root).get("SURFACE")
