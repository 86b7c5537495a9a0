"""The buttons of editing: crop box, selected points, isolated points, and back to everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.app.translations import pgettext_tip as tip_
from bpy.props import BoolProperty, EnumProperty

from image_to_3d.core.cloud import selecting

from ..runtime import session_uids
from ..runtime.objects import of
from ..runtime.workers import Handle, Workers, or_notice
from ..scene import edits, roles
from ..scene import points as pointcloud
from ..scene.active import shown_root


class Edits:
    """Operators on the points of the selected photo."""

    if TYPE_CHECKING:  # what the operator brings
        poll_message_set: Any

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs the points of a photo, in Object Mode."""
        root = shown_root(context)
        if root is None or roles.points_of(root) is None:
            cls.poll_message_set("Select a photo that has points")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave the current mode first")
            return False
        return True


class IMAGE_TO_3D_OT_add_crop_box(Edits, bpy.types.Operator):
    """Put a box around the points: move, turn and scale it, and only what lies in it is shown"""

    bl_idname = "image_to_3d.add_crop_box"
    bl_label = "Add Crop Box"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it and leave it selected, ready to be moved."""
        root = shown_root(context)
        edits.remove_box(root)
        box = edits.add_box(root)
        for obj in context.selected_objects:
            obj.select_set(False)
        box.select_set(True)
        context.view_layer.objects.active = box
        return {"FINISHED"}


class IMAGE_TO_3D_OT_apply_crop(Edits, bpy.types.Operator):
    """Remove what the crop box leaves out, and the box; Restore All brings it back"""

    bl_idname = "image_to_3d.apply_crop"
    bl_label = "Apply Crop"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Mark the points and remove the box."""
        root = shown_root(context)
        if root.image_to_3d.editing.crop_box is None:
            self.report({"WARNING"}, rpt_("There is no crop box"))
            return {"CANCELLED"}
        edits.apply_crop(root)
        context.view_layer.objects.active = root
        root.select_set(True)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_remove_crop_box(Edits, bpy.types.Operator):
    """Show everything again that the crop box leaves out, and remove the box"""

    bl_idname = "image_to_3d.remove_crop_box"
    bl_label = "Remove Crop Box"

    def execute(self, context: bpy.types.Context) -> set[str]:
        root = shown_root(context)
        edits.remove_box(root)
        context.view_layer.objects.active = root
        root.select_set(True)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_select_all_points(Edits, bpy.types.Operator):
    """Select all points, none, or those that are not selected"""

    bl_idname = "image_to_3d.select_all_points"
    bl_label = "Select Points"

    action: EnumProperty(
        name="Action",
        items=[
            ("SELECT", "All", "Select all points that are shown"),
            ("DESELECT", "None", "Select no point"),
            ("INVERT", "Invert", "Select those that are not selected"),
        ],
        default="DESELECT",
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        points = roles.points_of(shown_root(context))
        kept = edits.kept(points)
        chosen = {"SELECT": kept, "DESELECT": np.zeros_like(kept), "INVERT": kept & ~edits.selection(points)}
        edits.select(points, chosen[self.action])
        return {"FINISHED"}


class IMAGE_TO_3D_OT_remove_points(Edits, bpy.types.Operator):
    """Remove the selected points; Restore All brings them back"""

    bl_idname = "image_to_3d.remove_points"
    bl_label = "Remove Selected"

    others: BoolProperty(name="Others", description="Remove what is not selected, and keep the selected", default=False)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        if properties.others:
            return tip_("Remove what is not selected, and keep the selected")
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        root = shown_root(context)
        points = roles.points_of(root)
        kept = edits.kept(points)
        chosen = edits.selection(points) & kept
        if not chosen.any():
            self.report({"WARNING"}, rpt_("No points are selected"))
            return {"CANCELLED"}
        edits.mark(root, edits.BY_HAND, (kept & ~chosen) if self.others else chosen)
        edits.select(points, np.zeros_like(chosen))
        return {"FINISHED"}


class IMAGE_TO_3D_OT_remove_isolated(Edits, bpy.types.Operator):
    """Remove points that float by themselves, also the threads between an object and what is behind it"""

    bl_idname = "image_to_3d.remove_isolated"
    bl_label = "Remove Isolated"
    bl_options = {"REGISTER"}  # the change comes later, with an undo step of its own

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the positions and return; neighbours are counted meanwhile."""
        root = shown_root(context)
        points = roles.points_of(root)
        uid, data, least = root.session_uid, points.data.session_uid, root.image_to_3d.editing.neighbours
        positions, kept = pointcloud.read(points, "position"), edits.kept(points)
        photo = root.image_to_3d.outcome.focal_px > 0

        def work(_: Handle) -> np.ndarray:
            alone = np.zeros(len(kept), bool)
            alone[kept] = selecting.isolated(positions[kept], least, photo)
            return alone

        def done(alone: np.ndarray) -> None:
            found = session_uids.find(bpy.data.objects, uid)
            now = roles.points_of(found) if found is not None else None
            if now is None or now.data.session_uid != data or len(edits.flags(now)) != len(alone):
                return  # made anew or removed meanwhile
            edits.mark(found, edits.ISOLATED, alone)
            bpy.ops.ed.undo_push(message="Remove Isolated")

        of(Workers).run(work, or_notice(self.bl_idname, done))
        return {"FINISHED"}


class IMAGE_TO_3D_OT_restore_all(Edits, bpy.types.Operator):
    """Bring back everything that editing has left out of this photo, and remove the crop box"""

    bl_idname = "image_to_3d.restore_all"
    bl_label = "Restore All"

    def execute(self, context: bpy.types.Context) -> set[str]:
        root = shown_root(context)
        edits.restore(root)
        if context.view_layer.objects.active is None:
            context.view_layer.objects.active = root
        return {"FINISHED"}


@persistent
def _on_deleted(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """A crop box that a person deletes lives on in what refers to it: stop cropping by it."""
    if not (depsgraph.id_type_updated("COLLECTION") or depsgraph.id_type_updated("SCENE")):
        return
    for obj in scene.objects:
        if obj.image_to_3d.role == "ROOT":
            box = obj.image_to_3d.editing.crop_box
            if box is not None and not box.users_scene:
                edits.remove_box(obj)


CLASSES = (
    IMAGE_TO_3D_OT_add_crop_box,
    IMAGE_TO_3D_OT_apply_crop,
    IMAGE_TO_3D_OT_remove_crop_box,
    IMAGE_TO_3D_OT_select_all_points,
    IMAGE_TO_3D_OT_remove_points,
    IMAGE_TO_3D_OT_remove_isolated,
    IMAGE_TO_3D_OT_restore_all,
)

HANDLERS = (("depsgraph_update_post", _on_deleted),)
