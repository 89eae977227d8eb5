"""Reading specifications: studies that ship, TOML files, keys set on the command line."""

from __future__ import annotations

import copy
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sweeps.data.files.file_sources import is_file, read_bytes
from sweeps.data.registry import NAMES, OPENML_START, SourceError, read_source
from sweeps.errors import (
    Problem,
    ResourceError,
    SpecificationError,
    UsageError,
    did_you_mean,
    refuse_links,
    shown,
)
from sweeps.spec.model import toml_value

SPECIFICATION = "study.toml"  # in the folder of a study that has no file elsewhere
LARGEST_BYTES = 1_000_000  # of a specification; a larger file is something else
DEEPEST = 32  # tables and lists within each other

_TOO_DEEP = f"holds more than {DEEPEST} tables and lists within each other."

_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DEEP_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*+(?:{_PART}\.[ \t]*+){{{DEEPEST}}}", re.MULTILINE)
"""A dotted key that is too deep: reading it takes the square of its length."""


def preset_names() -> list[str]:
    """Return the names of the studies that ship."""
    folder = resources.files("sweeps.spec") / "presets"
    return sorted(Path(entry.name).stem for entry in folder.iterdir())


def is_study(target: str) -> bool:
    """Return whether a word of the command line is meant as a study, not as data."""
    named = target in NAMES or target.startswith(OPENML_START) or is_file(target)
    return target in preset_names() or target.endswith(".toml") or not named


def read_target(target: str) -> tuple[str, dict[str, Any]]:
    """Return what to call a specification in messages, and its keys as written, with a name."""
    if target in preset_names():
        text = (resources.files("sweeps.spec") / "presets" / f"{target}.toml").read_text("utf-8")
        return f"preset {target}", {"name": target} | tomllib.loads(text)
    path = Path(target)
    if path.suffix != ".toml":
        raise UsageError(
            f"{shown(target)} is neither a study that ships ({', '.join(preset_names())}) nor a "
            f"TOML file.{did_you_mean(target, preset_names())}"
        )
    content = read_bytes(path, LARGEST_BYTES, UsageError, "a specification is smaller")
    return target, {"name": path.stem} | _parse(target, content)


def folder_of(target: str) -> Path:
    """Return what relative paths in a specification are relative to."""
    return Path() if target in preset_names() else Path(target).parent


