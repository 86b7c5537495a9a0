"""What a backend made of a photo, ready to be put into a scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from image_to_3d.blender import points as blender_points
from image_to_3d.blender import surface as blender_surface
from image_to_3d.core import GaussianCloud, Intrinsics
from image_to_3d.protocol.messages import Result

from .photo_source import PhotoSource
from .recipe import RecipeValues

_LEAST_VERTICES = 4


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """A photo's points and surface in Blender's frame, with all that is written down about them. Touches no bpy.

    Attributes:
        points: Gaussians, Blender units of the scene that they go to.
        surface: mesh for snapping, in the same units; None where there is no picture grid or none was asked for.
        result: as the backend sent it.
        recipe: that it was made with.
        source: the photo; None for a file of Gaussians.
        seconds: from the button to now.
    """

    points: blender_points.BlenderPoints
    surface: blender_surface.BlenderSurface | None
    result: Result
    recipe: RecipeValues
    source: PhotoSource | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Of the photo or the file, without its suffix."""
        return Path(self.result.photo if self.source is None else self.source.name).stem or self.result.photo or "Photo"

    @property
    def intrinsics(self) -> Intrinsics | None:
        """Of the photo; None for a file that names no camera."""
        if self.result.intrinsics is None or self.result.image_size is None:
            return None
        fx, fy, cx, cy = self.result.intrinsics
        width, height = self.result.image_size
        return Intrinsics(fx, fy, cx, cy, width, height)


def from_cloud(
    cloud: GaussianCloud,
    result: Result,
    recipe: RecipeValues,
    metres_per_unit: float,
    source: PhotoSource | None = None,
) -> PhotoResult:
    """The arrays of a cloud in Blender's frame, which takes its time. Any thread.

    Args:
        cloud: of the result, metres, OpenCV frame.
        result: as the backend sent it.
        recipe: that it was made with; says how fine the surface is.
        metres_per_unit: of the scene that it goes to.
        source: the photo; None for a file of Gaussians.
    """
    points = blender_points.from_cloud(cloud, metres_per_unit)
    if not recipe.surface_vertices:
        return PhotoResult(points, None, result, recipe, source)
    vertices = max(_LEAST_VERTICES, recipe.surface_vertices)
    return PhotoResult(points, blender_surface.from_cloud(cloud, metres_per_unit, vertices), result, recipe, source)
