"""What may import what: the tables of docs/architecture.md."""

from __future__ import annotations

import ast

import pytest

from imports import Import, circles, imports_of, modules_of
from paths import REPOSITORY

PACKAGE, ADDON = REPOSITORY / "backend" / "image_to_3d", REPOSITORY / "blender_addon"

BACKEND = {
    "words": set(),
    "catalogue": set(),
    "file_kinds": set(),
    "core": {"words"},
    "paths": {"core"},
    "blender": {"core"},
    "protocol": {"core", "paths", "words"},
    "io": {"core", "file_kinds", "words"},
    "engines": {"core", "io", "paths", "catalogue", "words"},
    "render": {"core", "words"},
    "measuring": {"core", "io", "catalogue", "words"},
    "photo_camera": {"core", "io", "words"},
    "pipeline": {"core", "io", "photo_camera", "engines", "catalogue", "file_kinds", "words"},
    "api": {"core", "io", "engines", "pipeline", "measuring", "catalogue", "file_kinds", "words"},
}
"""What a part of the package may import beside itself and the version; ``server``, ``web`` and ``cli`` stand on all of these."""

ON_TOP = {
    "server": set(BACKEND),
    "web": set(BACKEND),
    "cli": {*BACKEND, "server", "web"},
    "__main__": {"cli"},
}

ADDON_LAYERS = (
    {"translations"},
    {"runtime"},
    {"ui"},
    {"backend"},
    {"scene"},
    {"photos"},
    {"measuring"},
    {"editing", "splat_files", "viewport", "rendering", "film"},
    {"properties", "sidebar"},
    {""},
)
"""From bottom to top; the root, which registers everything, stands above all."""

FINDS_MODULES = {"translations/zh_hans/__init__.py": "a language is what lies in its folder: tables of words, no code"}


def part_of(module: str) -> str:
    return module.partition(".")[0]


def told(found: Import) -> str:
    return f"{found.source or 'the root'}:{found.line} imports {found.target or 'the root'}"


def test_the_package_only_imports_downwards() -> None:
    allowed = BACKEND | ON_TOP
    wrong = []
    for found in imports_of(PACKAGE):
        source, target = part_of(found.source), part_of(found.target)
        if source and target and source != target and not found.typing_only and target not in allowed[source]:
            wrong.append(told(found))
    assert wrong == []


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part_of(module) for module in modules_of(PACKAGE)} == {"", *BACKEND, *ON_TOP}


def test_the_add_on_only_imports_downwards() -> None:
    floor = {name: number for number, names in enumerate(ADDON_LAYERS) for name in names}
    assert {part_of(module) for module in modules_of(ADDON)} == set(floor)
    wrong = [
        told(found)
        for found in imports_of(ADDON)
        if not found.typing_only and floor[part_of(found.target)] > floor[part_of(found.source)]
    ]
    assert wrong == []


@pytest.mark.parametrize("root", [PACKAGE, ADDON], ids=["package", "add-on"])
def test_nothing_imports_itself_over_others(root) -> None:
    assert circles([found for found in imports_of(root) if not found.typing_only]) == []


def test_the_add_on_has_no_imports_of_its_own_inside_functions() -> None:
    assert [told(found) for found in imports_of(ADDON) if found.in_function] == []


def test_the_add_on_imports_nothing_by_its_name_in_a_text() -> None:
    wrong = []
    for path in sorted(ADDON.rglob("*.py")):
        name = path.relative_to(ADDON).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if called in ("import_module", "__import__") and name not in FINDS_MODULES:
                wrong.append(f"{name}:{node.lineno}")
    assert wrong == []


def test_the_add_on_has_at_most_sixteen_entries_at_its_top() -> None:
    entries = [path.name for path in ADDON.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 16, sorted(entries)


def test_the_rules_see_what_they_forbid(tmp_path) -> None:
    package = tmp_path / "house"
    (package / "cellar").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "cellar/__init__.py": "",
        "cellar/coal.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..roof import Tile\n",
        "cellar/wine.py": "def fetch():\n    from .. import roof\n",
        "roof.py": "from .cellar import wine\nimport house.cellar.coal\n",
    }.items():
        (package / name).write_text(text)
    found = {(i.source, i.target, i.in_function, i.typing_only) for i in imports_of(package)}
    assert found == {
        ("cellar.coal", "roof", False, True),
        ("cellar.wine", "roof", True, False),
        ("roof", "cellar.wine", False, False),
        ("roof", "cellar.coal", False, False),
    }
    assert circles([i for i in imports_of(package) if not i.typing_only]) == [["cellar.wine", "roof"]]


def test_no_test_in_blender_imports_the_package_before_the_extension_brings_it() -> None:
    early = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in sorted((REPOSITORY / "tests" / "blender").rglob("*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(
            name.partition(".")[0] == "image_to_3d"
            for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
        )
    ]
    assert not early, "the package is not in Blender's Python: import it inside the test"
