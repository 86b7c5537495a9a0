"""How a process that runs Blender as the module ``bpy`` ends."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End this process at once with an exit status, without Blender's own clean-up.

    At times that waits for ever: the exit handlers of 4.5 destroy a condition variable that a thread of Blender still waits on
    (seen in ``GlobalState::~GlobalState``, with ``delayed_close_thread_run`` waiting).
    """
    import bpy

    sys.stdout.flush()
    sys.stderr.flush()
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    os._exit(status)
