"""How the buttons of measuring begin: with a photo that can be measured, and its planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bpy

from image_to_3d.core import ImageTo3DError

from ..photos.queue import PhotoQueue
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..scene.active import shown_or_only_root
from ..ui.reporting import refuse
from . import analysis, stored_cloud
from .analysis import Analysis


class OnPhoto:
    """Mix-in of operators that measure a photo; what they make comes later, with an undo step of its own."""

    if TYPE_CHECKING:  # what the operator brings
        poll_message_set: Any

    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a photo that can be measured and is not being made anew."""
        root = shown_or_only_root(context)
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
    root = shown_or_only_root(context)
    try:
        analysis.request(root, analysis.resumed(context.scene, root, work, step))
    except ImageTo3DError as error:
        return refuse(operator, error)
    return {"FINISHED"}
