"""What a root stores in the .blend file: the recipe of a photo, and what came of it."""

from __future__ import annotations

import math

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from ..backend.engine_catalogue import ENGINE_ITEMS


class Recipe(bpy.types.PropertyGroup):
    """Everything that decides what a photo becomes."""

    source: EnumProperty(
        name="Photo From",
        items=[
            ("FILE", "File", "A photo on disk"),
            ("IMAGE", "Blender Image", "An image of this file, also an unsaved one"),
        ],
        default="FILE",
    )
    photo_path: StringProperty(name="Photo", description="Photo on disk", subtype="FILE_PATH")
    image: PointerProperty(name="Image", description="Image of this file", type=bpy.types.Image)
    depth_path: StringProperty(
        name="Depth File",
        description="Depth of the same view: 16-bit PNG in millimetres, or EXR, NPZ or NPY in metres. May be empty",
        subtype="FILE_PATH",
    )
    resize_depth: BoolProperty(
        name="Stretch to Photo",
        description="Accept a depth file of another size but the same aspect, as LiDAR phones write it",
        default=False,
    )
    focal: EnumProperty(
        name="Focal Length",
        items=[
            ("PHOTO", "From Photo", "What the camera wrote into the photo, else an assumption"),
            ("MM35", "35 mm Equivalent", "Type the 35 mm equivalent focal length"),
            ("FOV", "Field of View", "Type the horizontal field of view"),
        ],
        default="PHOTO",
    )
    mm35: FloatProperty(
        name="35 mm Equivalent", description="Millimetres", default=26.0, min=1.0, max=2000.0, soft_max=200.0
    )
    fov: FloatProperty(
        name="Field of View",
        description="Horizontal angle of the photo",
        subtype="ANGLE",
        default=math.radians(65),
        min=math.radians(1),
        max=math.radians(175),
    )
    engine: EnumProperty(name="Engine", items=ENGINE_ITEMS, default="auto")
    density: EnumProperty(
        name="Density",
        description="How many points at most. Neighbours are merged, surfaces stay closed",
        items=[
            ("FULL", "Full", "As many points as the engine makes"),
            ("HALF", "Half", "At most 590,000 points, half of what SHARP makes"),
            ("QUARTER", "Quarter", "At most 295,000 points, a quarter of what SHARP makes"),
        ],
        default="FULL",
    )
    depth_max: FloatProperty(
        name="Depth Limit",
        description="Leave out what is farther away from the camera, metres. 0: no limit",
        default=0.0,
        min=0.0,
        soft_max=100.0,
    )
    fill: BoolProperty(
        name="Fill Behind Edges",
        description="Continue the background behind whatever stands in front of it, so that small camera moves show no gaps. "
        "These points are invented; measuring leaves them out",
        default=True,
    )
    mask: PointerProperty(
        name="Mask",
        description="Leave out what is brighter than half in this image, which is stretched over the photo",
        type=bpy.types.Image,
    )
    surface_vertices: IntProperty(
        name="Surface",
        description="At most so many vertices for the surface mesh, which snapping and the Ruler find. 0: no surface",
        default=200_000,
        min=0,
        soft_max=2_000_000,
        step=10_000,
    )
    match_colours: BoolProperty(
        name="Colours of the Photo",
        description="Set the scene's view transform to Standard, so that renders show the photo's colours unchanged",
        default=True,
    )


class Outcome(bpy.types.PropertyGroup):
    """What a photo became; shown in the panel, or, without a name, for scripts.

    Attributes:
        grid: layers, rows, columns of the picture grid; zeros without one.
        intrinsics: fx, fy, cx, cy in pixels of the photo.
        metres_per_unit: of the scene when it was made.
        invented: how many of the points no photo shows.
        invented_layers: the first such layer of the grid and the one after the last; zeros without.
        inverse_depth: a and b of 1/z = a d + b where relative inverse depth d became metres; zeros elsewhere.
        assumption: what a and b rest on.
        depth_error: how wrong the depth may be, as JSON of
            :meth:`~image_to_3d.core.lengths.error_field.ErrorField.to_plain`; empty where nobody knows.
        camera_lines: what the straight lines of the photo tell, as JSON of
            :func:`~image_to_3d.core.surfaces.plumb_lines.told_by_lines`; empty where they tell nothing.
        heading_deg: compass direction of the view, clockwise from north, as the photo tells it; negative if it does not.
    """

    points: IntProperty(name="Points")
    extent: FloatVectorProperty(name="Extent", description="Size of the box around 98 % of the points, metres", size=3)
    size: IntVectorProperty(name="Photo Size", size=2)
    focal_px: FloatProperty(name="Focal Length in Pixels")
    mm35: FloatProperty(name="35 mm Equivalent")
    focal_source: StringProperty(name="Source of the Focal Length")
    engine: StringProperty(name="Engine")
    device: StringProperty(name="Device")
    metric: BoolProperty(name="Metric")
    seconds: FloatProperty(name="Seconds")
    warnings: StringProperty(name="Warnings", description="One per line")
    backend_scene: StringProperty(name="Scene on the Backend")
    grid: IntVectorProperty(size=3)
    invented: IntProperty()
    invented_layers: IntVectorProperty(size=2)
    intrinsics: FloatVectorProperty(size=4)
    metres_per_unit: FloatProperty(default=1.0)
    inverse_depth: FloatVectorProperty(size=2)
    assumption: StringProperty()
    depth_error: StringProperty()
    camera_lines: StringProperty()
    heading_deg: FloatProperty(default=-1.0)


CLASSES = (Recipe, Outcome)
