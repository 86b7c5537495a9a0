"""What the preferences say; the preferences themselves are in :mod:`.preferences`, which is drawn with everything below it."""

from __future__ import annotations

from functools import cache
from typing import Protocol, cast

import bpy

from image_to_3d.core import ImageTo3DError
from image_to_3d.protocol.keys import load_or_create

ADDON = __package__.rpartition(".")[0]
"""Name of the extension, as Blender knows it."""


class Preferences(Protocol):
    """The values of :class:`.preferences.ImageTo3DPreferences`, which says what they mean."""

    location: str
    command: str
    python: str
    idle_minutes: int
    address: str
    server_key: str
    engine: str


def get(context: bpy.types.Context | None = None) -> Preferences:
    """The preferences of this extension."""
    return cast("Preferences", (context or bpy.context).preferences.addons[ADDON].preferences)


@cache
def own_public_key() -> str:
    """Public key of this account, or the sentence that says why there is none."""
    try:
        return load_or_create("client").public
    except (ImageTo3DError, OSError) as error:
        return str(error)
