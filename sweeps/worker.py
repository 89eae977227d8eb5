"""What a worker process executes. Imports nothing heavy and never raises: failures are data."""

from __future__ import annotations

import functools
import itertools
import time
import traceback
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from threadpoolctl import ThreadpoolController

from bpengine import (
    Budget,
    Curves,
    Examples,
    Recipe,
    Split,
    Training,
    evaluate,
    evaluation_points,
    train,
)
from bpengine.arrays import Array
from sweeps.splits import Dataset, Preparation, prepare
from sweeps.trials import Cohort

OK, DIVERGED, ERROR, CRASHED, TIMEOUT = "ok", "diverged", "error", "crashed", "timeout"

CURVE_WIDTH = 8
"""Columns of a curve: examples, updates, train loss and metric, validation loss and metric,
gradient trace, squared norm of the gradient."""


@dataclass(frozen=True)
class Outcome:
    """What a trial gave.

    Attributes:
        trial: The trial's identity.
        status: ok, diverged (both are results), error, crashed or timeout.
        diverged_at_update: First update that left a non-finite network; 0 if none did.
        stopped_at_update: Update after which it reached its target or lost patience; -1 if it
            did not.
        updates: Updates made.
        examples: Examples processed.
        test_loss: Mean loss over the test part; NaN if it was not to be computed.
        test_metric: Metric over the test part; NaN if it was not to be computed.
        error: Traceback, or what ended its process, or which limit it passed; else empty.
        train_seconds: The trial's share of its cohort's wall time.
        curve: Rows of examples, updates, train loss and metric, validation loss and metric,
            gradient trace and squared norm (NaN unless asked for).
    """

    trial: str
    status: str
    diverged_at_update: int
    stopped_at_update: int
    updates: int
    examples: int
    test_loss: float
    test_metric: float
    error: str
    train_seconds: float
    curve: Annotated[Array, "point column"]


@functools.cache
def threads() -> ThreadpoolController:
    """Return the control over BLAS threads, looked up once per process."""
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS uses one thread: bits may depend on their number."""
    context: AbstractContextManager[object] = threads().limit(limits=1)
    return context


def run_cohort(cohort: Cohort, dataset: Dataset) -> list[Outcome]:
    """Train a cohort and return what each of its trials gave, seed by seed.

    Args:
        cohort: The trials.
        dataset: The data they name.
    """
    started = time.perf_counter()
    try:
        with one_blas_thread():
            trained, tests = _train(cohort, dataset)
    except Exception:  # noqa: BLE001 - whatever it is, it is this cohort's result
        return [_failed(trial.identity, traceback.format_exc()) for trial in cohort.trials]
    seconds = (time.perf_counter() - started) / len(cohort.trials)
    lanes = itertools.product(range(len(cohort.seeds)), range(len(cohort.learning_rates)))
    return [
        _outcome(trial.identity, trained, tests, lane, seconds)
        for trial, lane in zip(cohort.trials, lanes, strict=True)
    ]


def _train(cohort: Cohort, dataset: Dataset) -> tuple[Training, Array]:
    configuration = cohort.configuration
    parts = [_prepared(dataset, configuration.preparation, seed) for seed in cohort.seeds]
    items = len(parts[0][0].train.inputs)
    trained = train(
        configuration.architecture,
        [split for split, _ in parts],
        [{"learning_rate": rate} for rate in cohort.learning_rates],
        Recipe(
            batch_size=configuration.batch_size,
            budget=Budget(epochs=configuration.epochs),
            loss=configuration.loss,
            reduction=configuration.reduction,
            optimizer=configuration.optimizer,
            evaluate_at=evaluation_points(items, configuration.epochs),
        ),
    )
    tests = np.full((2, *trained.diverged_at_update.shape), np.nan)
    if configuration.evaluate_test:
        tests[:] = evaluate(
            configuration.architecture,
            trained.parameters,
            [test for _, test in parts],
            loss=configuration.loss,
        )
    return trained, tests


_prepared_parts: dict[tuple[str, Preparation, int], tuple[Split, Examples]] = {}


def _prepared(dataset: Dataset, preparation: Preparation, seed: int) -> tuple[Split, Examples]:
    # The cohorts of a worker share their seeds: each split is made once.
    key = (dataset.fingerprint, preparation, seed)
    if key not in _prepared_parts:
        _prepared_parts[key] = prepare(dataset, preparation, seed)
    return _prepared_parts[key]


def _outcome(
    trial: str, trained: Training, tests: Array, lane: tuple[int, int], seconds: float
) -> Outcome:
    diverged_at = int(trained.diverged_at_update[lane])
    return Outcome(
        trial=trial,
        status=DIVERGED if diverged_at else OK,
        diverged_at_update=diverged_at,
        stopped_at_update=int(trained.stopped_at_update[lane]),
        updates=trained.updates,
        examples=trained.examples,
        test_loss=float(tests[(0, *lane)]),
        test_metric=float(tests[(1, *lane)]),
        error="",
        train_seconds=seconds,
        curve=_curve(trained.curves, lane),
    )


def _curve(curves: Curves, lane: tuple[int, int]) -> Array:
    values = (
        curves.train_loss,
        curves.train_metric,
        curves.held_out_loss,
        curves.held_out_metric,
        curves.gradient_trace,
        curves.gradient_squared_norm,
    )
    at_lane = [value[:, lane[0], lane[1]] for value in values]
    return np.stack([curves.examples, curves.updates, *at_lane], axis=1)


def _failed(trial: str, error: str) -> Outcome:
    nothing = np.empty((0, CURVE_WIDTH))
    return Outcome(trial, ERROR, 0, -1, 0, 0, np.nan, np.nan, error, 0.0, nothing)
