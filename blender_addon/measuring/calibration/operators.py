"""The buttons of calibration: by a ruler, by what is selected, or by two clicked points."""

from __future__ import annotations

import bpy
from bpy.props import FloatProperty, FloatVectorProperty, IntProperty
from bpy.types import Context, Event
from mathutils import Vector

from image_to_3d.core import ErrorCode, ImageTo3DError

from ...scene.active import shown_or_only_root
from ...ui.reporting import refuse
from .. import stored_cloud
from ..analysis import Analysis
from ..lengths import rulers
from ..on_photo import OnPhoto, later
from ..picking import PicksPoints
from . import logic


def selected_ends(context: Context) -> tuple[Vector, Vector] | None:
    """The two places that the selection names, world: an active mesh of two vertices, or two selected objects."""
    active = context.object
    if active is not None and active.type == "MESH" and len(active.data.vertices) == 2 and active.mode == "OBJECT":
        return tuple(active.matrix_world @ vertex.co for vertex in active.data.vertices)
    chosen = [obj for obj in context.selected_objects if obj.image_to_3d.role == "NONE"]
    if len(chosen) == 2:
        return tuple(obj.matrix_world.translation.copy() for obj in chosen)
    return None


class IMAGE_TO_3D_OT_calibrate(OnPhoto, bpy.types.Operator):
    """Type the true length of a ruler, of a mesh of two vertices or between two selected objects: the photo gets its true size"""

    bl_idname = "image_to_3d.calibrate"
    bl_label = "Calibrate"

    length: FloatProperty(name="True Length", description="What a tape says", unit="LENGTH", min=0.0, precision=4)
    ruler: IntProperty(
        name="Ruler", description="Which ruler of the scene; −1: none", default=-1, options={"SKIP_SAVE"}
    )
    points: FloatVectorProperty(
        name="Points", description="The two ends in the world, in place of a ruler", size=6, options={"SKIP_SAVE"}
    )

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask for the length, starting from the one that is shown."""
        try:
            a, b = self._ends(context)
        except ImageTo3DError as error:
            return refuse(self, error)
        if not self.properties.is_property_set("length"):
            self.length = (b - a).length
        return context.window_manager.invoke_props_dialog(self, width=280)

    def draw(self, context: Context) -> None:
        """Only the length is asked for."""
        self.layout.use_property_split = True
        self.layout.prop(self, "length")

    def execute(self, context: Context) -> set[str]:
        """Add the known length; the timer does the rest."""
        context.view_layer.update()
        try:
            places = stored_cloud.to_camera_frame(
                shown_or_only_root(context), [tuple(end) for end in self._ends(context)]
            )
            if not self.length > 0:
                raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.typed_length_not_positive")
        except ImageTo3DError as error:
            return refuse(self, error)
        metres = self.length * context.scene.unit_settings.scale_length

        def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
            logic.add(root, scene, found, places, metres)

        return later(self, context, work)

    def _ends(self, context: Context) -> tuple[Vector, Vector]:
        if self.properties.is_property_set("points"):
            return Vector(self.points[:3]), Vector(self.points[3:])
        found = rulers.all_of(context.scene)
        if self.ruler >= 0:
            if self.ruler < len(found):
                return found[self.ruler].ends
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.ruler_removed")
        ends = selected_ends(context)
        if ends is None:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.nothing_chosen")
        return ends


class IMAGE_TO_3D_OT_calibrate_points(OnPhoto, PicksPoints, bpy.types.Operator):
    """Click two points whose distance you know, then type it: the photo gets its true size"""

    bl_idname = "image_to_3d.calibrate_points"
    bl_label = "Calibrate by Two Points"

    POINTS = 2

    points: FloatVectorProperty(name="Points", description="The two ends in the world", size=6, options={"SKIP_SAVE"})

    def execute(self, context: Context) -> set[str]:
        """Ask for the length."""
        return bpy.ops.image_to_3d.calibrate("INVOKE_DEFAULT", points=tuple(self.points))


class IMAGE_TO_3D_OT_remove_known_length(OnPhoto, bpy.types.Operator):
    """Forget this known length and calibrate with those that are left"""

    bl_idname = "image_to_3d.remove_known_length"
    bl_label = "Remove Known Length"

    index: IntProperty(name="Index", description="Among the known lengths", min=0)

    def execute(self, context: Context) -> set[str]:
        """Forget it; the timer does the rest."""
        index = self.index
        return later(self, context, lambda root, scene, found: logic.drop(root, scene, found, index))


class IMAGE_TO_3D_OT_uncalibrate(OnPhoto, bpy.types.Operator):
    """Forget all known lengths: the photo has the size again that its engine gave it"""

    bl_idname = "image_to_3d.uncalibrate"
    bl_label = "Remove Calibration"

    def execute(self, context: Context) -> set[str]:
        """Forget them; the timer does the rest."""
        return later(self, context, lambda root, scene, found: logic.calibrate(root, scene, found, ()))


CLASSES = (
    IMAGE_TO_3D_OT_calibrate,
    IMAGE_TO_3D_OT_calibrate_points,
    IMAGE_TO_3D_OT_remove_known_length,
    IMAGE_TO_3D_OT_uncalibrate,
)
