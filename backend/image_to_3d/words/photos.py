"""Photos."""

from __future__ import annotations

from .table import Words

WORDS = {
    "photos.chosen_file_missing": Words("There is no file {path}.", "Choose the {what} again."),
    "photos.chosen_file_too_large": Words(
        "The {what} {path_name} has {size:.0f} MB; at most {photo_bytes:.0f} MB are accepted.", "Scale it down first."
    ),
    "photos.chosen_file_unreadable": Words(
        "The {what} {path} cannot be opened: {why}.", "Choose a file that you may read."
    ),
    "photos.far_too_many_pixels": Words(
        "{name} has far more than {max_pixels} megapixels.",
        "Scale it down first; 4000 pixels on the long side are plenty.",
    ),
    "photos.field_of_view_out_of_range": Words(
        "A field of view of {fov_deg:g} degrees is outside the accepted range, 1 to 175 degrees.",
        "Give the horizontal angle.",
    ),
    "photos.file_missing": Words("There is no file {path}.", "Check the path for a typing error."),
    "photos.file_moved": Words(
        "The {what} of {root_name} was not found: {abspath}.",
        "Choose it again under Settings of This Photo, then press Update.",
    ),
    "photos.file_not_openable": Words("{path} cannot be opened: {why}.", "Check its permissions."),
    "photos.file_too_large": Words(
        "{path_name} has {size:.0f} MB; at most {max_file_bytes:.0f} MB are accepted.",
        "Save it as JPEG or scale it down.",
    ),
    "photos.focal_length_out_of_range": Words(
        "A focal length of {mm35:g} mm is outside the accepted range, 1 to 2000 mm.", "Give the 35 mm equivalent."
    ),
    "photos.image_without_pixels": Words(
        "The image {image_name} holds no pixels.", "Save it to disk and choose the file."
    ),
    "photos.mask_without_pixels": Words("The mask {image_name} holds no pixels.", "Choose another image, or none."),
    "photos.no_image_chosen": Words("No image is chosen.", "Choose an image first."),
    "photos.no_memory_to_decode": Words("There is not enough memory to decode {name}.", "Scale it down."),
    "photos.none_chosen": Words("No photo is chosen.", "Choose a photo first."),
    "photos.none_found": Words("There are no photos in {argument}.", "Name photos, or a folder that holds some."),
    "photos.too_many_pixels": Words(
        "{name} has {width}×{height} pixels; at most {max_pixels} megapixels are accepted.",
        "Scale it down first; 4000 pixels on the long side are plenty.",
    ),
    "photos.unreadable": Words(
        "{name} cannot be read: {why}.", "Open it in an image viewer and save it again as JPEG or PNG."
    ),
    "photos.focal_assumed": Words(
        "The photo does not tell its focal length; {mm35:g} mm (35 mm equivalent) was assumed.",
        "Widths depend on it: give the focal length of the camera.",
    ),
}
