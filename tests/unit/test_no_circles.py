"""No module needs one that needs it: neither for types, nor inside a function.

import-linter keeps the rooms apart; inside a room nothing else looks. A circle of two modules means
that neither can be read, tested or moved without the other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import facelign

ROOT = Path(facelign.__file__).parent


def modules(root: Path, package: str) -> dict[str, Path]:
    """Return every module of a package by its dotted name."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found[".".join((package, *parts))] = path
    return found


def imported(source: str, known: set[str]) -> set[str]:
    """Return which of the ``known`` modules a source names, wherever the import stands."""
    named = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names} & known
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                named |= {inner if inner in known else node.module} & known
    return named


def circles(graph: dict[str, set[str]]) -> Iterator[set[str]]:
    """Yield the sets of modules that reach each other (strongly connected, Tarjan 1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []

    def visit(name: str) -> Iterator[set[str]]:
        numbers[name] = lowest[name] = len(numbers)
        open_.append(name)
        for other in sorted(graph[name]):
            if other not in numbers:
                yield from visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in open_:
                lowest[name] = min(lowest[name], numbers[other])
        if lowest[name] == numbers[name]:
            found = {open_.pop()}
            while name not in found:
                found.add(open_.pop())
            if len(found) > 1 or name in graph[name]:
                yield found

    for name in sorted(graph):
        if name not in numbers:
            yield from visit(name)


def graph_of(root: Path, package: str) -> dict[str, set[str]]:
    files = modules(root, package)
    known = set(files)
    return {name: imported(path.read_text(encoding="utf-8"), known) for name, path in files.items()}


def test_no_module_needs_one_that_needs_it() -> None:
    graph = graph_of(ROOT, "facelign")
    assert len(graph) > 200
    assert sum(map(len, graph.values())) > 1000, "imports were read"
    assert [sorted(circle) for circle in circles(graph)] == []


def test_a_circle_is_found_wherever_its_imports_stand(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "one.py").write_text("from p import two\n")
    (tmp_path / "two.py").write_text("def f():\n    import p.three\n")
    (tmp_path / "three.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.one import x\n"
    )
    (tmp_path / "four.py").write_text("from p.one import x\nimport p.two\n")
    assert list(circles(graph_of(tmp_path, "p"))) == [{"p.one", "p.two", "p.three"}]
