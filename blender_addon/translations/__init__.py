"""The add-on's words in other languages than English.

Blender translates by itself what stands as a plain literal in labels, descriptions, property names and ``text=``. Composed texts
are templates, ``iface_("{n} photos").format(n=n)``, with ``from bpy.app.translations import pgettext_iface as iface_``. A literal
that is kept in a table first is marked there with ``n_`` (``pgettext_n``). Errors and warnings are keys with values, partly from
the other side of the wire: :func:`words_of` and :func:`sentence` translate their templates and fill them where they are shown.

One folder per language, one table ``WORDS`` per concern in it; ``tests/test_translations.py`` says what is missing or left over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import bpy

from image_to_3d.core import ImageTo3DError
from image_to_3d.core.errors import Notice, notice_fields, notice_from
from image_to_3d.words import render

from . import zh_hans

_LANGUAGES = {"zh_HANS": zh_hans, "zh_CN": zh_hans}
"""Blender's names of a language (the second until 3.6, kept by preferences that were brought along) → its tables."""

_CONTEXTS = ("*", "Operator")
"""Labels of operators, and texts of their buttons, are looked up in a context of their own."""


def words_of(failure: Exception) -> tuple[str, str]:
    """What is wrong and what to do about it, in Blender's vocabulary and the language of the interface."""
    if isinstance(failure, ImageTo3DError):
        return render(failure.key, failure.values, "blender", word)
    templates = getattr(failure, "templates", None)  # of the installer, which runs without the package too
    if templates is None:
        return str(failure), ""
    said = getattr(failure, "values", {})
    message, hint = (_filled(template, said) for template in templates)
    return message, hint


def sentence(text: str) -> str:
    """A text in the language of the interface; as it is where unknown.

    A text that knows its template is translated by that and then filled: a notice of the backend, also as a line that
    :func:`stored` made, and a ``Filled`` text of the installer.
    """
    notice = notice_from("", _fields(text)) if text.startswith(_STORED) else text
    if isinstance(notice, Notice):
        return " ".join(filter(None, render(notice.key, notice.values, "blender", word)))
    if text.startswith(_STORED):
        return str(_fields(text).get("text", ""))
    template = getattr(text, "template", None)
    return word(text) if template is None else _filled(template, getattr(text, "values", {}))


def word(text: str) -> str:
    """A fixed text or a template in the language of the interface."""
    language = _LANGUAGES.get(bpy.app.translations.locale)
    if language is None or not bpy.context.preferences.view.use_translate_interface:
        return text
    return language.words().get(text, text)


_STORED = '{"key": '


def stored(text: str, fields: Mapping[str, Any] | None = None) -> str:
    """A warning as one line of a .blend file, which whoever opens it reads in their own language.

    Args:
        text: in English.
        fields: key and values of the notice that it is, where ``text`` itself does not tell.
    """
    fields = notice_fields(text) or fields
    if not fields or not fields.get("key"):
        return " ".join(text.splitlines())
    return json.dumps({"key": fields["key"], "values": fields.get("values", {}), "text": str(text)}, ensure_ascii=False)


def _fields(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"text": line}
    return found if isinstance(found, dict) else {}


def _filled(template: str, values: Mapping[str, object]) -> str:
    return word(template).format(**{n: word(v) if isinstance(v, str) else v for n, v in values.items()})


def on_register() -> None:
    """Give Blender the tables."""
    tables = {
        name: {(context, english): word for english, word in language.words().items() for context in _CONTEXTS}
        for name, language in _LANGUAGES.items()
    }
    bpy.app.translations.register(__package__, tables)


def on_unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(__package__)
