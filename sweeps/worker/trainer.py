"""A trial of a user's trainer: what the trainer is handed, and what is made of what it yields."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from reports.schema import TENSOR
from sweeps.data import Source
from sweeps.data.trainer_code import digest_of
from sweeps.design import Cohort, TrainerConfiguration, Trial
from sweeps.design.engine_recipe import evaluation_cadence, totals_of
from sweeps.errors import UserError, shown
from sweeps.worker.measure import LEAST_SECONDS, Round
from sweeps.worker.train import (
    CURVE_WIDTH,
    DIVERGED,
    FINAL_VALUES,
    OK,
    TIMEOUT,
    Abandoned,
    Outcome,
    abandoned,
)
from sweeps.worker.workspace import Workspace

SHARES = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc")  # metrics from 0 to 1
TRAINER_ROUNDS, LEAST_UPDATES = 5, 3  # rounds of timing, and updates of each
OVERRUN = 1.05  # times the budget that an evaluation may be beyond, besides a batch
_VALUES = FINAL_VALUES[:4]


class TrainerError(UserError):
    """A trainer did what the protocol doesn't allow."""


class _OutOfTimeError(BaseException):
    """A trial took longer than it may."""


@dataclass
class Clock:
    """Seconds of training: it stops while a trainer evaluates."""

    limit: float | None = None
    seconds: float = 0.0
    _since: float | None = None

    def start(self) -> None:
        """Go on."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stand still; raise what ends a trial that is out of time, or that nobody waits for."""
        if self._since is not None:
            self.seconds += time.perf_counter() - self._since
            self._since = None
        if abandoned.is_set():
            raise Abandoned
        if self.limit is not None and self.seconds > self.limit:
            raise _OutOfTimeError


@dataclass(frozen=True)
class Evaluation:
    """What a trainer yields: made by `TrainerTrial.evaluation`."""

    point: tuple[float, ...]  # a row of the curve
    test: tuple[float, float]  # loss and metric
    diverged: bool

    @property
    def examples(self) -> int:
        """Examples processed before it."""
        return int(self.point[0])

    @property
    def updates(self) -> int:
        """Updates made before it."""
        return int(self.point[1])


