"""Image to 3D for Blender: a photo becomes a point cloud in metres with a camera that matches it.

This file only registers. Arithmetic lives in the bundled package ``image_to_3d``, networks in the backend process.
"""

from __future__ import annotations

from . import (
    backend_panel,
    editing,
    film,
    final_picture,
    installation,
    measuring,
    operators,
    panels,
    photo_facts,
    preferences,
    properties,
    render_engine,
    session,
    solid_view,
    splat_scenes,
    tasks,
    translations,
    viewport,
)
from .scene import display

_MODULES = (
    translations,
    preferences,
    properties,
    display,
    photo_facts,
    operators,
    panels,
    measuring,
    editing,
    film,
    backend_panel,
    session,
    installation,
    tasks,
    solid_view,
    splat_scenes,
    render_engine,
    final_picture,
    viewport,
)


def register() -> None:
    """Called by Blender when the extension is enabled."""
    for module in _MODULES:
        module.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled; leaves no timer, handler or thread behind."""
    for module in reversed(_MODULES):
        module.unregister()
