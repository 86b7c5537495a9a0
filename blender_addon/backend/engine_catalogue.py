"""The engines as choices in menus, from the catalogue that extension and backend share.

Which of them are ready is said by the backend when it is connected.
"""

from __future__ import annotations

from bpy.app.translations import pgettext_n as n_

from image_to_3d.catalogue import ENGINES
from image_to_3d.protocol.messages import EngineState

ENGINE_ITEMS = [
    ("auto", n_("Automatic"), n_("The best engine that is ready; the depth file where one is chosen"), 0),
    *((info.name, info.title, info.description, info.number) for info in ENGINES.values() if info.number),
]
"""Identifiers are the names on the wire; numbers are what .blend files hold."""

FETCHABLE = tuple(info.name for info in ENGINES.values() if info.needs_weights)
"""Engines whose weights are fetched after their licence was read."""


def title(name: str) -> str:
    """What a menu calls an engine; its name where the backend has one that is not known here. English."""
    info = ENGINES.get(name)
    return info.title if info is not None else name


def rights(name: str, state: EngineState | None = None) -> str:
    """What the licence of an engine's weights means, one line; of an unknown one what the backend says. English."""
    info = ENGINES.get(name)
    if info is not None:
        return info.rights
    return "" if state is None else state.licence


def is_metric(name: str, state: EngineState | None = None) -> bool:
    """Whether an engine gives metres without calibration; of an unknown one what the backend says."""
    info = ENGINES.get(name)
    if info is not None:
        return info.metric
    return state is None or state.metric


def needs_depth(name: str, state: EngineState | None = None) -> bool:
    """Whether an engine needs a depth file; of an unknown one what the backend says."""
    info = ENGINES.get(name)
    if info is not None:
        return info.needs_depth
    return state is not None and state.needs_depth
