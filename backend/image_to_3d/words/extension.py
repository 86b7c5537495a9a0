"""The extension itself."""

from __future__ import annotations

from .table import Words

WORDS = {
    "extension.internal": Words(
        "Internal error in the extension: {name}: {why}.", "Blender's console has the details; please report it."
    ),
    "extension.no_memory": Words("There is not enough memory.", "Close other programs."),
}
