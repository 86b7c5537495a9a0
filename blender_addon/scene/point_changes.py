"""When the points of a photo have become others: whoever keeps a copy of them listens here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
from bpy.app.handlers import persistent

Listener = Callable[[int | None], None]
"""Told the ``session_uid`` of a data-block whose points are others from now on; None: all may be."""


LISTENERS: list[Listener] = []
"""Told what Blender tells; modules put their own here while they are registered. Of changes of hidden points Blender tells nobody,
see :func:`.edits.state`."""


def _tell(uid: int | None = None) -> None:
    for listener in LISTENERS:
        listener(uid)


@persistent
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    for update in depsgraph.updates:
        if not update.is_updated_geometry:
            continue
        if isinstance(update.id, (bpy.types.PointCloud, bpy.types.Mesh)):
            _tell(update.id.original.session_uid)  # evaluated copies have none
        elif isinstance(update.id, bpy.types.Object) and update.id.original.image_to_3d.role == "POINTS":
            _tell(update.id.original.data.session_uid)  # its crop box was moved


@persistent
def _on_other_state(*_: Any) -> None:
    _tell()


HANDLERS = (
    ("depsgraph_update_post", _on_update),
    ("load_post", _on_other_state),
    ("undo_post", _on_other_state),
    ("redo_post", _on_other_state),
)
