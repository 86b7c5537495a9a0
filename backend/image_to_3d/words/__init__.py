"""The words of errors: what happened is a key with values, the sentences stand here, one table a subject.

Every edge makes its own words of them (:func:`render`): the command line names options and commands, Blender and the web page name
what can be pressed there. A translation is looked up for the template, before anything is filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from . import backend, commands, depth, engines, extension, files, film, measuring, photos, rendering, scene, weights
from .table import Words

Edge = Literal["plain", "cli", "blender", "web"]
"""Who reads it. ``plain``: nobody in particular, as in logs."""

TABLE: dict[str, Words] = {
    "plain": Words("{message}", "{hint}"),  # of a peer that knows keys which this version does not
    "cancelled": Words("Cancelled."),
}
for _table in (backend, commands, depth, engines, extension, files, film, measuring, photos, rendering, scene, weights):
    TABLE |= _table.WORDS


def render(
    key: str, values: Mapping[str, Any], edge: Edge = "plain", translate: Callable[[str], str] = lambda text: text
) -> tuple[str, str]:
    """What is wrong, and what to do about it; never raises.

    Args:
        key: of the table; an unknown one speaks for itself.
        values: for the fields of its templates; texts among them that stand in a table of translations are translated too.
        edge: whose vocabulary.
        translate: template or text → the same in another language, as it is where unknown.
    """
    words = TABLE.get(key)
    if words is None:
        return key.rpartition(".")[2].replace("_", " ").capitalize() + ".", ""
    shown = {name: _shown(value, edge, translate) for name, value in values.items()}
    return _filled(translate(words.message), shown), _filled(translate(words.hint_for(edge)), shown)


def _shown(value: Any, edge: Edge, translate: Callable[[str], str]) -> Any:
    """A value as it stands in a sentence; a cause, which is an error or notice itself, by its message."""
    if isinstance(value, Mapping) and isinstance(value.get("key"), str) and isinstance(value.get("values"), Mapping):
        return render(value["key"], value["values"], edge, translate)[0].rstrip(".。")
    return translate(value) if isinstance(value, str) else value


def _filled(template: str, values: Mapping[str, Any]) -> str:
    try:
        return template.format(**values).strip()
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):  # values of another version
        return template
