"""What a worker process executes. Imports nothing heavy; failures of training are data."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

import numpy as np

from bpengine import Curves, Examples, Split, Trainer, Training, evaluate
from bpengine.diagnostics.sharpness import sharpness, top_eigenvalue
from bpengine.network import Array, permutation
from sweeps.data import Dataset, Preparation, Source, prepare
from sweeps.data.splits import target_scaling
from sweeps.design import Cohort, EngineConfiguration
from sweeps.design.engine_recipe import recipe_of
from sweeps.errors import DataError, EnvironmentFailedError
from sweeps.machine import threads
from sweeps.worker.branching import Branch, branch_runs, in_branch
from sweeps.worker.checkpoints import (
    EVERY_SECONDS,
    checkpoint_path,
    read_checkpoint,
    write_checkpoint,
)
from sweeps.worker.processes import Abandoned, abandoned
from sweeps.worker.workspace import Workspace, handed_over

OK, DIVERGED, ERROR, CRASHED, TIMEOUT = "ok", "diverged", "error", "crashed", "timeout"

CURVE_WIDTH = len(fields(Curves)) + 2
"""Columns of a curve: examples, updates, train loss and metric, validation loss and metric,
gradient trace, squared norm of the gradient, the same two of curvature and of the optimizer's
geometry; of a branch, where it left the run, and its batch size."""

_METRICS = [3, 5]  # among them
_SETS = ("train", "validation", "test")
FINAL_VALUES = (
    *(f"{name}_{value}" for name in _SETS for value in ("loss", "metric")),
    *("sharpness", "top_eigenvalue"),
)
"""Fields of an outcome that only a trial whose status is ok has."""

MOST_SHARP = 2048  # training examples over which sharpness is measured
PREPARED_BYTES = 2**28  # how much prepared data a worker keeps for the cohorts that come


@dataclass(frozen=True)
class Outcome:
    """What a trial gave, as in `TRIAL_COLUMNS`; NaN, or -1 updates, where there is nothing."""

    trial: str  # its identity
    status: str
    error: str = ""  # traceback, or what ended its process, or which limit it passed
    diverged_at_update: int = -1
    stopped_at_update: int = -1
    updates: int = 0
    examples: int = 0
    judged_at_update: int = -1
    train_loss: float = np.nan
    train_metric: float = np.nan
    validation_loss: float = np.nan
    validation_metric: float = np.nan
    test_loss: float = np.nan
    test_metric: float = np.nan
    sharpness: float = np.nan
    top_eigenvalue: float = np.nan
    train_seconds: float = 0.0  # its share of its cohort's time before its own end, in all sessions
    started: float = np.nan  # its cohort's last session, in seconds since 1970 (UTC)
    ended: float = np.nan
    curve: Annotated[Array, "point column"] = field(
        default_factory=lambda: np.empty((0, CURVE_WIDTH))  # to its own end
    )


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread meanwhile: bits may depend on their number."""
    # The number is the whole process's: whoever starts threads enters this before, not they.
    with threads().limit(limits=1, user_api="blas"):
        _check_one_thread()
        yield


@functools.cache
def limit_blas() -> None:
    """Let BLAS use one thread from now on, in a process that does nothing else."""
    threads().limit(limits=1, user_api="blas")
    _check_one_thread()


def _check_one_thread() -> None:
    counts = {
        library["num_threads"] for library in threads().info() if library["user_api"] == "blas"
    }
    if counts - {1}:
        raise EnvironmentFailedError(
            f"BLAS uses {max(counts)} threads and can't be set to use one: another thread of this "
            "process controls it."
        )


