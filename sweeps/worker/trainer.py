"""What a user's trainer is handed, and what it yields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.design import TrainerConfiguration, Trial
from sweeps.design.engine_recipe import evaluation_cadence, totals_of
from sweeps.errors import UserError, shown
from sweeps.worker.processes import Abandoned, abandoned

SHARES = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc")  # metrics from 0 to 1
_VALUES = ("train_loss", "train_metric", "validation_loss", "validation_metric")


class TrainerError(UserError):
    """A trainer did what the protocol doesn't allow."""


class OutOfTimeError(BaseException):
    """A trial took longer than it may."""


@dataclass
class Clock:
    """Seconds of training: it stops while a trainer evaluates."""

    limit: float | None = None
    seconds: float = 0.0
    _since: float | None = None

    @property
    def runs(self) -> bool:
        """Whether time is counted now."""
        return self._since is not None

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
            raise OutOfTimeError


@dataclass(frozen=True)
class Evaluation:
    """What a trainer yields: made by `TrainerTrial.evaluation`."""

    point: tuple[float, ...]  # a row of the curve
    test: tuple[float, float]  # loss and metric
    diverged: bool = False
    seconds: float = 0.0  # of training before it

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
        load_from: State to go on from, with another batch size and learning rate, where a study has
            `branch`; None to begin anew.
        save_to: Where the state then is to be written, before the last evaluation is yielded, in a
            form that the trainer reads from `load_from`; None if it isn't needed.
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
    load_from: Path | None = None
    save_to: Path | None = None
    timing: bool = False
    metric: str = field(default="", repr=False)
    cadence: tuple[int, ...] = field(default=(), repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)
    evaluations: list[Evaluation] = field(default_factory=list, repr=False)
    begun: bool = field(default=False, repr=False)
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
        self.begin(examples)
        remaining = [point for point in self.cadence if point > examples]
        passed = len(remaining) < len(self.cadence)
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
        if self.metric.startswith("neg_"):
            judged = "loss" if self.metric == "neg_loss" else "metric"
            for part in ("train", "validation", "test"):
                numbers[f"{part}_metric"] = -numbers[f"{part}_{judged}"]
        counts = (float(examples), float(self._updates(examples, updates)))
        noise = _noise(gradient_norms) if gradient_norms else (np.nan, np.nan)
        point = (*counts, *(numbers[name] for name in _VALUES), *noise, *[np.nan] * 6)
        test = numbers["test_loss"], numbers["test_metric"]
        return Evaluation(point, test, bool(failed), self.clock.seconds)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep what is no training out of its time, such as loading data."""
        runs = self.clock.runs
        self.clock.stop()
        yield
        if runs:
            self.clock.start()

    def begin(self, examples: int) -> None:
        """Keep the evaluations before a cut that come before what is trained now.

        A trainer may go on from a checkpoint, or from the beginning.
        """
        if self.begun:
            return
        self.begun = True
        kept = [evaluation for evaluation in self.evaluations if evaluation.examples < examples]
        self.evaluations[:] = kept
        if kept:
            self.clock.seconds += kept[-1].seconds
            self.cadence = tuple(at for at in self.cadence if at > kept[-1].examples)

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
