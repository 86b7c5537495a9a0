"""Measuring, levelling, calibrating."""

from __future__ import annotations

from .table import Words

WORDS = {
    "measuring.behind_camera": Words(
        "The known lengths would put the whole picture behind the camera.",
        "Check that they belong to the places they are given for.",
    ),
    "measuring.cannot_level": Words("The scene cannot be levelled: {why}.", "{hint}"),
    "measuring.cloud_without_grid": Words(
        "It has no picture grid, so pixels of a photo mean nothing in it.",
        "Measure what was made from one photo and not edited since.",
    ),
    "measuring.file_without_grid": Words(
        "{path_name} has no picture grid, so pixels of a photo mean nothing in it.",
        "Measure a file that was made from one photo and not edited since.",
    ),
    "measuring.known_length_not_positive": Words("A known length must be more than zero.", "Give it in metres."),
    "measuring.known_length_without_extent": Words(
        "The two ends of a known length are the same point.", "Choose two points far apart."
    ),
    "measuring.laser_meets_nothing": Words(
        "The laser meets nothing from there.", "Click on a surface that has something opposite in the picture."
    ),
    "measuring.length_without_extent": Words(
        "The two ends of the length are the same place.", "Choose two places apart."
    ),
    "measuring.no_depth_at_pixel": Words(
        "No depth is known at the pixel {x:g},{y:g}.",
        "Choose a point on a surface; windows, mirrors and black or shiny things often have no depth.",
    ),
    "measuring.no_known_length": Words("There is no known length to calibrate with.", "Give at least one."),
    "measuring.no_plane_in_region": Words(
        "No plane can be fitted to the marked region.", "Mark a larger piece of one flat surface whose depth is known."
    ),
    "measuring.no_region_marked": Words(
        "No region is marked.", "Select vertices of the surface in Edit Mode, or draw around the region."
    ),
    "measuring.no_surface": Words(
        "{root_name} has no surface to pick points on.",
        "Choose a number of vertices under Surface in its settings and press Update.",
    ),
    "measuring.no_wall_to_align": Words(
        "No wall is in view that could lie along an axis.", "Level without aligning a wall."
    ),
    "measuring.not_a_length": Words("{text!r} is no length in metres.", "Write a number above 0, for example 2.03."),
    "measuring.not_a_pixel": Words(
        "{text!r} is no pixel.", "Write U,V with a comma and no space, for example 320,240."
    ),
    "measuring.not_an_angle": Words("{name} = {value:g} is no angle.", "Give it in degrees."),
    "measuring.nothing_chosen": Words(
        "Nothing is chosen whose length could be known.", "Draw a ruler, select two empties, or click two points."
    ),
    "measuring.option_not_an_angle": Words("--{option} {value:g} is no angle.", "Give it in degrees."),
    "measuring.outline_unreadable": Words("The outline is no list of pixels.", "Write U,V pairs with spaces between."),
    "measuring.photo_without_grid": Words(
        "{root_name} has no picture grid, so it cannot be measured.",
        "Measure a photo, or a PLY file made from one photo. If it is an older file, press Update.",
    ),
    "measuring.pitch_without_roll": Words("Pitch and roll belong together.", "Give both."),
    "measuring.pitch_without_roll_option": Words("--pitch and --roll belong together.", "Give both."),
    "measuring.pixel_outside_photo": Words(
        "The pixel {u:g},{v:g} lies outside the photo of {k_width}×{k_height}.", "Count from the upper left corner."
    ),
    "measuring.point_off_surface": Words(
        "A point does not lie on the surface that the photo shows.",
        "Snap it to the surface: hold Ctrl, or switch snapping on.",
    ),
    "measuring.point_outside_photo": Words(
        "A point lies outside what the photo shows.", "Choose points on the surface."
    ),
    "measuring.region_outside_photo": Words(
        "Too little of the photo lies in what was drawn.", "Draw around a surface of the photo."
    ),
    "measuring.region_too_few_corners": Words(
        "A region needs at least three corners.", "Give them as U,V pixels of the photo."
    ),
    "measuring.room_without_floor": Words(
        "The room cannot be measured: no floor is in view.",
        "Measure single lengths, or level it first by picking three points of the floor.",
    ),
    "measuring.room_without_walls": Words(
        "Neither a ceiling nor a wall is in view, so there is nothing to measure in this room.",
        "Measure single lengths instead.",
    ),
    "measuring.ruler_removed": Words("This ruler has been removed.", "Choose another one."),
    "measuring.scale_sd_not_positive": Words(
        "The scale's standard deviation is a share above 0.", "Give 0.02 for 2 %."
    ),
    "measuring.scale_sd_option_not_positive": Words("--scale-sd is a percentage above 0.", "Give for example 2."),
    "measuring.shift_undetermined": Words(
        "One known length fixes the scale of this picture, but not the shift of its relative depth.",
        "Give a second known length at another distance, or a photo that shows floor and walls.",
    ),
    "measuring.surface_hidden": Words(
        "The surface of {root_name} is hidden.", "Show it in the Outliner, then try again."
    ),
    "measuring.typed_length_not_positive": Words("A known length must be more than zero.", "Type the measured length."),
    "measuring.wall_not_upright": Words(
        "The surface to align is not upright.", "Choose a wall, not a floor or a slope."
    ),
    "measuring.known_lengths_lost": Words(
        "The known lengths could not be used again, so the scale is that of before: {why}.",
    ),
    "measuring.levelling_lost": Words(
        "The photo stands as before, because it could not be levelled again: {why}.",
    ),
}
