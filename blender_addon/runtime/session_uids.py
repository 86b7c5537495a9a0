"""Finding a data-block again later: by what Blender calls it for as long as the file is open, not by a name that people change.

Names are no key: a person renames an object between a click and its result, and a linked object may have the name of a local one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import bpy

Block = TypeVar("Block", bound=bpy.types.ID)


def find(blocks: Iterable[Block], uid: int) -> Block | None:
    """The data-block of that ``session_uid``; None once it is gone. Main thread.

    Args:
        blocks: where to look, such as ``bpy.data.objects`` or the objects of a scene.
        uid: 0 is that of nothing.
    """
    return next((block for block in blocks if uid and block.session_uid == uid), None)
