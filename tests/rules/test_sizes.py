"""A file is read in one sitting, and a class does one thing."""

from __future__ import annotations

import ast

from paths import REPOSITORY

LONGEST_FILE, MOST_METHODS = 500, 20

LONG_FILES: dict[str, str] = {
    "backend/image_to_3d/core/cameras/vanishing_points.py": "one derivation, from segments to a posterior, that is read as a whole",
}
LARGE_CLASSES: dict[str, str] = {}
"""Exceptions, with their reasons."""


def product_files():
    for root in ("backend/image_to_3d", "blender_addon"):
        for path in sorted((REPOSITORY / root).rglob("*.py")):
            yield path.relative_to(REPOSITORY).as_posix(), path.read_text("utf-8")


def test_no_file_is_too_long() -> None:
    long = {name for name, text in product_files() if len(text.splitlines()) > LONGEST_FILE}
    assert long == set(LONG_FILES)


def test_no_class_has_too_many_methods() -> None:
    large = set()
    for name, text in product_files():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                methods = [n for n in node.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
                if len(methods) > MOST_METHODS:
                    large.add(f"{name}:{node.name}")
    assert large == set(LARGE_CLASSES)
