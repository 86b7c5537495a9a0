"""The words that the add-on shows, collected from its source without running it.

Follows what Blender translates (labels, descriptions, properties, ``text=``), plus the add-on's own helpers and the sentences of
its errors. A text that cannot be translated because words and values are mixed in an f-string is reported as such.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MARKERS = {
    "iface_": 0,
    "tip_": 0,
    "rpt_": 0,
    "n_": 0,
    "poll_message_set": 0,
    "report": 1,
    "fact": 1,
    "warn": 2,
    "lines": 2,
}
"""Function → which of its arguments people read."""

KEYWORDS = {"text", "heading", "text_empty"}
CLASS_WORDS = {"bl_label", "bl_description", "bl_category"}
ERRORS = {"InstallError": (1, 2)}
"""Those that bring their sentences along; the words of all others stand in ``image_to_3d.words``."""
KEYED_ERRORS = {"ImageTo3DError", "ConnectionLost", "SettingsError", "OfflineError"}
UNITS = {"px", "mm", "m", "s", "ms", "GB", "MB", "kB", "fps", "x"}
"""Letters that may stand in an f-string: the same in every language."""


@dataclass
class Collected:
    """What was found.

    Attributes:
        words: text → where it stands first, ``file:line``.
        mixed: places of f-strings that mix words and values.
    """

    words: dict[str, str] = field(default_factory=dict)
    mixed: list[str] = field(default_factory=list)


def collect(folder: Path) -> Collected:
    """All words of the Python files below ``folder``, tables of translations left out."""
    found = Collected()
    for path in sorted(folder.rglob("*.py")):
        if "translations" in path.relative_to(folder).parts:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        where = path.relative_to(folder.parent).as_posix()
        for node in ast.walk(tree):
            for expression, template in (*_errors(node), *_shown(node)):
                for part in _branches(expression):
                    _add(found, part, template, f"{where}:{getattr(part, 'lineno', 0)}")
    return found


def keys_raised(folder: Path) -> set[str]:
    """Keys of the errors that are made below ``folder``, and so shown by the add-on without the backend having a part in it."""
    nodes = [node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    made = [node for node in nodes if isinstance(node, ast.Call) and _name(node.func) in KEYED_ERRORS]
    texts = [arg.value for node in made for arg in node.args if isinstance(arg, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and "." in text}


def _shown(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    """Expressions whose literals Blender or our helpers show, each with whether an f-string becomes a template."""
    if isinstance(node, ast.ClassDef):
        yield from ((value, False) for value in _class_words(node))
    elif isinstance(node, ast.Call) and not _is_untranslated(node):
        name = _name(node.func)
        position = MARKERS.get(name, len(node.args))
        if position < len(node.args):
            yield node.args[position], False
        for keyword in node.keywords:
            if keyword.arg in KEYWORDS or (name.endswith("Property") and keyword.arg in {"name", "description"}):
                yield keyword.value, False
            elif name.endswith("Property") and keyword.arg == "items":
                yield from ((value, False) for value in _items(keyword.value))
    elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        yield from ((value, False) for value in _items(node.value))


def _is_untranslated(call: ast.Call) -> bool:
    """``translate=False``: a name or value, or translated before."""
    return any(k.arg == "translate" and getattr(k.value, "value", True) is False for k in call.keywords)


def _class_words(node: ast.ClassDef) -> Iterator[ast.expr]:
    described = False
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            if statement.targets[0].id in CLASS_WORDS:
                yield statement.value
            described |= statement.targets[0].id == "bl_description"
    first = node.body[0]
    if "_OT_" in node.name and not described and isinstance(first, ast.Expr):
        yield first.value


def _items(value: ast.expr) -> list[ast.expr]:
    """Names and descriptions of enum items, where ``value`` is a literal list of them."""
    if not isinstance(value, (ast.List, ast.Tuple)) or not value.elts:
        return []
    rows = [row.elts for row in value.elts if isinstance(row, ast.Tuple) and len(row.elts) >= 3]
    if len(rows) != len(value.elts) or not all(_is_text(cell) for row in rows for cell in row[:3]):
        return []
    return [cell for row in rows for cell in row[1:3]]


def _is_text(cell: ast.expr) -> bool:
    return isinstance(cell, ast.Constant) and isinstance(cell.value, str)


def _errors(node: ast.AST) -> Iterator[tuple[ast.expr, bool]]:
    if isinstance(node, ast.Call):
        if _name(node.func) in KEYED_ERRORS:
            yield from ((keyword.value, False) for keyword in node.keywords if keyword.arg == "hint")
        for position in ERRORS.get(_name(node.func), ()):
            if position < len(node.args):
                yield node.args[position], True


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _branches(expression: ast.expr) -> Iterator[ast.expr]:
    """The texts that an expression can be."""
    if isinstance(expression, ast.IfExp):
        yield from _branches(expression.body)
        yield from _branches(expression.orelse)
    elif isinstance(expression, ast.BoolOp):
        for value in expression.values:
            yield from _branches(value)
    else:
        yield expression


def _add(found: Collected, part: ast.expr, template: bool, where: str) -> None:
    if _is_text(part):
        text = part.value
    elif isinstance(part, ast.JoinedStr):
        fixed = " ".join(value.value for value in part.values if isinstance(value, ast.Constant))
        if set(re.findall(r"[A-Za-z]+", fixed)) - UNITS:
            found.mixed.append(where)
        return
    else:
        return
    if set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w*\}", "", text))) - UNITS:
        found.words.setdefault(text, where)


def as_template(joined: ast.JoinedStr) -> str:
    """An f-string with its values numbered: what :func:`translations.sentence` looks up."""
    numbers = iter(range(100))
    return "".join(v.value if isinstance(v, ast.Constant) else f"{{{next(numbers)}}}" for v in joined.values)


def every_text(folder: Path) -> set[str]:
    """All string literals below ``folder``, f-strings as templates."""
    nodes = [node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    constants = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return constants | {as_template(node) for node in nodes if isinstance(node, ast.JoinedStr)}
