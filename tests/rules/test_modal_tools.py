"""Tools that wait for the mouse leave nothing behind: Blender tells them by ``cancel`` that their window or file has gone."""

from __future__ import annotations

import ast
from pathlib import Path

from paths import REPOSITORY

ADDON = REPOSITORY / "blender_addon"

DRAWS = {
    "ui/modal.py": "for tools, and takes it away with them",
    "runtime/draw_handlers.py": "for as long as the extension is on",
    "viewport/live.py": "until Live Preview is turned off, which closing it does",
}
"""Who has viewports draw something, and when that ends."""


def classes_of(root: Path) -> dict[str, ast.ClassDef]:
    """Every class below a folder, by its name."""
    return {
        node.name: node
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }


def methods_of(name: str, classes: dict[str, ast.ClassDef]) -> set[str]:
    """Its own methods and those that it inherits from classes of the folder."""
    if name not in classes:
        return set()
    found = {node.name for node in classes[name].body if isinstance(node, ast.FunctionDef)}
    for base in classes[name].bases:
        found |= methods_of(base.attr if isinstance(base, ast.Attribute) else ast.unparse(base), classes)
    return found


def without_cancel(root: Path) -> list[str]:
    classes = classes_of(root)
    every = {name: methods_of(name, classes) for name in classes}
    return sorted(name for name, methods in every.items() if "modal" in methods and "cancel" not in methods)


def test_every_modal_operator_can_be_cancelled() -> None:
    classes = classes_of(ADDON)
    assert sum("modal" in methods_of(name, classes) for name in classes) >= 6
    assert without_cancel(ADDON) == []


def test_only_those_draw_who_end_it() -> None:
    drawing = {
        path.relative_to(ADDON).as_posix()
        for path in ADDON.rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "draw_handler_add"
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    }
    assert drawing == set(DRAWS)
    for name in drawing:
        assert "draw_handler_remove" in (ADDON / name).read_text("utf-8")


def test_the_rule_sees_what_it_forbids(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "class Mouse:\n def modal(self): ...\n"
        "class Kind(Mouse):\n def cancel(self): ...\n"
        "class Ends(Kind, Operator): ...\n"
        "class Stays(Mouse, bpy.types.Operator): ...\n"
    )
    assert without_cancel(tmp_path) == ["Mouse", "Stays"]
