"""Who imports whom, read from the source: nothing is imported to find out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Import:
    """An import of one module of a package by another.

    Attributes:
        source, target: dotted, without the name of the package; the package itself is the empty text.
        line: of the source.
        in_function: it is not run when the source is imported.
        typing_only: it stands below ``if TYPE_CHECKING``.
    """

    source: str
    target: str
    line: int
    in_function: bool
    typing_only: bool


def modules_of(root: Path) -> dict[str, Path]:
    """Modules of the package in a folder by dotted name, without the name of the package."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(root: Path) -> list[Import]:
    """Every import inside the package in a folder, wherever it stands."""
    modules = modules_of(root)
    found = []
    for source, path in modules.items():
        inside = source.split(".") if source else []
        place = inside if path.name == "__init__.py" else inside[:-1]
        for node, in_function, typing_only in _statements(ast.parse(path.read_text("utf-8"))):
            for target in _targets(node, place, root.name, modules):
                if target != source:
                    found.append(Import(source, target, node.lineno, in_function, typing_only))
    return found


def circles(imports: list[Import]) -> list[list[str]]:
    """Groups of modules that import each other, directly or over others (Tarjan's strongly connected components)."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        graph.setdefault(found.source, set()).add(found.target)
        graph.setdefault(found.target, set())
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[-len(group) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return groups


def _statements(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    def walk(
        nodes: list[ast.AST], in_function: bool, typing_only: bool
    ) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
        for node in nodes:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield node, in_function, typing_only
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                yield from walk(list(node.body), in_function, True)
                yield from walk(list(node.orelse), in_function, typing_only)
            else:
                function = in_function or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(list(ast.iter_child_nodes(node)), function, typing_only)

    return walk(list(tree.body), False, False)


def _targets(
    node: ast.Import | ast.ImportFrom, place: list[str], package: str, modules: dict[str, Path]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name.split(".") for alias in node.names]
        found = [".".join(name[1:]) for name in names if name[0] == package]
    elif node.level:
        base = place[: len(place) - node.level + 1] + (node.module.split(".") if node.module else [])
        found = [".".join(base)]
    elif node.module and node.module.split(".")[0] == package:
        found = [".".join(node.module.split(".")[1:])]
    else:
        return
    for target in found:
        members = [] if isinstance(node, ast.Import) else [alias.name for alias in node.names]
        inner = [".".join(filter(None, (target, member))) for member in members]
        yield from (name for name in inner if name in modules)
        if len([name for name in inner if name in modules]) < max(1, len(members)) and target in modules:
            yield target
