"""What a process that runs Blender as the module ``bpy`` needs: a graphics context, and an end."""

from __future__ import annotations

import os
import shutil
import sys
from typing import NoReturn


def wake_gpu() -> None:
    """A graphics context without a window: asked for from 5.2 on, before it comes with the first render that wants one."""
    import bpy
    import gpu

    if hasattr(gpu, "init"):
        gpu.init()
        return

    class Wake(bpy.types.RenderEngine):
        bl_idname = "IMAGE_TO_3D_WAKE"
        bl_label = "Wake"
        bl_use_gpu_context = True

        def render(self, depsgraph) -> None:
            pass

    bpy.utils.register_class(Wake)
    render = bpy.context.scene.render
    kept = render.engine, render.resolution_x, render.resolution_y
    render.engine, render.resolution_x, render.resolution_y = Wake.bl_idname, 8, 8
    bpy.ops.render.render()
    render.engine, render.resolution_x, render.resolution_y = kept
    bpy.utils.unregister_class(Wake)


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
