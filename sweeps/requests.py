"""What `bpsweep recommend` is asked for: checked, every mistake at once."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.backends import jobs_of
from sweeps.checking import experiment_of
from sweeps.datasets import SourceError, read_source
from sweeps.errors import Problem, SpecificationError, shown
from sweeps.files import FORMATS
from sweeps.forecast import forecast
from sweeps.reading import with_settings
from sweeps.stages import Experiment

COMMAND = "recommend"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        dataset: What the specification writes for the data, paths relative to the folder.
        name: The study's name.
        folder: The study's folder, new or holding the same study.
        jobs: Worker processes.
    """

    dataset: object
    name: str
    folder: Path
    jobs: int

    def experiment(self, keys: Mapping[str, Any]) -> Experiment:
        """Return the study of a specification.

        Args:
            keys: The specification.

        Raises:
            SpecificationError: With every mistake there is.
        """
        return experiment_of(keys, COMMAND, self.folder)

    def seconds(self, experiment: Experiment) -> float:
        """Return the predicted seconds of what a study lacks.

        Args:
            experiment: The study.
        """
        return forecast(experiment, self.jobs, self.folder).seconds


def request_of(
    data: str,
    targets: Sequence[str],
    minutes: float,
    out: Path | None,
    jobs: int,
    *,
    settings: Sequence[str] = (),
) -> Request:
    """Return a request.

    Args:
        data: A dataset's name, or a file.
        targets: Columns of the file to learn.
        minutes: The time there is.
        out: The study's folder; None for one named after the data.
        jobs: Worker processes; -1 for as many as there are cores.
        settings: Parameters of the data, such as `missing="mean"`.

    Raises:
        SpecificationError: With every mistake there is.
        UserError: The number of jobs is none.
    """
    is_file = Path(data).suffix.lower() in FORMATS
    problems = []
    if not (math.isfinite(minutes) and minutes > 0):
        problems.append(Problem("--minutes", f"must be above 0, but is {minutes:g}."))
    if targets and not is_file:
        text = f"goes with a file, but {shown(data)} has a target of its own."
        problems.append(Problem("--target", text))
    target = targets[0] if len(targets) == 1 else list(targets)
    rest = with_settings({}, settings) | ({"target": target} if targets else {})
    try:
        read_source(_written(data, data, rest, is_file=is_file), folder=Path())
    except SourceError as error:
        problems += [_named(one) for one in error.problems]
    if problems:
        raise SpecificationError(COMMAND, problems)
    name = name_of(data)
    folder = out or Path(f"{name}-recommendation")
    path = Path(os.path.relpath(data, folder)).as_posix()
    written = _written(data, path, rest, is_file=is_file)
    return Request(written, name, folder, jobs_of("loky", jobs, None))


def _written(data: str, path: str, rest: Mapping[str, Any], *, is_file: bool) -> object:
    """Return what a specification writes for data."""
    if is_file:
        return {**rest, "path": path}
    return {**rest, "name": data} if rest else data


def _named(problem: Problem) -> Problem:
    """Return a mistake under the name it has on the command line."""
    places = {"": "data", ".path": "data", ".name": "data", ".target": "--target"}
    place = places.get(problem.path, f"--set {problem.path.removeprefix('.')}")
    return Problem(place, problem.text, about_data=problem.about_data)


def name_of(data: str) -> str:
    """Return a study's name for data.

    Args:
        data: A dataset's name, or a file.

    Example:
        >>> name_of("digits"), name_of("in/my data.csv"), name_of("openml:mnist_784@1")
        ('digits', 'my-data', 'openml-mnist_784-1')
    """
    base = Path(data).stem if Path(data).suffix in FORMATS else data
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._")[:64] or "data"
