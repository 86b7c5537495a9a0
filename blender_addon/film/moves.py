"""Ready-made camera moves."""

from __future__ import annotations

import bpy
import numpy as np
from bpy.app.translations import pgettext_iface as iface_
from bpy.props import EnumProperty, FloatProperty, IntProperty

from image_to_3d.core import ErrorCode, ImageTo3DError, Intrinsics
from image_to_3d.core.cameras.axes import points_to_opencv
from image_to_3d.core.cameras.trajectories import TrajectoryOptions, trajectory

from ..scene import camera, points, roles
from ..scene.active import shown_root
from ..ui.reporting import refuse
from . import keyframes

MOVES = [
    ("ROTATE_FORWARD", "Rotate Forward", "To the right and left while going forward and back, looking at one point"),
    ("SWIPE", "Swipe", "From left to right, looking at one point"),
    ("SHAKE", "Shake", "To the right and left, then up and down, looking at one point"),
    ("ROTATE", "Rotate", "Around in an ellipse, looking at one point"),
    ("DOLLY", "Dolly", "Straight forward and back"),
    ("LOOK_AROUND", "Look Around", "Stays where the photo was taken and turns within it, with a longer lens: no holes"),
]


class IMAGE_TO_3D_OT_add_camera_move(bpy.types.Operator):
    """Add a camera with keyframes that moves around the selected photo, as far as its nearest things allow"""

    bl_idname = "image_to_3d.add_camera_move"
    bl_label = "Add Camera Move"
    bl_options = {"REGISTER", "UNDO"}

    move: EnumProperty(name="Move", items=MOVES, default="ROTATE_FORWARD")
    frames: IntProperty(name="Frames", description="Length of the move", default=60, min=2, soft_max=600)
    strength: FloatProperty(
        name="Strength",
        description="Reach of the move; 1 is the one published with SHARP",
        default=1.0,
        min=0.0,
        soft_max=2.0,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object made from a photo."""
        return context.mode == "OBJECT" and shown_root(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the camera and the scene's camera of it."""
        try:
            made = add(context.scene, shown_root(context), self.move.lower(), self.frames, self.strength, self._label())
        except ImageTo3DError as error:
            return refuse(self, error)
        for obj in context.selected_objects:
            obj.select_set(False)
        made.select_set(True)
        context.view_layer.objects.active = made
        return {"FINISHED"}

    def _label(self) -> str:
        return next(iface_(label) for key, label, _ in MOVES if key == self.move)


def add(
    scene: bpy.types.Scene, root: bpy.types.Object, move: str, frames: int, strength: float, label: str
) -> bpy.types.Object:
    """A camera below ``root`` that makes a move of :data:`~image_to_3d.core.cameras.trajectories.TRAJECTORIES`.

    Args:
        scene: takes the camera, the size of the picture and the length of the move.
        root: of a photo.
        move: name of the trajectory.
        frames: how many.
        strength: factor on the published reach.
        label: what the camera is called after the photo's name.

    Raises:
        ImageTo3DError: ``bad_request``: the photo has no camera or no points, or none in front of its camera.
    """
    positions, intrinsics, _ = photo(root, scene.unit_settings.scale_length)
    options = TrajectoryOptions(frames=frames)
    options = TrajectoryOptions(
        frames=frames, max_disparity=strength * options.max_disparity, max_zoom=strength * options.max_zoom
    )
    fps = scene.render.fps / scene.render.fps_base
    try:
        path = trajectory(move, positions, intrinsics, options, fps)  # type: ignore[arg-type]
    except ValueError as error:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.move_impossible", why=error) from None
    made = keyframes.create(scene, f"{root.name} {label}", path, root, scene.unit_settings.scale_length)
    view = roles.camera_of(root)
    if view is not None:
        made.data.clip_start, made.data.clip_end = view.data.clip_start, view.data.clip_end
    return made


def photo(root: bpy.types.Object, metres_per_unit: float) -> tuple[np.ndarray, Intrinsics, np.ndarray]:
    """Positions (N, 3) in the OpenCV frame of a photo in metres, its intrinsics, and the points' opacities (N,).

    Raises:
        ImageTo3DError: ``bad_request``: it has no camera or no points.
    """
    try:
        found = roles.find(root)
    except LookupError:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "scene.points_deleted", root_name=root.name) from None
    size = tuple(root.image_to_3d.outcome.size)
    if found.camera is None or not all(size):
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "film.no_start_camera", root_name=root.name)
    positions = points_to_opencv(points.read(found.points, "position")) * np.float32(metres_per_unit)
    return positions, camera.photo_intrinsics(found.camera, size), points.read(found.points, "opacity")


CLASSES = (IMAGE_TO_3D_OT_add_camera_move,)
