"""Image to 3D for Blender: a photo becomes a point cloud in metres with a camera that matches it.

This file only registers. Arithmetic lives in the bundled package ``image_to_3d``, networks in the backend process.
"""

from __future__ import annotations

from . import properties, sidebar, translations
from .backend import connection, long_tasks, preferences
from .backend import panel as backend_panel
from .backend.operators import connection as connection_operators
from .backend.operators import installation as installing_operators
from .editing import gesture
from .editing import operators as editing_operators
from .editing import panel as editing_panel
from .film import moves, paths, safe_zone
from .film import panel as film_panel
from .measuring import analysis, updates
from .measuring import panel as measuring_panel
from .measuring.calibration import operators as calibration_operators
from .measuring.lengths import operators as lengths_operators
from .measuring.lengths import panel as dimensions_panel
from .measuring.levelling import operators as levelling_operators
from .measuring.planes import heat_map
from .measuring.planes import operators as planes_operators
from .measuring.planes import panel as planes_panel
from .measuring.planes import report as planes_report
from .photos import queue as photo_queue
from .photos.operators import depth_map, find_photo, generate, import_photos, queue
from .rendering import engine
from .rendering import panel as rendering_panel
from .rendering.compositing import operators as compositing_operators
from .rendering.compositing import setup
from .runtime import registration
from .scene import display, point_changes, resident_scenes, visible_splats
from .scene import operators as scene_operators
from .splat_files import operators as splat_files_operators
from .ui import reporting
from .viewport import live, solid_points
from .viewport import panel as viewport_panel
from .viewport import properties as viewport_properties

_MODULES = (
    translations,
    reporting,
    connection,
    long_tasks,
    preferences,
    properties,
    display,
    visible_splats,
    point_changes,
    resident_scenes,
    generate,
    depth_map,
    queue,
    find_photo,
    scene_operators,
    connection_operators,
    installing_operators,
    splat_files_operators,
    import_photos,
    sidebar,
    analysis,
    levelling_operators,
    calibration_operators,
    lengths_operators,
    heat_map,
    planes_report,
    planes_operators,
    updates,
    measuring_panel,
    dimensions_panel,
    planes_panel,
    editing_operators,
    gesture,
    editing_panel,
    moves,
    paths,
    safe_zone,
    film_panel,
    backend_panel,
    photo_queue,
    solid_points,
    engine,
    compositing_operators,
    setup,
    rendering_panel,
    live,
    viewport_properties,
    viewport_panel,
)
"""In the order of registration: a panel after the panel that it hangs below."""


def register() -> None:
    """Called by Blender when the extension is enabled."""
    registration.register(_MODULES)


def unregister() -> None:
    """Called by Blender when the extension is disabled; leaves no timer, handler or thread behind."""
    registration.unregister(_MODULES)
