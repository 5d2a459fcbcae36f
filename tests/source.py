"""The repository's own files, read once for the tests that check the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("edge_sr", "convert", "calibration", "training", "bench", "fleet", "lab")


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text())


@cache
def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of the rooms; a package has its folder's name."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def files() -> Iterator[tuple[str, ast.Module]]:
    """(path from the repository's root, syntax tree) of every module of the rooms."""
    for path in modules().values():
        yield path.relative_to(ROOT).as_posix(), tree(path)


def type_only(whole: ast.Module) -> set[int]:
    """The ids of nodes inside ``if TYPE_CHECKING:``, which never run."""
    return {
        id(inner)
        for node in ast.walk(whole)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for part in node.body
        for inner in ast.walk(part)
    }


def in_functions(whole: ast.Module) -> set[int]:
    """The ids of nodes inside functions, which run when the function is called."""
    return {
        id(inner)
        for node in ast.walk(whole)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement loads; [] for other nodes.

    ``from a.b import c`` gives a.b.c where that is a module of ours, else a.b.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in modules() else node.module for name in names]
    return []


def own_imports(*, late: bool = False) -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports at any level, or in functions alone."""
    found: dict[str, set[str]] = {}
    for name, path in modules().items():
        whole = tree(path)
        never, inner = type_only(whole), in_functions(whole)
        found[name] = {
            target
            for node in ast.walk(whole)
            if id(node) not in never and (not late or id(node) in inner)
            for target in imported(node)
            if target in modules() and target != name
        }
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, by Tarjan's algorithm; sorted."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(name: str) -> None:
        order[name] = lowest[name] = len(order)
        stack.append(name)
        for other in sorted(edges[name]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[name] = min(lowest[name], lowest[other])
        if lowest[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in edges:
        if name not in order:
            visit(name)
    return sorted(groups)
