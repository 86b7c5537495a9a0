"""The chosen engine before the button is pressed: its state, its licence, and whether it knows metres."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from .. import preferences, translations
from ..backend import recovery
from ..backend.engine_catalogue import ENGINE_ITEMS, NOT_METRIC
from ..scene.properties import Recipe
from ..ui.widgets import lines, warn
from . import session

_LICENCES = {
    "sharp": n_("Weights for research only, no commercial use"),
    "midas-small": n_("Free to use (MIT)"),
    "dpt-large": n_("Free to use (MIT)"),
    "lite": n_("Free to use, comes with the backend"),
    "depth-map": n_("Needs no weights"),
}
_STATES = {
    "ready": n_("Ready"),
    "weights_missing": n_("Its weights are missing"),
    "licence_not_accepted": n_("Its licence has not been accepted"),
    "unavailable": n_("Cannot run there"),
}


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, recipe: Recipe) -> None:
    """The choice, and what is known of it."""
    column = layout.column(align=True)
    column.prop(recipe, "engine")
    name = _meant(context, recipe)
    welcome = session.current().welcome
    engine = next((e for e in welcome.engines if e.name == name), None) if welcome else None
    if engine is None:
        row = column.row(align=True)
        row.label(text="Known once connected", icon="QUESTION")
        row.operator("image_to_3d.test_connection", text="", icon="LINKED")
    else:
        ready = engine.state == "ready"
        text = iface_(_STATES[engine.state])
        if recipe.engine == "auto":
            title = next(item[1] for item in ENGINE_ITEMS if item[0] == name)
            text = f"{iface_(title)}: {text}"
        column.label(text=text, icon="CHECKMARK" if ready else "ERROR", translate=False)
        if recovery.can_fetch(engine):
            lines(layout, context, recovery.FETCH_HINT)
            recovery.draw(layout, (recovery.weights(engine.name),))
        elif not ready and engine.note:
            lines(layout, context, translations.sentence(engine.note))
    if engine is not None or recipe.engine != "auto":  # what is not connected decides for itself
        column.label(text=iface_(_LICENCES[name]), icon="BLANK1", translate=False)
    if name == "depth-map" and not recipe.depth_path:
        warn(layout, context, "This engine needs a depth file.")
    if name in NOT_METRIC:
        warn(layout, context, "Not metric: calibrate the result with a known length under Measure.")


def _meant(context: bpy.types.Context, recipe: Recipe) -> str:
    """The engine that the backend will take, as far as that is known: its rule for *Automatic* is in ``engines.registry``."""
    name = recipe.engine if recipe.engine != "auto" else preferences.get(context).engine
    if name != "auto":
        return name
    if recipe.depth_path:
        return "depth-map"
    welcome = session.current().welcome
    ready = {engine.name for engine in welcome.engines if engine.state == "ready"} if welcome else set()
    return "sharp" if "sharp" in ready or not welcome else "lite"
