"""The layout of the code: folders a reader can survey, shallow rooms, names that mean one thing."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bpengine", "reports", "sweeps")
FOLDERS = (*PACKAGES, "benchmarks", "docs", "examples", "tests")
VAGUE = {"found", "one", "own", "place", "some", "told"}

Graph = dict[str, set[str]]


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named_modules(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """Yield what a node may import, by import or by a string: the first that is a module counts."""
    match node:
        case ast.Import():
            yield from ((alias.name,) for alias in node.names)
        case ast.ImportFrom(module=str(module)):
            yield from ((f"{module}.{alias.name}", module) for alias in node.names)
        case ast.Constant(value=str(text)) if "." in text:
            yield (text,)


@pytest.fixture(scope="module")
def imports() -> Graph:
    """Return the modules that each module imports: at the top, in functions, for types."""
    paths = {module_of(path): path for path in files(*PACKAGES) if path.stem != "__main__"}
    graph: Graph = {module: set() for module in paths}
    for module, path in paths.items():
        for node in ast.walk(tree(path)):
            for names in named_modules(node):
                graph[module].update([name for name in names if name in paths][:1])
        graph[module] -= {module, module.rpartition(".")[0]}
    return graph


def rooms(imports: Graph) -> dict[str, Graph]:
    """Return the imports within each room."""
    within: dict[str, Graph] = {}
    for module, imported in imports.items():
        room = ".".join(module.split(".")[:2])
        inner = {name for name in imported if f"{name}.".startswith(f"{room}.")}
        if module != room:
            within.setdefault(room, {})[module] = inner - {room}
    return within


def floors(graph: Graph) -> int:
    """Return how many modules lie on each other at most."""
    height: dict[str, int] = {}
    for module in TopologicalSorter(graph).static_order():
        height[module] = 1 + max((height[below] for below in graph[module]), default=0)
    return max(height.values())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a file, each with the lines of its body after the docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[len(node.body) > 1 and ast.get_docstring(node) is not None]
            yield f"{module_of(path)}.{node.name}", (node.end_lineno or 0) - first.lineno + 1


def local_names(path: Path) -> Iterator[str]:
    """Yield the names that a file binds: variables, arguments, functions."""
    for node in ast.walk(tree(path)):
        match node:
            case (
                ast.Name(ctx=ast.Store(), id=name) | ast.arg(arg=name) | ast.FunctionDef(name=name)
            ):
                yield name


def test_a_folder_has_few_entries() -> None:
    entries = {path for file in files(*PACKAGES, "tests") for path in (file, *file.parents)}
    counts = Counter(path.parent for path in entries if not path.name.startswith("__"))
    counted = {path: n for path, n in counts.items() if path.is_relative_to(ROOT) and path != ROOT}
    assert {path: n for path, n in counted.items() if n > 12} == {}


def test_a_room_has_few_floors(imports: Graph) -> None:
    deep = {room: floors(graph) for room, graph in rooms(imports).items()}
    assert {room: n for room, n in deep.items() if n > 5} == {}


def test_no_import_leads_back(imports: Graph) -> None:
    TopologicalSorter(imports).prepare()


def test_no_module_is_imported_by_a_string() -> None:
    # A trainer is the user's module.
    by_string = [
        module_of(path)
        for path in {*files(*PACKAGES)} - {ROOT / "sweeps/worker/run_trainer.py"}
        for node in ast.walk(tree(path))
        if {getattr(node, "id", ""), getattr(node, "attr", "")} & {"import_module", "__import__"}
    ]
    assert not by_string


def test_modules_differ_in_their_names() -> None:
    names = Counter(path.stem for path in files(*PACKAGES) if not path.stem.startswith("__"))
    assert [name for name, count in names.items() if count > 1] == []


def test_names_mean_something() -> None:
    vague = {module_of(path): VAGUE & {*local_names(path)} for path in files(*FOLDERS)}
    assert {module: names for module, names in vague.items() if names} == {}


def test_functions_are_short() -> None:
    lines = dict(body for path in files(*PACKAGES) for body in functions(path))
    assert {name: n for name, n in lines.items() if n > 40} == {}
    assert median(lines.values()) <= 10
    assert quantiles(lines.values(), n=10)[-1] <= 30


def test_tests_are_no_longer_than_what_they_test() -> None:
    tests, product = (
        sum(len(path.read_text().splitlines()) for path in files(*folders))
        for folders in (("tests",), PACKAGES)
    )
    assert tests <= 1.1 * product
