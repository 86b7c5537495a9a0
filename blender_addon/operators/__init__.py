"""What the buttons and menus do."""

from __future__ import annotations

import bpy

from . import connection, depth_map, elsewhere, find_photo, from_photo, generate, installation, queue, splat_files

_CLASSES = (
    *generate.CLASSES,
    *depth_map.CLASSES,
    *queue.CLASSES,
    *find_photo.CLASSES,
    *from_photo.CLASSES,
    *connection.CLASSES,
    *installation.CLASSES,
    *splat_files.CLASSES,
    *elsewhere.CLASSES,
)


def _draw_import(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("image_to_3d.import_photo", text="Image to 3D (photo)")
    menu.layout.operator("image_to_3d.import_splats", text="Gaussian splats (.ply, .splat, .spz)")


def _draw_export(menu: bpy.types.Menu, context: bpy.types.Context) -> None:
    menu.layout.operator("image_to_3d.export_splats", text="Gaussian splats (.ply, .splat, .spz)")


def register() -> None:
    """Register the operators and put them into the File menu."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.TOPBAR_MT_file_import.append(_draw_import)
    bpy.types.TOPBAR_MT_file_export.append(_draw_export)


def unregister() -> None:
    """Undo :func:`register`."""
    bpy.types.TOPBAR_MT_file_export.remove(_draw_export)
    bpy.types.TOPBAR_MT_file_import.remove(_draw_import)
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
