"""What decides what a photo becomes, as plain values that outlive undo and the loading of files."""

from __future__ import annotations

from typing import Any

import bpy

from .properties import Recipe

MAX_GAUSSIANS = {"FULL": None, "HALF": 590_000, "QUARTER": 295_000}
"""Density → most points; SHARP makes 1 179 648."""


def values(group: bpy.types.PropertyGroup) -> dict[str, Any]:
    """The properties of a group as plain values; data-blocks by name, so that they survive undo and file loading."""
    found = {}
    for prop in group.bl_rna.properties:
        if prop.identifier in {"rna_type", "name"}:
            continue
        value = getattr(group, prop.identifier)
        found[prop.identifier] = value.name if isinstance(value, bpy.types.ID) else value
    return found


def set_recipe(recipe: Recipe, stored: dict[str, Any]) -> None:
    """Inverse of :func:`values` for a recipe; an image that is gone becomes none."""
    for key, value in stored.items():
        setattr(recipe, key, bpy.data.images.get(value) if key in {"image", "mask"} and value else value)


def for_another_photo(stored: dict[str, Any]) -> dict[str, Any]:
    """What changes in the stored values of a recipe when another photo is chosen: depth file and mask belong to one photo."""
    engine = "auto" if stored["engine"] == "depth-map" else stored["engine"]
    return {"depth_path": "", "mask": None, "engine": engine}
