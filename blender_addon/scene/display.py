"""How a photo is shown: points, splats, textured surface or a box.

Splats are drawn by Blender itself where it can (:mod:`.splats.native`), else as ellipsoids (:mod:`.splats.ellipsoids`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import bpy
import gpu
from bpy.app.handlers import persistent

from . import fill_display
from .splats import ellipsoids, native

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

SOFTWARE_POINTS = 50_000
"""Points of a photo that viewports show at first where no graphics card draws them: with more, the window no longer answers."""


def drawn_by_software() -> bool:
    """Whether Blender's window has no graphics card to draw it."""
    return not bpy.app.background and gpu.platform.device_type_get() == "SOFTWARE"


def first_share(points: int) -> float:
    """Share of the points of a new photo that viewports show."""
    return min(1.0, SOFTWARE_POINTS / max(points, 1)) if drawn_by_software() else 1.0


def apply(root: bpy.types.Object, fresh: Collection[bpy.types.Object] = ()) -> None:
    """Show what is below ``root`` as its settings say.

    What a person hid or showed stays until the display changes.

    Args:
        root: of a photo.
        fresh: objects below it that have just been made.
    """
    settings = root.image_to_3d
    mode = settings.display
    # A final picture has the splats in a scene of their own, and its shadow catcher in place of the surface.
    replaced = any(child.image_to_3d.role == "CATCHER" for child in root.children)
    shown = f"{mode} {'REPLACED' if replaced else 'WHOLE'}"
    for obj in root.children_recursive:
        if shown != settings.shown or obj in fresh:
            _set_visibility(obj, mode, replaced)
        if obj.image_to_3d.role == "POINTS":
            fill_display.apply(obj, settings.filled)
            native.show(obj, mode == "SPLATS")
            ellipsoids.modifier(obj, mode == "SPLATS" and not native.shown(obj), settings.viewport_share)
    settings.shown = shown
    if mode == "SPLATS":
        for scene in root.users_scene:
            scene.cycles.transparent_max_bounces = max(
                scene.cycles.transparent_max_bounces, ellipsoids.TRANSPARENT_BOUNCES
            )


def _set_visibility(obj: bpy.types.Object, mode: str, replaced: bool) -> None:
    role = obj.image_to_3d.role
    if role == "POINTS":
        obj.hide_viewport = mode == "SURFACE"
        obj.hide_render = replaced or mode == "SURFACE"
        obj.display_type = "BOUNDS" if mode == "BOUNDS" else "TEXTURED"
    elif role == "SURFACE":
        obj.hide_render = replaced or mode != "SURFACE"
        obj.display_type = "BOUNDS" if mode == "BOUNDS" else "TEXTURED"
        obj.hide_viewport = mode == "SPLATS"  # it would show through them


@persistent
def _after_load(*_: Any) -> None:
    """Show splats as this Blender does: the file may be of one that has another way."""
    for root in bpy.data.objects:
        if root.library is None and root.image_to_3d.role == "ROOT" and root.image_to_3d.display == "SPLATS":
            apply(root)


HANDLERS = [("load_post", _after_load)]
if hasattr(bpy.app.handlers, "blend_import_post"):  # Blender ≥ 4.3
    HANDLERS.append(("blend_import_post", _after_load))