def _parse(source: str, content: bytes) -> dict[str, Any]:
    try:
        keys = _loaded(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        text = f"is not UTF-8: byte {error.start} is {content[error.start]:#04x}."
        raise SpecificationError(source, [Problem("file", text)]) from None
    except ValueError as error:
        # A whole number of thousands of digits is one, too.
        text = _TOO_DEEP if error.args == (_TOO_DEEP,) else f"is not TOML: {error}."
        raise SpecificationError(source, [Problem("file", text)]) from None
    if not keys:
        raise SpecificationError(source, [Problem("file", "is empty.")])
    return keys


def _loaded(text: str) -> dict[str, Any]:
    """Return what TOML says; a value error if it is none, or too deep."""
    if _DEEP_KEY.search(text):
        raise ValueError(_TOO_DEEP)
    try:
        keys = tomllib.loads(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    inside: list[Any] = [keys]
    for _ in range(DEEPEST + 1):
        tables = [[*item.values()] if isinstance(item, dict) else item for item in inside]
        inside = [item for items in tables for item in items if isinstance(item, dict | list)]
    if inside:
        raise ValueError(_TOO_DEEP)
    return keys


def with_settings(keys: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Return keys with some of them replaced by settings such as `schedule.kind='cosine'`."""
    changed = copy.deepcopy(dict(keys))
    problems = [problem for setting in settings for problem in _set(changed, setting)]
    if problems:
        raise SpecificationError("--set", problems)
    return changed


def _set(keys: dict[str, Any], setting: str) -> list[Problem]:
    if not is_utf8(setting):
        return [Problem(shown(setting), "must be UTF-8.")]
    path, equals, text = setting.partition("=")
    *above, last = (part.strip() for part in path.split("."))
    try:
        value = _loaded(f"value = {text}")
    except ValueError:
        value = {}
    if len(above) > DEEPEST:
        return [Problem(shown(path), f"must be a path of at most {DEEPEST} keys.")]
    if not (equals and last and [*value] == ["value"]):
        return [Problem(shown(setting), f"must be KEY=VALUE, VALUE in TOML.{_quotes(path, text)}")]
    table: Any = keys
    for part in above:
        table = table.setdefault(part, {}) if isinstance(table, dict) else table
    if not isinstance(table, dict):
        return [Problem(path, f"leads nowhere: it passes {shown(table)}, which is no table.")]
    table[last] = value["value"]
    return []


def _quotes(path: str, text: str) -> str:
    word = text.strip()
    if not path.strip() or not re.fullmatch(r"[\w .:/@-]+", word):
        return ""
    return f" Text needs quotes: '{path.strip()}=\"{word}\"'."


def is_utf8(text: str) -> bool:
    """Return whether a word of the command line is UTF-8; Python reads the rest as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def write_study(folder: Path, keys: Mapping[str, Any], origin: str) -> None:
    """Write a specification into the folder of its study, for `bpsweep run` to go on."""
    lines = [
        f"# {origin}",
        f"# `bpsweep run {SPECIFICATION} --out .` in this folder runs what is missing of it.",
        *(f"{key} = {toml_value(value)}" for key, value in keys.items()),
    ]
    refuse_links(folder / SPECIFICATION)
    (folder / SPECIFICATION).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_new(path: Path, text: str) -> None:
    """Write a file that does not exist yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already. Choose another --out.") from None
    except OSError as error:
        raise ResourceError(f"{path} can't be written: {error.strerror}.") from None


@dataclass(frozen=True)
class NamedData:
    """Data that exist, as far as is known before they are loaded."""

    data: str  # a dataset's name, or a file
    parameters: Mapping[str, Any]  # of the dataset or the file

    def written(self, folder: Path) -> object:
        """Return what a specification writes for the data."""
        if is_file(self.data):
            path = Path(os.path.relpath(self.data, folder)).as_posix()
            return {**self.parameters, "path": path}
        return {**self.parameters, "name": self.data} if self.parameters else self.data


def named_data(
    command: str,
    data: str,
    targets: Sequence[str],
    settings: Sequence[str],
    also: Iterable[Problem] = (),
) -> NamedData:
    """Return the data that a command names, or raise every mistake there is."""
    problems = [*also]
    texts = [("data", data), *(("--target", target) for target in targets)]
    unwritable = [
        Problem(path, f"must be UTF-8, as specifications are, but is {shown(text)}.")
        for path, text in texts
        if not is_utf8(text)
    ]
    if unwritable:
        raise SpecificationError(command, [*problems, *unwritable])
    parameters = with_settings({}, settings)
    if targets and data not in NAMES:
        parameters["target"] = targets[0] if len(targets) == 1 else list(targets)
    elif targets:
        text = f"goes with a file, but {shown(data)} has a target of its own."
        problems.append(Problem("--target", text))
    named = NamedData(data, parameters)
    try:
        read_source(named.written(Path()), folder=Path())
    except SourceError as error:
        problems += map(_named, error.problems)
    if problems:
        raise SpecificationError(command, problems)
    return named


def _named(problem: Problem) -> Problem:
    """Return a mistake under the name it has on the command line."""
    options = ("target", "ignore", "task", "missing", "sample")
    names = {"": "data", ".path": "data", ".name": "data"}
    names |= {f".{option}": f"--{option}" for option in options}
    name = names.get(problem.path, f"--set {problem.path.removeprefix('.')}")
    return Problem(name, problem.text, about_data=problem.about_data)