@dataclass
class TrainerTrial:
    """One trial of a study, as a training function is handed it.

    Attributes:
        batch_size: Examples of an update.
        learning_rate: Factor of the gradient.
        seed: Of everything random, at least 0.
        parameters: What `[parameters]` of the study says, by name.
        updates: Updates of the whole budget.
        examples: Examples of the whole budget. Training ends there by itself: a trainer may go on.
        evaluate_test: Whether evaluations have test values: on fresh seeds only.
        folder: Where checkpoints may lie. A trial that was cut off is called again with the same.
        timing: Whether only updates are timed; what isn't part of one may be left out.
        training_examples: Examples of an epoch, if the study says so. A trainer may set it for
            `bpsweep recommend`.
    """

    batch_size: int
    learning_rate: float
    seed: int
    parameters: Mapping[str, Any]
    updates: int
    examples: int
    evaluate_test: bool
    folder: Path
    training_examples: int = 0
    timing: bool = False
    metric: str = field(default="", repr=False)
    cadence: tuple[int, ...] = field(default=(), repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)
    tick: Callable[[int], None] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, trial: Trial, folder: Path, clock: Clock) -> TrainerTrial:
        """Return what is handed on of a trial."""
        configuration = trial.configuration
        assert isinstance(configuration, TrainerConfiguration)  # noqa: S101 - others don't come here
        updates, examples = totals_of(configuration)
        return cls(
            batch_size=configuration.batch_size,
            learning_rate=trial.learning_rate,
            seed=trial.seed,
            parameters=dict(configuration.parameters),
            updates=updates,
            examples=examples,
            evaluate_test=configuration.evaluate_test,
            folder=folder,
            training_examples=configuration.train_items,
            metric=configuration.metric,
            cadence=evaluation_cadence(configuration)[::-1],
            clock=clock,
        )

    def due(self, *, examples: int, updates: int | None = None) -> bool:
        """Return whether an evaluation is to be yielded now; to be called after every update.

        Args:
            examples: Examples processed so far.
            updates: Updates made so far; if not given, the batches that the examples fill.
        """
        if self.tick:
            self.tick(self._updates(examples, updates))
            return False
        remaining = [point for point in self.cadence if point > examples]
        passed = len(remaining) < len(self.cadence) and examples > 0
        self.cadence = tuple(remaining)
        self.clock.stop()
        if not passed:
            self.clock.start()
        return passed

    def evaluation(
        self,
        *,
        examples: int,
        updates: int | None = None,
        train_loss: float | None = None,
        train_metric: float | None = None,
        validation_loss: float | None = None,
        validation_metric: float | None = None,
        test_loss: float | None = None,
        test_metric: float | None = None,
        gradient_norms: Mapping[int, float] | None = None,
        diverged: bool = False,
    ) -> Evaluation:
        """Return an evaluation, to be yielded.

        Args:
            examples: Examples processed so far.
            updates: Updates made so far; if not given, the batches that the examples fill.
            train_loss: Mean loss of the training examples, if known.
            train_metric: The study's metric on them, if known.
            validation_loss: Mean loss of the validation examples; if the study names no metric it
                is what is judged, otherwise it may be unknown.
            validation_metric: The study's metric on them.
            test_loss: The same of the test examples, if `evaluate_test` and never else; the last
                evaluation must have it, those before it need not.
            test_metric: The metric on them.
            gradient_norms: Squared norms of the gradient of a small and of a large batch by their
                sizes, which give the noise scale (McCandlish et al. 2018, appendix A.1).
            diverged: Whether training has failed; so it has where a loss or metric isn't finite.

        Raises:
            TrainerError: A value is missing, or is there before it may be known.
        """
        values = {
            "train_loss": train_loss,
            "train_metric": train_metric,
            "validation_loss": validation_loss,
            "validation_metric": validation_metric,
            "test_loss": test_loss,
            "test_metric": test_metric,
        }
        numbers = {n: np.nan if value is None else float(value) for n, value in values.items()}
        known = {name: number for name, number in numbers.items() if values[name] is not None}
        failed = diverged or not np.isfinite([*known.values()]).all()
        if not failed:
            self._check(known)
        if self.metric == "neg_loss":
            for part in ("train", "validation", "test"):
                numbers[f"{part}_metric"] = -numbers[f"{part}_loss"]
        elif self.metric.startswith("neg_"):
            for part in ("train", "validation", "test"):
                numbers[f"{part}_metric"] *= -1
        counts = (float(examples), float(self._updates(examples, updates)))
        noise = _noise(gradient_norms) if gradient_norms else (np.nan, np.nan)
        point = (*counts, *(numbers[name] for name in _VALUES), *noise, np.nan, np.nan)
        return Evaluation(point, (numbers["test_loss"], numbers["test_metric"]), bool(failed))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep what is no training out of its time, such as loading data."""
        self.clock.stop()
        yield
        self.clock.start()

    def _updates(self, examples: int, updates: int | None) -> int:
        return -(-int(examples) // self.batch_size) if updates is None else int(updates)

    def _check(self, known: Mapping[str, float]) -> None:
        """Refuse values that are missing, too early, or in percent."""
        early = sorted({"test_loss", "test_metric"} & known.keys())
        if early and not self.evaluate_test:
            raise TrainerError(
                f"{' and '.join(early)} must be given only where `trial.evaluate_test` is true: "
                "what chooses rates does not see the test set."
            )
        judged = "validation_loss" if self.metric == "neg_loss" else "validation_metric"
        if judged not in known:
            raise TrainerError(f"An evaluation must have {judged}.")
        for name, value in known.items():
            if name.endswith("metric") and self.metric in SHARES and not 0 <= value <= 1:
                raise TrainerError(f"{name} is {value:g}, but {self.metric} is from 0 to 1.")


def _noise(gradient_norms: Mapping[int, float]) -> tuple[float, float]:
    """Return trace of the gradients' covariance and squared norm of the mean, unbiased."""
    if len(gradient_norms) != 2 or min(gradient_norms) < 1:  # noqa: PLR2004
        raise TrainerError(
            "gradient_norms must be squared norms by two batch sizes, but is "
            f"{shown(dict(gradient_norms))}."
        )
    (small, of_small), (large, of_large) = sorted(gradient_norms.items())
    trace = (float(of_small) - float(of_large)) / (1 / small - 1 / large)
    return trace, (large * float(of_large) - small * float(of_small)) / (large - small)


