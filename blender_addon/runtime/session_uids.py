"""Finding a data-block again later: by what Blender calls it for as long as the file is open, not by a name that people change.

Names are no key: a person renames an object between a click and its result, and a linked object may have the name of a local one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import bpy

Block = TypeVar("Block", bound=bpy.types.ID)


def find(blocks: Iterable[Block], uid: int, name: str = "") -> Block | None:
    """The data-block of that ``session_uid``; None once it is gone. Main thread.

    Args:
        blocks: where to look, such as ``bpy.data.objects`` or the objects of a scene.
        uid: 0 is that of nothing.
        name: that it had, where ``blocks`` is a collection of Blender's: as long as it still has it, it is found at once.
    """
    found = blocks.get(name) if name and isinstance(blocks, bpy.types.bpy_prop_collection) else None
    if found is not None and uid and found.session_uid == uid:
        return found
    return next((block for block in blocks if uid and block.session_uid == uid), None)
