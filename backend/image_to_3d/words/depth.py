"""Depth files."""

from __future__ import annotations

from .table import Words

WORDS = {
    "depth.aspect_differs": Words(
        "The depth map is {width}×{height} but the photo is {photo_width}×{photo_height}: another aspect ratio.",
        "Crop one of them so that both show the same view.",
    ),
    "depth.file_needed": Words(
        "The engine depth-map needs a depth file with the photo.", "Choose one, or use another engine."
    ),
    "depth.missing_in_folder": Words(
        "The folder {depth} holds no depth for {photo_name}.", "Name it {stem} with one of the suffixes {suffixes}."
    ),
    "depth.one_file_many_photos": Words(
        "One depth file cannot belong to {inputs_count} photos.", "Give a folder with a depth file for each photo."
    ),
    "depth.openexr_missing": Words(
        "Writing EXR needs the OpenEXR package.", "Install it with: pip install 'image-to-3d[exr]'."
    ),
    "depth.scene_without_grid": Words(
        "This scene has no picture grid, so it has no depth map.",
        "Use one that was made from one photo and not edited since.",
    ),
    "depth.size_differs": Words(
        "The depth map is {width}×{height} but the photo is {photo_width}×{photo_height}.",
        "Give a depth map of the photo's size, or ask for it to be stretched.",
        cli="Give a depth map of the photo's size, or ask for it to be stretched (--resize-depth).",
    ),
    "depth.turned": Words(
        "The depth map is {width}×{height} but the photo is {photo_width}×{photo_height}.",
        "The photo is turned upright by its EXIF orientation; turn the depth map as well.",
    ),
    "depth.too_large": Words(
        "The depth map {name} has the size {map}, more than {max_pixels} million values.", "Scale it down."
    ),
    "depth.unusable": Words("The depth map {name} cannot be used: {why}.", "{hint}"),
    "depth.partly_unknown": Words("{share:.0%} of the depth map is unknown; there are no points there."),
}