def run_trainer(
    cohort: Cohort, workspace: Workspace | None = None, trial_seconds: float | None = None
) -> list[Outcome]:
    """Run a trainer for its one trial and return what that gave."""
    (trial,) = cohort.trials
    clock, began = Clock(trial_seconds), time.time()
    with _alone(trial.seed), _folder(workspace, trial.identity) as folder:
        given = TrainerTrial.of(trial, folder, clock)
        evaluations, late = _evaluations(trial.configuration.source, given)
    outcome = _outcome(trial, given, evaluations, late)
    return [replace(outcome, train_seconds=clock.seconds, started=began, ended=time.time())]


def _evaluations(source: Source, given: TrainerTrial) -> tuple[list[Evaluation], bool]:
    """Return what a trainer yields to the end of its budget, and whether it took too long."""
    evaluations: list[Evaluation] = []
    clock = given.clock
    clock.start()
    try:
        with ExitStack() as stack:
            for evaluation in _yielded(source, given, stack):
                clock.stop()
                _check_order(evaluation, given, evaluations[-1:])
                evaluations.append(evaluation)
                if evaluation.diverged or evaluation.examples >= given.examples:
                    break
                clock.start()
    except _OutOfTimeError:
        return evaluations, True
    return evaluations, False


def _yielded(source: Source, given: TrainerTrial, stack: ExitStack) -> Iterator[Any]:
    """Yield what a trainer yields; the stack ends it."""
    yielding = function_of(source.name, source.path, source.content)(given)
    if not isinstance(yielding, Iterable):
        raise TrainerError(
            f"{source.name} must yield evaluations, but returned {shown(yielding)}: is there a "
            "`yield trial.evaluation(...)` in it?"
        )
    iterator = iter(yielding)
    if close := getattr(iterator, "close", None):
        stack.callback(_closed, close)
    yield from iterator


def _closed(close: Callable[[], None]) -> None:
    # One that goes on yielding is left where it is.
    with suppress(RuntimeError):
        close()


def _check_order(evaluation: object, given: TrainerTrial, last: list[Evaluation]) -> None:
    if not isinstance(evaluation, Evaluation):
        raise TrainerError(
            f"A trainer must yield `trial.evaluation(...)`, but yielded {shown(evaluation)}."
        )
    before = last[0].examples if last else -1
    if evaluation.examples <= before or (last and evaluation.updates < last[0].updates):
        raise TrainerError(
            f"Evaluations must go on, but one after {evaluation.examples} examples came after one "
            f"after {before}."
        )
    most = OVERRUN * given.examples + given.batch_size
    if evaluation.examples > most:
        raise TrainerError(
            f"An evaluation came after {evaluation.examples} examples, but the budget is "
            f"{given.examples}: call `trial.due` after every update."
        )


def _outcome(
    trial: Trial, given: TrainerTrial, evaluations: list[Evaluation], late: bool
) -> Outcome:
    """Return what evaluations say of a trial; when is still open."""
    kept = [evaluation for evaluation in evaluations if not evaluation.diverged]
    curve = np.array([each.point for each in kept]).reshape(-1, CURVE_WIDTH)
    if late:
        text = f"Took {given.clock.seconds:.3g} s, more than the {given.clock.limit:g} s allowed."
        return Outcome(trial.identity, TIMEOUT, text, curve=curve)
    if not evaluations:
        raise TrainerError("The trainer yielded no evaluation.")
    last = evaluations[-1]
    outcome = Outcome(
        trial.identity, DIVERGED, updates=last.updates, examples=last.examples, curve=curve
    )
    if last.diverged:
        return replace(outcome, diverged_at_update=last.updates)
    # An epoch may end with a batch less.
    early = given.examples - last.examples > given.batch_size * (
        trial.configuration.budget.epochs or 1
    )
    train_loss, train_metric, validation_loss, validation_metric = last.point[2:6]
    test_loss, test_metric = last.test
    lacks_loss = np.isnan(test_loss) and not np.isnan(validation_loss)
    if given.evaluate_test and (lacks_loss or np.isnan(test_metric)):
        raise TrainerError(
            "On a fresh seed the last evaluation must have the test values of what it has of the "
            "validation set. Where there is no test set, give those of the validation set again."
        )
    return replace(
        outcome,
        status=OK,
        stopped_at_update=last.updates if early else -1,
        judged_at_update=last.updates,
        train_loss=train_loss,
        train_metric=train_metric,
        validation_loss=validation_loss,
        validation_metric=validation_metric,
        test_loss=test_loss,
        test_metric=test_metric,
    )