def run_cohort(
    cohort: Cohort, workspace: Workspace | None = None, trial_seconds: float | None = None
) -> list[Outcome]:
    """Train a cohort and return what each of its trials gave, seed by seed."""
    configuration = cohort.configuration
    assert isinstance(configuration, EngineConfiguration)  # noqa: S101 - others have another way
    checkpoint = _Checkpoint(cohort, workspace)
    dataset = _dataset(configuration.source, configuration.fingerprint, workspace)
    parts = [_prepared(dataset, configuration.preparation, seed) for seed in cohort.seeds]
    splits = [split for split, _ in parts]
    recipe = recipe_of(configuration)
    settings = [dict(values) for values in cohort.settings]
    trainer = Trainer(configuration.architecture, splits, settings, recipe)
    limit = None if trial_seconds is None else trial_seconds * len(checkpoint.trials)
    branches: list[tuple[Branch, Training]] = []
    if configuration.branching:
        in_time = _train_branches(trainer, cohort, limit, branches)
    else:
        in_time = _train(trainer, checkpoint, limit, timed=recipe.budget.seconds is not None)
    trained, units = trainer.result(), _units(dataset, configuration, cohort.seeds)
    seconds = trained.seconds / len(checkpoint.trials)
    late = np.full(seconds.shape, "", object)
    if not in_time:
        late[trainer.networks.active] = [
            f"Took {took:.3g} s, more than the {trial_seconds:g} s allowed."
            for took in seconds[trainer.networks.active]
        ]
    finals = _finals(configuration, trained, parts)
    started, ended = checkpoint.times()
    lanes = itertools.product(range(len(cohort.seeds)), range(len(cohort.settings)))
    return [
        replace(
            _outcome(
                *(trial, configuration, trained, finals[(..., *lane)], lane),
                branches=branches,
                late=late[lane],
                unit=units[lane[0]],
            ),
            train_seconds=float(seconds[lane]),
            started=started,
            ended=ended,
        )
        for trial, lane in zip(checkpoint.trials, lanes, strict=True)
    ]


def _finals(
    configuration: EngineConfiguration, trained: Training, parts: Sequence[_Prepared]
) -> Annotated[Array, "final_value seed setting"]:
    """Return test loss and metric, sharpness and top eigenvalue; NaN for what is not asked for."""
    network = (configuration.architecture, trained.parameters)
    finals = np.full((4, *trained.seconds.shape), np.nan)
    if configuration.evaluate_test:
        asked = {name: getattr(configuration, name) for name in ("loss", "metric", "numerics")}
        finals[:2] = evaluate(*network, [test for _, test in parts], **asked)
    if configuration.sharpness:
        examples = []
        for split, _ in parts:
            rows = permutation(split.seed, "sharpness", len(split.train.inputs))[:MOST_SHARP]
            examples.append(Examples(split.train.inputs[rows], split.train.targets[rows]))
        finals[2] = sharpness(*network, examples, loss=configuration.loss)
        finals[3] = top_eigenvalue(*network, examples, loss=configuration.loss).value
    return finals


def failed(cohort: Cohort, status: str, error: str) -> list[Outcome]:
    """Return the outcomes of trials that gave nothing."""
    return [Outcome(trial.identity, status, error) for trial in cohort.trials]


CUT_SECONDS = 0.5
"""Training is cut about so often, to look at limits; more rarely the longer it takes."""

LARGEST_CUT_SECONDS = 5.0


class _Checkpoint:
    """The checkpoint of one cohort, its trials, and when this session trains it."""

    def __init__(self, cohort: Cohort, workspace: Workspace | None) -> None:
        self.trials = [trial.identity for trial in cohort.trials]
        folder = workspace.checkpoints if workspace else None
        self._path = checkpoint_path(folder, self.trials) if folder and folder.is_dir() else None
        self._started = self._written = time.monotonic()
        self._began = time.time()

    def times(self) -> tuple[float, float]:
        """Return when this session began and ended its part."""
        return self._began, self._began + time.monotonic() - self._started

    def resume(self, trainer: Trainer) -> int:
        """Bring a trainer to where the last session left it, and return its examples so far."""
        state = self._path and read_checkpoint(self._path, self.trials)
        if not state:
            return 0
        trainer.restore(state)
        return int(state["examples"])

    def keep(self, trainer: Trainer) -> None:
        """Write a checkpoint if the last is old enough."""
        if self._path and time.monotonic() - self._written >= EVERY_SECONDS:
            write_checkpoint(self._path, self.trials, trainer.state())
            self._written = time.monotonic()


def _train(trainer: Trainer, checkpoint: _Checkpoint, limit: float | None, *, timed: bool) -> bool:
    """Train to the end of the budget and return whether that was within the limit."""
    if timed:
        # Every cut would give the budget's seconds anew.
        trainer.run()
        return True
    seen = checkpoint.resume(trainer)
    until, rate = seen + 1, 0.0
    while trainer.networks.active.any():
        updates, started = trainer.networks.updates, time.monotonic()
        trainer.run(until_examples=until)
        if trainer.networks.updates == updates:
            return True
        if abandoned.is_set():
            raise Abandoned
        spent = trainer.seconds.max()
        if limit is not None and spent > limit:
            return False
        checkpoint.keep(trainer)
        rate = (until - seen) / max(time.monotonic() - started, 1e-6)
        pause = min(max(CUT_SECONDS, spent / 20), LARGEST_CUT_SECONDS)
        pause = pause if limit is None else min(pause, limit / 10)
        seen, until = until, until + max(1, int(rate * pause))
    return True


