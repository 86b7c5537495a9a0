"""Every word that the add-on shows has a Chinese one, and no translation is left over. Reads sources, needs no Blender."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from addon_words import Collected, collect, every_text, keys_raised
from image_to_3d.catalogue import ENGINES, STAGES
from image_to_3d.file_kinds import SPLATS
from image_to_3d.words import TABLE
from paths import REPOSITORY

ADDON = REPOSITORY / "blender_addon"
TABLES = sorted(path for path in (ADDON / "translations" / "zh_hans").glob("*.py") if path.stem != "__init__")
SENTENCES = "sentences"
"""The table of what the backend says: it may hold sentences of the backend, and need not hold all."""


def table(path: Path) -> dict[str, str]:
    """``WORDS`` of a file, which is a literal."""
    (assignment,) = (n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.Assign))
    return ast.literal_eval(assignment.value)


def merged() -> dict[str, str]:
    return {english: word for path in TABLES for english, word in table(path).items()}


@pytest.fixture(scope="module")
def shown() -> Collected:
    """What stands in the add-on, and what it takes from the catalogue and from the kinds of files."""
    found = collect(ADDON)
    for key in keys_raised(ADDON):
        words = TABLE[key]
        texts = {words.message, words.hint_for("blender")} - {"", "{hint}", "{last}"}
        found.words |= dict.fromkeys(texts, f"words: {key}")
    for info in ENGINES.values():
        found.words |= dict.fromkeys((info.title, info.description, info.rights), "catalogue.ENGINES")
    found.words |= dict.fromkeys(STAGES.values(), "catalogue.STAGES")
    for kind in SPLATS:
        found.words |= dict.fromkeys((kind.title, kind.description), "file_kinds.SPLATS")
    return found


def test_no_word_is_missing(shown: Collected) -> None:
    missing = [f"    {english!r}: '',  # {where}" for english, where in shown.words.items() if english not in merged()]
    assert not missing, f"{len(missing)} words without Chinese; add them to blender_addon/translations/zh_hans:\n" + (
        "\n".join(missing)
    )


def test_no_translation_is_left_over(shown: Collected) -> None:
    of_backend = every_text(REPOSITORY / "backend" / "image_to_3d")
    known = {path.stem: set(shown.words) | (of_backend if path.stem == SENTENCES else set()) for path in TABLES}
    left = [
        f"{path.name}: {english!r}" for path in TABLES for english in table(path) if english not in known[path.stem]
    ]
    assert not left, "translated, but nowhere in the source:\n" + "\n".join(left)


def test_words_and_values_are_not_mixed(shown: Collected) -> None:
    assert not shown.mixed, "f-strings cannot be translated; write iface_('… {x}').format(x=x):\n" + "\n".join(
        shown.mixed
    )


def test_tables_agree() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for path in TABLES:
        for english, word in table(path).items():
            assert seen.setdefault(english, (path.name, word))[1] == word, (
                f"{english!r}: {seen[english][0]}, {path.name}"
            )


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_translations_keep_fields_and_say_something(path: Path) -> None:
    for english, word in table(path).items():
        assert fields(word) == fields(english), f"{english!r} → {word!r}"
        assert word.strip() == word and word, english
        assert re.search("[\u4e00-\u9fff]", word) or is_name(english), f"{english!r} → {word!r} is not Chinese"


def fields(text: str) -> list[str]:
    return sorted({name for _, name, _, _ in string.Formatter().parse(text) if name is not None})


def is_name(english: str) -> bool:
    """Networks keep their names."""
    return english in {"Python", "PyTorch", "SHARP", "MiDaS Small", "DPT Large", "Lite"}


def test_collector_finds_what_people_read(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "ITEMS = [('A', 'First', 'The first')]\n"
        "class X_OT_y(Operator):\n    'Do it'\n    bl_label = 'Doing'\n    p: BoolProperty(name='Big', description='Very')\n"
        "    def draw(self):\n        layout.label(text='On' if self.p else 'Off')\n"
        "        layout.label(text=f'{n} photos')\n        layout.label(text=f'{n:.1f} mm')\n"
        "        raise InstallError(C, 'No {a} in {b}.', 'Try again.', a=a, b=b)\n"
    )
    found = collect(tmp_path)
    assert set(found.words) == {
        *("First", "The first", "Do it", "Doing", "Big", "Very", "On", "Off", "No {a} in {b}.", "Try again."),
    }
    assert found.mixed == [f"{tmp_path.name}/module.py:8"]
