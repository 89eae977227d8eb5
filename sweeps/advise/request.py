"""What `bpsweep recommend` is asked for: checked, every mistake at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.data.files.file_sources import is_file
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.errors import Problem
from sweeps.spec import named_data

COMMAND = "recommend"


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    dataset: object  # as the specification writes it, paths relative to the folder
    name: str
    folder: Path
    jobs: int

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

    return Request(named.written(folder), name, folder, jobs_of("loky", jobs, None))


def name_of(data: str) -> str:
    """Return a study's name for data."""
    base = Path(data).stem if is_file(data) else data
    return re.sub(r"[^A-Za-z0-9._-]+", "-", base).strip("-._")[:64] or "data"
