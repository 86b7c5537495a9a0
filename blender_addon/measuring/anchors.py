"""Anchors of the core in the file and back."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from image_to_3d.core.lengths.anchors import Anchor

from . import properties as state


def set_anchor(stored: state.Anchor, anchor: Anchor) -> None:
    """Store one."""
    stored.uv, stored.relative_depth, stored.lift = anchor.uv, anchor.relative_depth, anchor.lift


def get_anchor(stored: state.Anchor) -> Anchor:
    """Inverse of :func:`set_anchor`."""
    return Anchor(tuple(stored.uv), stored.relative_depth, stored.lift)


def write(collection: bpy.types.bpy_prop_collection, anchors: Sequence[Anchor]) -> None:
    """Store several in place of those that were there."""
    collection.clear()
    for anchor in anchors:
        set_anchor(collection.add(), anchor)
