"""The engines as choices in menus, from the catalogue that extension and backend share.

Which of them are ready is said by the backend when it is connected.
"""

from __future__ import annotations

from bpy.app.translations import pgettext_n as n_

from image_to_3d.catalogue import ENGINES, automatic_order
from image_to_3d.protocol.messages import EngineState, Welcome

ENGINE_ITEMS = [
    ("auto", n_("Automatic"), n_("The best engine that is ready; the depth file where one is chosen"), 0),
    *((info.name, info.title, info.description, info.number) for info in ENGINES.values() if info.number),
]
"""Identifiers are the names on the wire; numbers are what .blend files hold."""

FETCHABLE = tuple(info.name for info in ENGINES.values() if info.needs_weights)
"""Engines whose weights are fetched after their licence was read."""


def title(name: str, state: EngineState | None = None) -> str:
    """What a menu calls an engine; of an unknown one what the backend says. English."""
    info = ENGINES.get(name)
    if info is not None:
        return info.title
    return name if state is None else state.title or name


def rights(name: str, state: EngineState | None = None) -> str:
    """What the licence of an engine's weights means, one line; of an unknown one what the backend says. English."""
    info = ENGINES.get(name)
    if info is not None:
        return info.rights
    return "" if state is None else state.rights or state.licence


def automatic(has_depth: bool, welcome: Welcome | None) -> str:
    """What *Automatic* stands for: the backend says it, else the best engine that there is.

    Args:
        has_depth: whether a depth file is chosen.
        welcome: of the backend, if it is connected.
    """
    said = "" if welcome is None else welcome.auto_engine_with_depth if has_depth else welcome.auto_engine
    return said or automatic_order(has_depth)[0].name


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
