"""What `bpsweep recommend` is asked for, every mistake at once; the study that data describe."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.advise._grid_choice import network_for
from sweeps.data.facts import share_of_largest
from sweeps.data.files.file_sources import file_of, is_file, parameters_of_file
from sweeps.data.registry import load, read_source
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.errors import Problem, SpecificationError, UsageError
from sweeps.spec import named_data
from sweeps.spec.load import with_settings

COMMAND = "recommend"
LARGE_BYTES, SAMPLE = 1_000_000, 20_000  # of a file that is sampled, for each minute: rows of it
ENOUGH_MINUTES = 10.0  # for what is read of any file
REPORT_SECONDS, START_SECONDS = 3.5, 2.5  # of the report and of workers, at middling speed
PLAN_SECONDS, READ_BYTES = 2.5, 20e6  # until a study is planned; of a file, read in a second
MOST = 0.9  # of the time that is planned for
LARGEST = 1024  # batch size that is proposed without a study


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    dataset: object  # as the specification writes it, paths relative to the folder
    name: str
    folder: Path
    jobs: int
    sample: int = 0  # rows of a large file, by the time; 0 for all, or as `dataset` says
    trainer: str = ""  # in place of a dataset
    settings: tuple[str, ...] = ()  # keys that are set of a trainer's study

    @property
    def sampled_dataset(self) -> object:
        """The dataset with the sample that a new study takes."""
        if not isinstance(self.dataset, dict) or not self.sample:
            return self.dataset
        return self.dataset | {"sample": self.sample}

    def is_of(self, keys: Mapping[str, Any]) -> bool:
        """Return whether a study is of what is asked for, whatever sample its time allowed."""
        if keys.get("trainer", "") != self.trainer:
            return False
        dataset = keys.get("dataset")
        if isinstance(dataset, dict) and isinstance(self.dataset, dict):
            asked = "sample" in self.dataset
            dataset = {key: dataset[key] for key in dataset if asked or key != "sample"}
        return dataset == self.dataset

    def experiment(self, keys: Mapping[str, Any]) -> Experiment:
        """Return the study of a specification."""
        return experiment_of(with_settings(keys, self.settings), COMMAND, self.folder)

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
    started: float,
    settings: Sequence[str] = (),
) -> Request:
    """Return a request, or raise every mistake in it, or that the machine is too busy for it."""
    named = named_data(COMMAND, data, targets, settings, _problems_of(minutes))
    name = name_of(data)
    folder = out or Path(f"{name}-recommendation")
    path, _ = file_of(data)
    reading = path.stat().st_size / READ_BYTES if is_file(data) else 0.0
    refuse_busy(name, 60 * minutes, time.monotonic() - started, PLAN_SECONDS + reading)
    from sweeps.run import jobs_of  # noqa: PLC0415 - a refusal needs no pandas

    sample = _sample(data, named.parameters, minutes)
    return Request(named.written(folder), name, folder, jobs_of("loky", jobs, None), sample)


def request_of_trainer(
    trainer: str, minutes: float, out: Path | None, jobs: int, settings: Sequence[str]
) -> Request:
    """Return a request for a trainer: its file is named from here, and from the study's folder."""
    if problems := _problems_of(minutes):
        raise SpecificationError(COMMAND, problems)
    where, _, function = trainer.rpartition(":")
    name = name_of(f"{Path(where).stem}-{function}")
    folder = out or Path(f"{name}-recommendation")
    if where.endswith(".py"):
        trainer = f"{Path(os.path.relpath(where, folder)).as_posix()}:{function}"
    from sweeps.run import jobs_of  # noqa: PLC0415 - a refusal needs no pandas

    return Request(
        None,
        name,
        folder,
        jobs_of("loky", jobs, None),
        trainer=trainer,
        settings=tuple(settings),
    )


def _problems_of(minutes: float) -> list[Problem]:
    if math.isfinite(minutes) and minutes > 0:
        return []
    return [Problem("--minutes", f"must be above 0, but is {minutes:g}.")]


def refuse_busy(name: str, total: float, spent: float, further: float = 0.0) -> None:
    """Refuse at once where this process had so little of a processor that nothing would end.

    A process that is old, as that of a notebook, shows nothing of the load.
    """
    waiting = max(1.0, spent / time.process_time())
    least = waiting * (further + REPORT_SECONDS + START_SECONDS)
    if spent + least > total:
        raise too_short(name, total, "a report", (spent + least) / MOST)


def too_short(name: str, total: float, what: str, seconds: float) -> UsageError:
    """Return the error that a time is too short, with about the one that would do."""
    minutes = math.ceil(2 * seconds / 60) / 2
    error = UsageError(
        f"{name}: {total / 60:g} minutes are too few for {what} "
        f"on this machine now; about {minutes:g} would do."
    )
    error.options = (f"--minutes={minutes:g}",)
    return error


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


def keys_for(dataset: object) -> dict[str, Any]:
    """Return the ten keys that matter, for data as a specification of this folder names them."""
    data = load(read_source(dataset, folder=Path()))
    # Six tenths are for training unless the specification says otherwise.
    largest = 2 ** (min(LARGEST, len(data.inputs) * 6 // 10).bit_length() - 1)
    return {
        "dataset": dataset,
        **network_for(data.task, share_of_largest(data)),
        "optimizer": "sgd",
        "batch_sizes": {"powers_of_two": [1, largest]},
        "learning_rates": {"logspace": [0.03, 3.0], "count": 5},
        "epochs": 20,
        "seeds": {"first": 1, "count": 5},
        "confirmation_seeds": {"first": 101, "count": 10},
    }
