"""Commands: the camera of photos, the page in the browser."""

from __future__ import annotations

from .table import Words

WORDS = {
    "commands.gradio_missing": Words(
        "The page in the browser needs Gradio, which is not installed.", "Install it: pip install 'image-to-3d[web]'"
    ),
    "commands.overlay_of_several": Words("--overlay is for one photo.", "Name one photo only."),
    "commands.overlay_suffix": Words("{file} is no PNG file.", "Let its name end in .png."),
    "commands.page_address_unusable": Words(
        "The page cannot be served at {host}:{port}: {why}.", "Choose another --port."
    ),
}
