"""How a photo is shown: points, splats, textured surface or a box."""

from __future__ import annotations

import bpy

from . import filled, splats

MODES = [
    ("POINTS", "Points", "The point cloud. Snapping and the Ruler find the surface, which renders leave out"),
    (
        "SPLATS",
        "Splats",
        "Each Gaussian as a soft ellipsoid, in renders and in Material Preview and Rendered viewports",
    ),
    ("SURFACE", "Surface", "The mesh with the photo as its texture"),
    ("BOUNDS", "Box", "Only a box in viewports, to move things around quickly. Renders show points"),
]


def apply(root: bpy.types.Object) -> None:
    """Show what is below ``root`` as its settings say."""
    settings = root.image_to_3d
    mode = settings.display
    # A final picture has the splats in a scene of their own, and its shadow catcher in place of the surface.
    replaced = any(child.image_to_3d.role == "CATCHER" for child in root.children)
    for obj in root.children_recursive:
        role = obj.image_to_3d.role
        if role == "POINTS":
            obj.hide_viewport = mode == "SURFACE"
            obj.hide_render = replaced or mode == "SURFACE"
            obj.display_type = "BOUNDS" if mode == "BOUNDS" else "TEXTURED"
            filled.apply(obj, settings.filled)
            splats.modifier(obj, mode == "SPLATS", settings.viewport_share)
        elif role == "SURFACE":
            obj.hide_render = replaced or mode != "SURFACE"
            obj.display_type = "BOUNDS" if mode == "BOUNDS" else "TEXTURED"
            obj.hide_viewport = mode == "SPLATS"  # it would show through them
    if mode == "SPLATS":
        for scene in root.users_scene:
            scene.cycles.transparent_max_bounces = max(scene.cycles.transparent_max_bounces, splats.TRANSPARENT_BOUNCES)
