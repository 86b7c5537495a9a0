"""Errors are data: every key that is raised has words, and they fit its values."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from image_to_3d.core import ErrorCode, ImageTo3DError
from image_to_3d.protocol.client import ConnectionLost
from image_to_3d.protocol.errors import error_from_reply, error_reply
from image_to_3d.protocol.messages import ErrorReply
from image_to_3d.words import TABLE, render
from paths import REPOSITORY

ERRORS = {"ImageTo3DError", "ConnectionLost", "SettingsError", "OfflineError", "WireError", "Notice"}
ALWAYS = {"reason", "request_id"}
FOLDERS = (REPOSITORY / "backend" / "image_to_3d", REPOSITORY / "blender_addon")


def raised() -> list[tuple[str, str, set[str] | None]]:
    """(place, key, names of its values or None where they are not known) of every error that is made."""
    found = []
    for folder in FOLDERS:
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and _name(node) in ERRORS:
                    parts = [p for a in node.args for p in ((a.body, a.orelse) if isinstance(a, ast.IfExp) else (a,))]
                    keys = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
                    values = {k.arg for k in node.keywords}
                    place = f"{path.relative_to(REPOSITORY)}:{node.lineno}"
                    found += [(place, key, None if None in values else values - ALWAYS) for key in keys]
    return found


def _name(node: ast.Call) -> str:
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def texts(key: str) -> list[str]:
    words = TABLE[key]
    return [words.message, words.hint, words.cli, words.blender, words.web]


def test_every_key_that_is_raised_has_words_and_they_take_its_values() -> None:
    made = raised()
    assert len(made) > 200
    for place, key, values in made:
        assert key in TABLE, f"{place}: {key} has no words"
        if values is not None:
            wanted = set().union(*map(fields, texts(key)))
            assert wanted == values, f"{place}: {key} takes {sorted(wanted)}, given {sorted(values)}"


def test_no_words_are_left_over() -> None:
    used = {key for _, key, _ in raised()} | {"plain", "cancelled", "backend.incompatible"}
    assert set(TABLE) == used


@pytest.mark.parametrize("key", sorted(TABLE))
def test_only_the_command_line_hears_of_options(key: str) -> None:
    if key in {"backend.offline_mode"} or key.startswith(
        "commands."
    ):  # Blender's own option; the page of `image-to-3d web`
        return
    for edge in ("plain", "blender", "web"):
        _, hint = render(key, {}, edge)  # type: ignore[arg-type]
        assert not re.search(r"--[a-z]|image-to-3d [a-z]", hint), f"{key}, {edge}: {hint}"


def test_rendering_never_fails() -> None:
    for key in [*TABLE, "nobody.knows_this", ""]:
        for values in ({}, {"why": object()}, {"name": "{odd}", "size": "no number"}):
            message, hint = render(key, values, "cli")
            assert isinstance(message, str) and isinstance(hint, str)
    assert render("nobody.knows_this", {})[0] == "Knows this."


def test_a_template_is_translated_before_it_is_filled() -> None:
    chinese = {"The backend is busy: {count} photos are waiting.": "后台忙：{count} 张照片在等待。"}
    message, _ = render("backend.busy", {"count": 64}, "blender", lambda text: chinese.get(text, text))
    assert message == "后台忙：64 张照片在等待。"


def test_errors_travel_as_data_and_foreign_ones_keep_their_words() -> None:
    sent = ImageTo3DError(ErrorCode.BUSY, "backend.busy", count=64)
    back = error_from_reply(error_reply(sent))
    assert (back.code, back.key, back.values, back.message) == (sent.code, sent.key, sent.values, sent.message)
    foreign = error_from_reply(ErrorReply("internal", "Something newer.", "Update.", "future.key", {"x": 1}))
    assert (foreign.message, foreign.hint) == ("Something newer.", "Update.")


def test_values_become_plain_and_errors_survive_pickling() -> None:
    import pickle

    error = ConnectionLost("backend.not_startable", reason="start", why=OSError(2, "No such file"), command=Path("/x"))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is ConnectionLost and again.reason == "start" and str(again) == str(error)
    assert error.values == {"why": "[Errno 2] No such file", "command": "/x"}
