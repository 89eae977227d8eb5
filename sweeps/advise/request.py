"""What `bpsweep recommend` is asked for: checked, every mistake at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.data.files.file_sources import file_of, is_file, parameters_of_file
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.errors import Problem
from sweeps.spec import named_data

COMMAND = "recommend"
LARGE_BYTES, SAMPLE = 1_000_000, 20_000  # of a file that is sampled, for each minute: rows of it
ENOUGH_MINUTES = 10.0  # for what is read of any file


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    dataset: object  # as the specification writes it, paths relative to the folder
    name: str
    folder: Path
    jobs: int
    sample: int = 0  # rows of a large file, by the time; 0 for all, or as `dataset` says

    @property
    def sampled_dataset(self) -> object:
        """The dataset with the sample that a new study takes."""
        if not isinstance(self.dataset, dict) or not self.sample:
            return self.dataset
        return self.dataset | {"sample": self.sample}

    def is_of(self, dataset: object) -> bool:
        """Return whether a study has this dataset, whatever sample was chosen for its time."""
        if isinstance(dataset, dict) and isinstance(self.dataset, dict):
            asked = "sample" in self.dataset
            dataset = {key: dataset[key] for key in dataset if asked or key != "sample"}
        return dataset == self.dataset

    def experiment(self, keys: Mapping[str, Any]) -> Experiment:
        """Return the study of a specification."""
        return experiment_of(keys, COMMAND, self.folder)

    def seconds(self, experiment: Experiment) -> float:
        """Return the predicted seconds of what a study lacks."""
        from sweeps.manage.forecast import forecast  # noqa: PLC0415 - a refusal needs no pandas

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
    """Return a request, or raise every mistake in it."""
    problems = []
    if not (math.isfinite(minutes) and minutes > 0):
        problems.append(Problem("--minutes", f"must be above 0, but is {minutes:g}."))
    named = named_data(COMMAND, data, targets, settings, problems)
    name = name_of(data)
    folder = out or Path(f"{name}-recommendation")
    from sweeps.run import jobs_of  # noqa: PLC0415 - a refusal needs no pandas

    sample = _sample(data, named.parameters, minutes)
    return Request(named.written(folder), name, folder, jobs_of("loky", jobs, None), sample)


def _sample(data: str, parameters: Mapping[str, Any], minutes: float) -> int:
    """Return how many rows of a file minutes allow, where it is large and nothing else is said."""
    path, _ = file_of(data)
    can_be = is_file(data) and "sample" in parameters_of_file(path.name).model_fields
    if not can_be or "sample" in parameters or minutes > ENOUGH_MINUTES:
        return 0
    return math.ceil(minutes * SAMPLE) if path.stat().st_size > minutes * LARGE_BYTES else 0


def name_of(data: str) -> str:
    """Return a study's name for data."""
    base = Path(data).stem if is_file(data) else data
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._")[:64] or "data"
