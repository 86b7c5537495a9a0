"""Camera paths and camera moves."""

from __future__ import annotations

from .table import Words

WORDS = {
    "film.file_missing": Words("There is no file {path}.", "Check its name."),
    "film.file_not_openable": Words("{path} cannot be opened: {why}.", "Check its permissions."),
    "film.file_too_large": Words("{path} is too large for a camera path.", "Check that it is the right file."),
    "film.move_impossible": Words("The camera cannot be moved: {why}.", "Make the photo again."),
    "film.no_frames": Words("The scene has no frames.", "Let the last frame not come before the first."),
    "film.no_photo_selected": Words("No photo is selected.", "Select one, or export relative to the world."),
    "film.no_start_camera": Words(
        "{root_name} has no camera that a move could start from.",
        "Make it from a photo, or press Update to get its camera back.",
    ),
    "film.not_json": Words("{path} is no JSON file.", "Export the camera path again."),
    "film.path_invalid": Words(
        "The camera path cannot be used: {what}.", "Export it again, or see docs/rendering.md for its description."
    ),
    "film.pictures_differ": Words(
        "The pictures of this camera path differ in size or in their kind of projection.",
        "Split the path: one Blender camera cannot follow it.",
    ),
    "film.safe_zone_unmeasurable": Words("The safe zone cannot be measured: {why}.", "Make the photo again."),
    "film.unknown_trajectory": Words(
        "There is no trajectory and no file {path}.", "Name one of {names}, or a camera path in JSON."
    ),
}
