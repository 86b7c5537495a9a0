"""How far a camera may go from where a photo was taken, as a wire object below its root, and a warning beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as iface_
from mathutils import Matrix

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.core.cameras.axes import points_to_blender, points_to_opencv
from image_to_3d.core.cameras.safe_zone import SafeZone, safe_zone

from ..measuring import scale
from ..runtime import session_uids
from ..runtime.notices import Notices
from ..runtime.objects import of
from ..runtime.workers import Workers, or_notice
from ..scene import edits, roles
from ..scene.active import shown_root
from ..ui.reporting import redraw, refuse
from ..viewport import notice
from . import moves

ROLE = "SAFE_ZONE"


class IMAGE_TO_3D_OT_show_safe_zone(bpy.types.Operator):
    """Show how far a camera may go from where the photo was taken before a hundredth of the picture is empty"""

    bl_idname = "image_to_3d.show_safe_zone"
    bl_label = "Show Safe Zone"
    bl_options = {"REGISTER"}  # the object comes later, with an undo step of its own

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object made from a photo."""
        return context.mode == "OBJECT" and shown_root(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Measure it on the background thread; the timer does the rest."""
        of(Notices).begin()
        try:
            show(context.scene, shown_root(context))
        except ImageTo3DError as error:
            return refuse(self, error)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_hide_safe_zone(bpy.types.Operator):
    """Remove the safe zone of the selected photo"""

    bl_idname = "image_to_3d.hide_safe_zone"
    bl_label = "Remove Safe Zone"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        root = shown_root(context)
        return root is not None and zone_object(root) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.data.meshes.remove(zone_object(shown_root(context)).data)
        return {"FINISHED"}


class IMAGE_TO_3D_OT_check_camera_move(bpy.types.Operator):
    """Go through the animation and say in which frames the scene's camera is outside the safe zone"""

    bl_idname = "image_to_3d.check_camera_move"
    bl_label = "Check Camera Move"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a camera and a safe zone."""
        return excess(context.scene, context.evaluated_depsgraph_get()) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Visit every frame and come back."""
        scene = context.scene
        now, subframe = scene.frame_current, scene.frame_subframe
        outside: dict[int, float] = {}
        for number in range(scene.frame_start, scene.frame_end + 1, scene.frame_step):
            scene.frame_set(number)
            beyond = excess(scene, context.evaluated_depsgraph_get())
            if beyond is not None and beyond.metres > 0:
                outside[number] = beyond.metres
        scene.frame_set(now, subframe=subframe)
        if not outside:
            self.report({"INFO"}, iface_("The camera stays inside the safe zone"))
            return {"FINISHED"}
        text = iface_("{n} frames from {first} to {last} are outside the safe zone, by up to {length}")
        length = scale.metres_text(context, max(outside.values()))
        self.report({"WARNING"}, text.format(n=len(outside), first=min(outside), last=max(outside), length=length))
        return {"FINISHED"}


def show(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Measure the safe zone of a photo; its object comes later, in place of one that is there.

    Raises:
        ImageTo3DError: ``bad_request``: the photo has no camera or no points.
    """
    metres_per_unit = scene.unit_settings.scale_length
    positions, intrinsics, opacities = moves.photo(root, metres_per_unit)
    kept = edits.kept(roles.points_of(root))
    uid, state = root.session_uid, _state(root)

    def work() -> SafeZone:
        try:
            return safe_zone(positions[kept], intrinsics, opacities[kept])
        except ValueError as error:
            raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.safe_zone_unmeasurable", why=error) from None

    def done(zone: SafeZone) -> None:
        found = session_uids.find(bpy.data.objects, uid)
        if found is not None:
            _build(found, zone, metres_per_unit, state)
            bpy.ops.ed.undo_push(message="Show Safe Zone")

    of(Workers).run(lambda _: work(), or_notice("safe zone", done))


def _build(root: bpy.types.Object, zone: SafeZone, metres_per_unit: float, state: str) -> None:
    vertices, edges = zone.wire()
    mesh = bpy.data.meshes.new(f"{root.name} Safe Zone")
    mesh.from_pydata((points_to_blender(vertices) / metres_per_unit).tolist(), edges.tolist(), [])
    obj = zone_object(root)
    if obj is not None:
        bpy.data.meshes.remove(obj.data)
    obj = bpy.data.objects.new(mesh.name, mesh)
    obj.image_to_3d.role, obj.image_to_3d.measured = ROLE, state
    next(iter(root.users_collection)).objects.link(obj)
    obj.parent = root
    obj.display_type = "WIRE"
    obj.hide_render = obj.hide_select = True


def zone_object(root: bpy.types.Object) -> bpy.types.Object | None:
    """The wire below a root, if there is one."""
    return next((child for child in root.children if child.image_to_3d.role == ROLE), None)


def outdated(root: bpy.types.Object) -> bool:
    """Whether a photo was made anew or edited after its safe zone was measured."""
    zone = zone_object(root)
    return zone is not None and zone.image_to_3d.measured not in {"", _state(root)}


def _state(root: bpy.types.Object) -> str:
    """What tells one set of shown points from another without reading them, in the file too."""
    points = roles.points_of(root)
    if points is None:
        return ""
    outcome = root.image_to_3d.outcome
    _, *left_out = edits.state(points)  # its version ends with Blender
    return repr((outcome.points, *outcome.extent, edits.removed(root), *left_out))


@dataclass(frozen=True)
class Excess:
    """Where the scene's camera is.

    Attributes:
        root: name of the photo whose safe zone it is measured against.
        metres: how far outside as the scene has it, with the scale of the photo's root; negative inside.
    """

    root: str
    metres: float


def excess(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> Excess | None:
    """How far the scene's camera is outside the safe zone that it is deepest in; None without a camera or a zone.

    Args:
        scene: whose camera.
        depsgraph: where the objects are evaluated; None: as they were last.
    """
    if scene.camera is None:
        return None
    found = []
    for obj in scene.objects:
        if obj.image_to_3d.role != ROLE or obj.parent is None or obj.type != "MESH":
            continue
        world = _world(obj.parent, depsgraph)
        eye = world.inverted_safe() @ _world(scene.camera, depsgraph).translation
        metres_per_unit = scene.unit_settings.scale_length
        try:
            zone = _zone(obj, metres_per_unit)
        except ValueError:  # somebody has edited the wire
            continue
        beyond = zone.excess(points_to_opencv(np.array(eye)) * metres_per_unit)
        found.append(Excess(obj.parent.name, float(beyond) * world.median_scale))
    return min(found, key=lambda one: one.metres, default=None)


def _world(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph | None) -> Matrix:
    return obj.matrix_world if depsgraph is None else obj.evaluated_get(depsgraph).matrix_world


def _zone(obj: bpy.types.Object, metres_per_unit: float) -> SafeZone:
    """The zone that a wire shows: its vertices lie in known directions."""
    vertices = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", vertices)
    return SafeZone.from_wire(points_to_opencv(vertices.reshape(-1, 3)) * metres_per_unit)


def warning(context: bpy.types.Context, metres: float) -> str:
    """What is said of a camera that is outside."""
    text = iface_("The camera is {length} outside the safe zone: holes may be seen.")
    return text.format(length=scale.metres_text(context, metres))


class CamerasOutside:
    """How far outside the cameras of scenes were in the last frame."""

    def __init__(self) -> None:
        self.metres: dict[int, float] = {}
        """By the scene's ``session_uid``; none for a camera inside."""


@persistent
def _on_frame(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph | None = None) -> None:
    """Have the panel say it as soon as the camera leaves or enters; a hundredth of a millisecond where there is no zone."""
    if bpy.app.is_job_running("RENDER"):  # this may be its thread, which must not touch the interface
        return
    outside = of(CamerasOutside).metres
    before = outside.pop(scene.session_uid, None)
    beyond = excess(scene)
    if beyond is not None and beyond.metres > 0:
        outside[scene.session_uid] = beyond.metres
    if before is not None or scene.session_uid in outside:
        redraw()


def sentence(context: bpy.types.Context) -> str:
    """What a viewport says while frames go by; empty if all is well."""
    metres = of(CamerasOutside).metres.get(context.scene.session_uid)
    if metres is None or not (context.screen.is_animation_playing or context.screen.is_scrubbing):
        return ""
    return warning(context, metres)


def _draw() -> None:
    notice.draw(bpy.context, sentence(bpy.context), row=1)  # above the live preview's


HANDLERS = (("frame_change_post", _on_frame),)
DRAW_HANDLERS = (("POST_PIXEL", _draw),)
CLASSES = (IMAGE_TO_3D_OT_show_safe_zone, IMAGE_TO_3D_OT_hide_safe_zone, IMAGE_TO_3D_OT_check_camera_move)
