"""What dimensions store in the .blend file. Operators write it, so values without a name are for scripts."""

from __future__ import annotations

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..properties import Anchor


class Dimension(bpy.types.PropertyGroup):
    """A length that is shown in the scene, on the object of its two vertices.

    Attributes:
        kind: what it is the length of.
        rank: which one of its kind.
        direction: of a laser: ``normal``, ``left``, ``right``, ``up``, ``down``, ``forward`` or ``back``.
        sd_m: standard deviation from its ends alone, metres of the engine.
        at_least: a visible extent, of which more may be hidden.
        hidden, extended: of a laser, see :class:`image_to_3d.core.surfaces.room.LaserHit`.
        anchored: whether ``start`` and ``end`` hold its ends.
        placed: its two vertices below the root as they were set, to see whether somebody has moved them.
        facing: direction below the root that its text looks; zeros: at the photo's camera.
        metres, low_m, high_m: the length and its 95 % interval as they are shown.
        half_m: half the width of the interval.
    """

    kind: EnumProperty(items=[(k, "", "") for k in ("HEIGHT", "DISTANCE", "WIDTH", "WALL_HEIGHT", "LENGTH", "LASER")])
    rank: IntProperty()
    direction: StringProperty()
    sd_m: FloatProperty()
    at_least: BoolProperty()
    hidden: BoolProperty()
    extended: BoolProperty()
    anchored: BoolProperty()
    start: PointerProperty(type=Anchor)
    end: PointerProperty(type=Anchor)
    placed: FloatVectorProperty(size=6)
    facing: FloatVectorProperty(size=3)
    metres: FloatProperty()
    half_m: FloatProperty()
    low_m: FloatProperty()
    high_m: FloatProperty()


CLASSES = (Dimension,)
