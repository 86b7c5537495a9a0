"""Depth maps as images of the .blend file, shown in an Image Editor where there is one."""

from __future__ import annotations

from pathlib import Path

import bpy

from .job import HeatMapArrival

_KEY = "image_to_3d_depth_of"
"""Custom property that tells our depth maps, with the photo's name; with ``near_m`` and ``far_m`` where metres are known."""


def show(arrival: HeatMapArrival) -> bpy.types.Image:
    """The image of a depth map, packed into the file. A second map of the same photo takes the place of the first."""
    height, width = arrival.rgba.shape[:2]
    image = next((i for i in bpy.data.images if i.get(_KEY) == arrival.name), None)
    if image is None:
        image = bpy.data.images.new(f"{Path(arrival.name).stem} Depth", width, height)
        image[_KEY] = arrival.name
    elif tuple(image.size) != (width, height):
        image.scale(width, height)
    image.pixels.foreach_set(arrival.rgba.reshape(-1))
    image.update()
    image.pack()
    for key, metres in (("near_m", arrival.near), ("far_m", arrival.far)):
        if metres is not None:
            image[key] = metres
        elif key in image:
            del image[key]
    _open(image)
    return image


def _open(image: bpy.types.Image) -> None:
    """In the first Image Editor that is no UV Editor and not pinned to something else."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if area.type == "IMAGE_EDITOR" and area.ui_type == "IMAGE_EDITOR" and not space.use_image_pin:
                space.image = image
                return
