"""Data as a command names them: a dataset or a file, its targets and other parameters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.data.files.file_sources import is_file
from sweeps.data.registry import NAMES, SourceError, read_source
from sweeps.errors import Problem, SpecificationError, shown
from sweeps.spec.load import is_utf8, with_settings


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
    places = {"": "data", ".path": "data", ".name": "data", ".target": "--target"}
    place = places.get(problem.path, f"--set {problem.path.removeprefix('.')}")
    return Problem(place, problem.text, about_data=problem.about_data)