@functools.lru_cache(maxsize=4)
def function_of(name: str, path: str, content: str) -> Callable[[TrainerTrial], Any]:
    """Import a trainer whose code is what it was when the study was planned."""
    where, _, function = name.rpartition(":")
    if digest_of(name, path) != content:
        raise TrainerError(
            f"{where} is not here what it was when the study was planned. Run the study again."
        )
    module = _module_at(Path(path)) if path else importlib.import_module(where)
    trainer: Callable[[TrainerTrial], Any] = getattr(module, function)
    return trainer


def _module_at(path: Path) -> ModuleType:
    """Import a file under its own name, with the modules next to it at hand."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TrainerError(f"{path} can't be imported.")
    module = importlib.util.module_from_spec(spec)
    # What it defines is found again where it is sent to other processes.
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _alone(seed: int) -> Iterator[None]:
    """Keep a trainer's doings from the trials after it: place, output, common random numbers."""
    process, folder = os.getpid(), Path.cwd()
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - what trainers may use
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if os.getpid() != process:
            os._exit(0)  # a copy that the trainer made of this process
        os.chdir(folder)


@contextmanager
def _folder(workspace: Workspace | None, identity: str) -> Iterator[Path]:
    """Make a trial's own folder: what is in it stays until the trial has ended."""
    if workspace is None or not workspace.checkpoints.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    kept = workspace.checkpoints / identity
    kept.mkdir(exist_ok=True)
    yield kept


class _EnoughError(BaseException):
    """What was to be timed has been."""


class _Timer:
    """Wall and processor time of a trainer's updates; the first may compile and isn't timed."""

    def __init__(self) -> None:
        self._began: tuple[int, float, float, float] | None = None
        self.measured: tuple[int, float, float, float] | None = None

    def tick(self, updates: int) -> None:
        """Take note of the updates made so far."""
        wall, processor = time.perf_counter(), time.process_time()
        if self._began is None:
            self._began = updates, wall, processor, time.time()
            return
        before, wall_before, processor_before, started = self._began
        spent = wall - wall_before
        if spent >= LEAST_SECONDS and updates >= before + LEAST_UPDATES:
            self.measured = updates - before, spent, processor - processor_before, started
            raise _EnoughError


@dataclass(frozen=True)
class TrainerTimes:
    """What a benchmark of a trainer showed."""

    rounds: list[Round]
    training_examples: int  # 0 if the trainer doesn't say
    seconds: float  # that it took, with all that a trainer does before its first update


def time_trainer(
    workload: str, trials: Sequence[Trial], rounds: int, _task: object
) -> TrainerTimes:
    """Measure updates of a trainer at several batch sizes, in turn."""
    measured, examples, began = [], 0, time.perf_counter()
    for number, trial in itertools.product(range(rounds), trials):
        timer = _Timer()
        with _alone(trial.seed), _folder(None, "") as folder:
            given = TrainerTrial.of(trial, folder, Clock())
            given.timing, given.tick = True, timer.tick
            with suppress(_EnoughError), ExitStack() as stack:
                for _ in _yielded(trial.configuration.source, given, stack):
                    pass
        if timer.measured is None:
            raise TrainerError(
                f"{trial.configuration.source.name} ended before {LEAST_UPDATES + 1} updates were "
                "timed: it must call `trial.due` after every update."
            )
        size = trial.configuration.batch_size
        measured.append(Round(workload, TENSOR, 1, size, number, *timer.measured))
        examples = given.training_examples
    return TrainerTimes(measured, examples, time.perf_counter() - began)
