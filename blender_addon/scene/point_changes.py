"""When the points of a photo have become others: whoever keeps a copy of them listens here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent

Listener = Callable[[int | None], None]
"""Told the ``session_uid`` of a data-block whose points are others from now on; None: all may be."""


class PointChanges:
    """Tells its listeners what Blender tells. Of changes of hidden points Blender tells nobody, see :func:`.edits.state`."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell this one too from now on."""
        self._listeners.append(listener)

    def leave(self, listener: Listener) -> None:
        """Tell it no longer."""
        self._listeners.remove(listener)

    def tell(self, uid: int | None = None) -> None:
        """Tell everybody of a data-block, or of all."""
        for listener in self._listeners:
            listener(uid)


_changes = PointChanges()


def current() -> PointChanges:
    """Of this Blender."""
    return _changes


@persistent
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    for update in depsgraph.updates:
        if not update.is_updated_geometry:
            continue
        if isinstance(update.id, (bpy.types.PointCloud, bpy.types.Mesh)):
            _changes.tell(update.id.original.session_uid)  # evaluated copies have none
        elif isinstance(update.id, bpy.types.Object) and update.id.original.image_to_3d.role == "POINTS":
            _changes.tell(update.id.original.data.session_uid)  # its crop box was moved


@persistent
def _on_other_state(*_: Any) -> None:
    _changes.tell()


HANDLERS = (
    ("depsgraph_update_post", _on_update),
    ("load_post", _on_other_state),
    ("undo_post", _on_other_state),
    ("redo_post", _on_other_state),
)
