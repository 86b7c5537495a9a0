"""What messages are made of. Part of the schema: see :mod:`.messages`, under which these names are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EngineState:
    """An engine as the panel shows it.

    Attributes:
        state: ``ready``, or why it is not.
        note: one sentence on what to do, empty if ready.
        terms, terms_url: of the weights, in our words, and the text that binds; empty where there are none to fetch.
        needs_consent: the weights are only used by those who accepted the terms.
        download_bytes: size of the weights, roughly.
        title: in menus, of a client that does not know the engine.
        rights: what the licence means for a person, one line.
    """

    name: str
    summary: str
    metric: bool
    licence: str
    needs_depth: bool
    state: Literal["ready", "weights_missing", "licence_not_accepted", "unavailable"]
    note: str = ""
    terms: str = ""
    terms_url: str = ""
    needs_consent: bool = False
    download_bytes: int = 0
    title: str = ""
    rights: str = ""


@dataclass(frozen=True)
class Focal:
    """A focal length and its source, see :class:`~image_to_3d.core.FocalLength`."""

    px: float
    mm35: float
    source: Literal["exif35", "exif", "user", "vanishing-points", "assumed"]


@dataclass(frozen=True)
class Instance:
    """A resident scene in a picture.

    Attributes:
        scene: id given by ``result`` or ``accepted``.
        object_to_world: 16 numbers, row-major; rotation, uniform scale and translation in the OpenCV frame.
    """

    scene: str
    object_to_world: list[float]


@dataclass(frozen=True)
class Camera:
    """A camera in the OpenCV frame.

    Attributes:
        width, height: pixels.
        intrinsics: fx, fy, cx, cy in pixels; fx and fy are ignored where ``orthographic_width_m`` is given.
        world_to_camera: 16 numbers, row-major.
        orthographic_width_m: width of the picture in metres, or None for a perspective camera.
        orthographic_height_m: its height where the pixels of an orthographic camera are not square.
        near, far: Gaussians whose centre is nearer or farther along the camera's z are left out, metres; None: 1 cm, no limit.
    """

    width: int
    height: int
    intrinsics: list[float]
    world_to_camera: list[float]
    orthographic_width_m: float | None = None
    orthographic_height_m: float | None = None
    near: float | None = None
    far: float | None = None
