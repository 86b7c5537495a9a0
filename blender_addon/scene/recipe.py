"""What decides what a photo becomes, as plain values that outlive undo and the loading of files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import bpy

from ..backend import engine_catalogue
from .properties import Recipe

MAX_GAUSSIANS = {"FULL": None, "HALF": 590_000, "QUARTER": 295_000}
"""Density → most points; SHARP makes 1 179 648."""


@dataclass(frozen=True)
class RecipeValues:
    """The values of a :class:`~.properties.Recipe`, which says what they mean. Any thread.

    Attributes:
        image, mask: names of images of the file; empty for none.
    """

    source: Literal["FILE", "IMAGE"]
    photo_path: str
    image: str
    depth_path: str
    resize_depth: bool
    focal: Literal["PHOTO", "MM35", "FOV"]
    mm35: float
    fov: float
    engine: str
    density: Literal["FULL", "HALF", "QUARTER"]
    depth_max: float
    fill: bool
    mask: str
    surface_vertices: int
    match_colours: bool

    def of_file(self, photo: Path) -> RecipeValues:
        """The same for a photo on disk, without the depth file and the mask of the one before."""
        return replace(for_another_photo(self), source="FILE", photo_path=str(photo), image="")

    def of_gaussians(self) -> RecipeValues:
        """The same for what was made from no photo, but read from a file of Gaussians."""
        return replace(self, source="FILE", photo_path="", image="", depth_path="", mask="")


def values(recipe: Recipe) -> RecipeValues:
    """What a recipe says now. Main thread."""
    found = {one.name: getattr(recipe, one.name) for one in fields(RecipeValues)}
    return RecipeValues(**{key: _name(value) for key, value in found.items()})


def _name(value: object) -> Any:
    if value is None:
        return ""
    return value.name if isinstance(value, bpy.types.ID) else value


def set_recipe(recipe: Recipe, stored: RecipeValues) -> None:
    """Inverse of :func:`values`; an image that is gone becomes none. Main thread."""
    for one in fields(RecipeValues):
        value = getattr(stored, one.name)
        setattr(recipe, one.name, image_named(value) if one.name in {"image", "mask"} else value)


def image_named(name: str) -> bpy.types.Image | None:
    """The image of this file that a recipe names; None if it names none or it is gone."""
    return bpy.data.images.get(name) if name else None


def for_another_photo(stored: RecipeValues) -> RecipeValues:
    """The same where another photo is chosen: depth file and mask belong to one photo."""
    engine = "auto" if engine_catalogue.needs_depth(stored.engine) else stored.engine
    return replace(stored, depth_path="", mask="", engine=engine)
