"""What names a trainer: its code is read to know what it is, and never executed here."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType

from sweeps.data.splits import Source
from sweeps.errors import Problem, UsageError, did_you_mean, did_you_mean_path, shown

LARGEST_BYTES = 1_000_000  # of a file of code; a larger one is something else


def read_trainer(name: str, folder: Path) -> tuple[Source, list[Problem]]:
    """Return what names a trainer, such as "train.py:train" or "package.module:function".

    Its content is the digest of the file, with the modules next to it that it imports, or of a
    module's file and its package's version.
    """
    where, _, function = name.rpartition(":")
    is_file = where.endswith(".py")
    path = folder / where if is_file else _module_file(where)
    source, problem = Source(name), ""
    if path is None or not path.is_file():
        hint = did_you_mean_path(path) if path else " Is its package installed?"
        problem = f"is {shown(name)}, but is not there.{hint}"
    else:
        at = str(path.resolve()) if is_file else ""
        try:
            names = _names_of(path)
            content = digest_of(name, at)
        except (OSError, RecursionError, SyntaxError, ValueError) as error:
            problem = f"is {shown(name)}, which can't be read: {error}."
        else:
            source = Source(f"{path.name}:{function}" if is_file else name, (), content, at)
            if function not in names and "*" not in names:
                hint = did_you_mean(function, names)
                problem = f"names {shown(function)}, which {path.name} lacks.{hint}"
    return source, [Problem("trainer", problem)] if problem else []


def name_of_function(function: FunctionType) -> str:
    """Return what a specification names a trainer that a program hands over.

    Raises:
        UsageError: It isn't in a file, as worker processes need it.
    """
    path = Path(function.__code__.co_filename)
    if not path.is_file() or "." in function.__qualname__:
        raise UsageError(
            f"trainer: {function.__qualname__} must be a function at the top of a file, where "
            "worker processes find it. In a notebook, begin its cell with `%%writefile train.py`, "
            'and use `trainer="train.py:train"`.'
        )
    return f"{path}:{function.__name__}"


def digest_of(name: str, path: str) -> str:
    """Return the digest of a trainer's code; `path` is that of its file, "" for a module."""
    digest = hashlib.sha256()
    if not path:
        digest.update(_version(name.partition(":")[0].partition(".")[0]).encode())
    for file in files_of(name, path):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:32]


def files_of(name: str, path: str) -> list[Path]:
    """Return the files that a trainer's digest is of."""
    if path:
        return sorted(_local_files(Path(path), {}))
    file = _module_file(name.partition(":")[0])
    return [file] if file else []


def _local_files(path: Path, seen: dict[Path, None]) -> dict[Path, None]:
    """Return a file with all that it imports from its folder, and so on."""
    seen[path] = None
    for module in _imports(path):
        folder = path.parent / module
        package = sorted(folder.rglob("*.py")) if (folder / "__init__.py").is_file() else []
        for file in (path.parent / f"{module}.py", *package):
            if file.is_file() and file not in seen:
                _local_files(file, seen)
    return seen


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def _names_of(path: Path) -> set[str]:
    """Return the names that a file defines at its top."""
    names: set[str] = set()
    tree = _tree(path)
    compile(tree, path.name, "exec", dont_inherit=True)  # finds what no program can be
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def _tree(path: Path) -> ast.Module:
    with path.open("rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"it is larger than {LARGEST_BYTES:,} bytes")
    return ast.parse(content)


def _module_file(module: str) -> Path | None:
    """Return a module's file, found without importing its package."""
    top, *inner = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return Path(spec.origin)
    package = Path(spec.origin).parent.joinpath(*inner)
    candidates = (package.with_suffix(".py"), package / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes long

    try:
        return version(package)
    except PackageNotFoundError:
        return ""
