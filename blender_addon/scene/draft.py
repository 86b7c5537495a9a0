"""Data-blocks of a result, made in steps before any object uses them: what takes time of putting a photo into a scene."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import bpy

from . import camera, datablocks
from . import points as pointcloud
from . import surface as surfaces
from .photo_result import PhotoResult


@dataclass
class Draft:
    """Data-blocks of a result that no object uses yet.

    Attributes:
        cloud: the points; None where this Blender makes them out of an object.
        mesh: the surface; None without one.
        image: the photo, for the surface; None where Blender cannot read it.
    """

    cloud: bpy.types.PointCloud | None = None
    mesh: bpy.types.Mesh | None = None
    image: bpy.types.Image | None = None


def in_steps(photo: PhotoResult) -> Generator[None, None, Draft]:
    """Make what takes time, a layer at a time; what has been made goes again if the steps are given up.

    Raises ``ReferenceError`` if somebody takes a data-block away meanwhile, as undo does.
    """
    draft = Draft()
    try:
        draft.cloud = yield from pointcloud.data_in_steps("Points", photo.points)
        if photo.surface is not None:
            upright = None
            if photo.source is not None:
                draft.image = camera.blender_image(photo.source)
                upright = None if draft.image is None else camera.orientation(photo.source)
            draft.mesh = yield from surfaces.mesh_in_steps("Surface", photo.surface, upright)
        for data in (draft.cloud, draft.mesh):
            if data is not None:
                data.name = data.name  # is it still there?
    except (GeneratorExit, ReferenceError):
        datablocks.discard(draft.cloud)
        datablocks.discard(draft.mesh)
        raise
    return draft