def _train_branches(
    trainer: Trainer, cohort: Cohort, limit: float | None, branches: list[tuple[Branch, Training]]
) -> bool:
    """Train with branches, which the list takes, and return whether that was within the limit."""
    began = time.monotonic()
    settings = [dict(values) for values in cohort.settings]
    for branch in branch_runs(trainer, cohort.configuration, settings):
        branches.append(branch)
        if abandoned.is_set():
            raise Abandoned
        if limit is not None and time.monotonic() - began > limit:
            return False
    return True


@functools.lru_cache(maxsize=4)
def _dataset(source: Source, fingerprint: str, workspace: Workspace | None) -> Dataset:
    dataset = handed_over(fingerprint, workspace.data) if workspace else None
    if dataset is None:
        from sweeps.data import registry as datasets  # noqa: PLC0415 - whom data are handed to needs no reader

        dataset = datasets.load(source)
    if dataset.fingerprint != fingerprint:
        raise DataError(
            f"{dataset.name} is not what it was when the study was planned: its fingerprint is "
            f"{dataset.fingerprint}, not {fingerprint}."
        )
    return dataset


_Prepared = tuple[Split, Examples]
_prepared_parts: dict[tuple[str, Preparation, int], _Prepared] = {}


def _prepared(dataset: Dataset, preparation: Preparation, seed: int) -> _Prepared:
    # The cohorts of a worker share their seeds: each split is made once, if there is room for it.
    key = (dataset.fingerprint, preparation, seed)
    parts = _prepared_parts.get(key)
    if parts is None:
        parts = prepare(dataset, preparation, seed)
        if sum(map(_bytes, _prepared_parts.values())) + _bytes(parts) > PREPARED_BYTES:
            _prepared_parts.clear()
        _prepared_parts[key] = parts
    return parts


def _bytes(parts: _Prepared) -> int:
    split, test = parts
    return sum(
        part.inputs.nbytes + part.targets.nbytes for part in (split.train, split.held_out, test)
    )


def _units(
    dataset: Dataset, configuration: EngineConfiguration, seeds: Sequence[int]
) -> list[float]:
    """Return by what each seed's metric is multiplied: what its single target was divided by."""
    if configuration.metric != "neg_mae" or configuration.widths[-1] > 1:
        return [1.0] * len(seeds)
    scales = [target_scaling(dataset, configuration.preparation, seed)[1] for seed in seeds]
    return [float(scale.item()) for scale in scales]


def _outcome(
    trial: str,
    configuration: EngineConfiguration,
    trained: Training,
    finals: Annotated[Array, "4"],
    lane: tuple[int, int],
    *,
    branches: Sequence[tuple[Branch, Training]],
    late: str,
    unit: float,
) -> Outcome:
    """Return what one lane gave; when is still open."""
    diverged_at, updates = int(trained.diverged_at_update[lane]), int(trained.updates[lane])
    run = in_branch(_curve(trained.curves, lane))
    curve = np.vstack([run, *(_branch_curve(*each, lane) for each in branches)])
    curve[:, _METRICS] *= unit
    finals = finals * [1, unit, 1, 1]
    outcome = replace(
        Outcome(trial, TIMEOUT if late else DIVERGED, late),
        diverged_at_update=diverged_at,
        stopped_at_update=int(trained.stopped_at_update[lane]),
        updates=updates,
        examples=int(trained.examples[lane]),
        curve=curve,
    )
    if late or diverged_at >= 0:
        return outcome
    if configuration.evaluate_test and not np.isfinite(finals[0]):
        return replace(outcome, diverged_at_update=updates)
    run = curve[: len(run)]
    judged = run[-1] if configuration.patience is None else run[np.argmin(run[:, 4])]
    _, judged_at, *values = judged[:6].tolist()
    return replace(
        outcome,
        status=OK,
        judged_at_update=int(judged_at),
        **dict(zip(FINAL_VALUES, (*values, *finals.tolist()), strict=True)),
    )


def _branch_curve(branch: Branch, trained: Training, lane: tuple[int, int]) -> Array:
    diverged = trained.diverged_at_update[lane] >= 0
    return in_branch(_curve(trained.curves, lane), branch, diverged=diverged)


def _curve(curves: Curves, lane: tuple[int, int]) -> Array:
    values = [getattr(curves, column.name) for column in fields(curves)]
    at_lane = [value if value.ndim == 1 else value[(slice(None), *lane)] for value in values]
    curve = np.stack(at_lane, axis=1)
    # At the evaluations after its end a lane has no loss.
    return curve[np.isfinite(curve[:, 2])]
