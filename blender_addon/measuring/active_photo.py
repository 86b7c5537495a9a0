"""Which photo the buttons of measuring mean, and how they begin."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from image_to_3d.core import ImageTo3DError

from ..photos.queue import PhotoQueue
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..scene import active
from ..ui.reporting import refuse
from . import analysis, stored_cloud
from .analysis import Analysis


def shown_root(context: bpy.types.Context) -> bpy.types.Object | None:
    """The photo to measure: the one on show; where something else is selected, the only one of the scene."""
    root = active.shown_root(context)
    if root is not None:
        return root
    roots = [obj for obj in context.scene.objects if obj.image_to_3d.role == "ROOT"]
    return roots[0] if len(roots) == 1 else None


class OnPhoto:
    """Mix-in of operators that measure a photo; what they make comes later, with an undo step of its own."""

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a photo that can be measured and is not being made anew."""
        root = shown_root(context)
        if root is None or not stored_cloud.measurable(root):
            return False
        job = of(PhotoQueue).job
        if job is not None and job.root == root.session_uid:
            cls.poll_message_set("This photo is being made anew")
            return False
        return True


def later(
    operator: bpy.types.Operator,
    context: bpy.types.Context,
    work: Callable[[bpy.types.Object, bpy.types.Scene, Analysis], object],
    step: str = "",
) -> set[str]:
    """Do ``work`` on the main thread once the planes of the photo on show are known; says why not where they cannot be.

    Args:
        operator: that reports what prevents it at once; what it returns then.
        context: of the operator.
        work, step: see :func:`.analysis.resumed`. What ``work`` raises is said in the panel.
    """
    of(Notices).begin()
    root = shown_root(context)
    try:
        analysis.request(root, analysis.resumed(context.scene, root, work, step))
    except ImageTo3DError as error:
        return refuse(operator, error)
    return {"FINISHED"}
