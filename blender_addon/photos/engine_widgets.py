"""The chosen engine before the button is pressed: its state, its licence, and whether it knows metres."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_n as n_

from .. import translations
from ..backend import engine_catalogue, recovery, settings
from ..backend.connection import Connection
from ..backend.recovery_widgets import draw_buttons
from ..runtime.objects import of
from ..scene.properties import Recipe
from ..ui.widgets import lines, warn

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
    welcome = of(Connection).welcome
    engine = next((e for e in welcome.engines if e.name == name), None) if welcome else None
    if engine is None:
        row = column.row(align=True)
        row.label(text="Known once connected", icon="QUESTION")
        row.operator("image_to_3d.test_connection", text="", icon="LINKED")
    else:
        ready = engine.state == "ready"
        text = iface_(_STATES.get(engine.state, engine.state))
        if recipe.engine == "auto":
            text = f"{iface_(engine_catalogue.title(name, engine))}: {text}"
        column.label(text=text, icon="CHECKMARK" if ready else "ERROR", translate=False)
        if recovery.can_fetch(engine):
            lines(layout, context, recovery.FETCH_HINT)
            draw_buttons(layout, (recovery.weights(engine.name),))
        elif not ready and engine.note:
            lines(layout, context, translations.sentence(engine.note))
    if engine is not None or recipe.engine != "auto":  # what is not connected decides for itself
        rights = engine_catalogue.rights(name, engine)
        column.label(text=iface_(rights), icon="BLANK1", translate=False)
    if engine_catalogue.needs_depth(name, engine) and not recipe.depth_path:
        warn(layout, context, "This engine needs a depth file.")
    if not engine_catalogue.is_metric(name, engine):
        warn(layout, context, "Not metric: calibrate the result with a known length under Measure.")


def _meant(context: bpy.types.Context, recipe: Recipe) -> str:
    """The engine that the backend will take, as far as that is known."""
    name = recipe.engine if recipe.engine != "auto" else settings.get(context).engine
    if name != "auto":
        return name
    return engine_catalogue.automatic(bool(recipe.depth_path), of(Connection).welcome)
