"""What stands in Blender's scene."""

from __future__ import annotations

from .table import Words

WORDS = {
    "scene.camera_panoramic": Words(
        "{obj_name} is a panoramic camera, which splats cannot be drawn with.", "Make it perspective or orthographic."
    ),
    "scene.camera_unusable": Words("{camera_name} cannot be used: {why}.", "Check its clip distances."),
    "scene.camera_unusable_2": Words("{seen_name} cannot be used: {why}.", "Check its clip distances."),
    "scene.instance_gone": Words("{instance_name} is gone.", "Undo, or press Update."),
    "scene.no_camera": Words("The scene has no camera.", "Add one and make it the scene's camera."),
    "scene.not_a_camera": Words("{obj_name} is not a camera.", "Make a camera the scene's camera."),
    "scene.nothing_left": Words("Every point of {name} is left out.", "Press Restore All, or move the crop box."),
    "scene.points_deleted": Words("The points of {root_name} have been deleted.", "Press Update to make them again."),
    "scene.points_incomplete": Words(
        "{points_name} cannot be drawn: its points have no {missing}.", "Press Update to make them again."
    ),
    "scene.points_stretched": Words(
        "{points_name} cannot be drawn: it is stretched unevenly, sheared, mirrored or flattened.",
        "Give it the same positive scale along X, Y and Z.",
    ),
    "scene.transform_no_similarity": Words(
        "The object is stretched unevenly, sheared, mirrored or flattened.",
        "Give it the same positive scale along X, Y and Z, or export without its transform.",
    ),
}
