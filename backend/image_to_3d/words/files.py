"""Files that are written, and files of Gaussians."""

from __future__ import annotations

from .table import Words

WORDS = {
    "files.file_exists": Words("{file} exists already.", "Choose another name.", cli="Use --overwrite to replace it."),
    "files.filters_invalid": Words("The filters cannot be used: {why}."),
    "files.name_taken": Words("{path} exists already.", "Choose another name."),
    "files.not_writable": Words(
        "{path} cannot be written: {why}.", "Check the free space and the permissions of the folder."
    ),
    "files.nothing_left_by_filters": Words(
        "The filters leave no Gaussian of this photo.", "Loosen the depth limit, the opacity threshold or the mask."
    ),
    "files.output_exists": Words(
        "{output} exists already.", "Choose another name.", cli="Use --overwrite to replace it."
    ),
    "files.ply_exists": Words("{ply} exists already.", "Choose another name.", cli="Use --overwrite to replace it."),
    "files.points_too_far": Words(
        "{name} cannot hold points that are {farthest:.0f} km away.", "Export as a PLY, or remove the farthest points."
    ),
    "files.unknown_suffix": Words(
        "{name} is no file of Gaussians by its name.", "Give it one of the suffixes {suffixes}."
    ),
    "files.unreadable": Words("{path_name} cannot be read: {why}.", "{hint}"),
}
