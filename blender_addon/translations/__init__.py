"""The add-on's words in other languages than English.

Blender translates by itself what stands as a plain literal in labels, descriptions, property names and ``text=``. Composed texts
are templates, ``iface_("{n} photos").format(n=n)``, with ``from bpy.app.translations import pgettext_iface as iface_``. A literal
that is kept in a table first is marked there with ``n_`` (``pgettext_n``). Errors, which are made as whole sentences and partly on
the other side of the wire, are translated by :func:`sentence` where they are shown.

One folder per language, one table ``WORDS`` per concern in it; ``tests/test_translations.py`` says what is missing or left over.
"""

from __future__ import annotations

import functools
import re

import bpy

from image_to_3d.core import ImageTo3DError
from image_to_3d.words import render

from . import zh_hans

_LANGUAGES = {"zh_HANS": zh_hans, "zh_CN": zh_hans}
"""Blender's names of a language (the second until 3.6, kept by preferences that were brought along) → its tables."""

_CONTEXTS = ("*", "Operator")
"""Labels of operators, and texts of their buttons, are looked up in a context of their own."""


def words_of(failure: Exception) -> tuple[str, str]:
    """What is wrong and what to do about it, in Blender's vocabulary and the language of the interface."""
    if isinstance(failure, ImageTo3DError):
        return render(failure.key, failure.values, "blender", sentence)
    templates = getattr(failure, "templates", None)  # of the installer, which runs without the package too
    if templates is None:
        return str(failure), ""
    said = getattr(failure, "values", {})
    values = {name: sentence(value) if isinstance(value, str) else value for name, value in said.items()}
    message, hint = (sentence(template).format(**values) for template in templates)
    return message, hint


def sentence(text: str) -> str:
    """A whole sentence in the language of the interface, also one with names and numbers in it; as it is where unknown.

    Tables hold such sentences with ``{0}``, ``{1}`` … for what is inserted, as in "There is no file {0}.".
    """
    language = _LANGUAGES.get(bpy.app.translations.locale)
    if language is None or not bpy.context.preferences.view.use_translate_interface:
        return text
    return translate(text, language.__name__)


def translate(text: str, table: str) -> str:
    """:func:`sentence` in the language whose tables are the package named ``table``."""
    words = next(language.words() for language in _LANGUAGES.values() if language.__name__ == table)
    if text in words:
        return words[text]
    for pattern, translated in _templates(table):
        match = pattern.fullmatch(text)
        if match is not None:
            return translated.format(*(words.get(group, group) for group in match.groups()))
    return text


@functools.cache
def _templates(table: str) -> list[tuple[re.Pattern[str], str]]:
    """Patterns of the sentences with numbered fields, those with most fixed text first."""
    words = next(language.words() for language in _LANGUAGES.values() if language.__name__ == table)
    numbered = [english for english in words if re.search(r"\{0\}", english)]
    numbered.sort(key=lambda english: -len(re.sub(r"\{\d\}", "", english)))
    return [(_pattern(english), words[english]) for english in numbered]


def _pattern(english: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\d)\}", english)
    return re.compile("".join("(.*?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)), re.DOTALL)


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
    _templates.cache_clear()
