"""Synthetic studies whose truth about the paper's claims is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports.analysis.selection import select_rates, summarise_cells
from reports.schema.results import (
    CONFIRM,
    CURVE_COLUMNS,
    EXPLORE,
    TIMING_COLUMNS,
    TRIAL_COLUMNS,
    GroupDescription,
    StudyResults,
)
from tests.reports.conftest import several, table

SEEDS, FRESH = tuple(range(1, 7)), tuple(range(101, 109))
EPOCHS = 4
POINTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 4.0)
"""Epochs after which trials are evaluated."""


@dataclass(frozen=True)
class Truth:
    """What is true of a study.

    Attributes:
        accuracy: Of a group, at a batch size and learning rate, at the end of training.
        noise: Standard deviation of a trial's accuracy around it.
        epochs_needed: Epochs in which a batch size gets from guessing to its accuracy, in a
            straight line; in a stage.
        seconds: Of an update, by engine and batch size; None if nothing is timed.
        jitter: Standard deviation of the logarithm of a round's seconds.
        loss: Relative difference of a group's loss, by seed.
        diverges: Whether a trial of a group diverges, at a batch size and learning rate.
    """

    accuracy: Callable[[GroupDescription, int, float], float] = lambda *_: 0.9
    noise: float = 0.001
    epochs_needed: Callable[[int, str], float] = lambda *_: 2.0
    seconds: Mapping[str, Callable[[int], float]] | None = None
    jitter: float = 0.01
    loss: Callable[[GroupDescription, int], float] = lambda *_: 0.0
    diverges: Callable[[GroupDescription, int, float], bool] = lambda *_: False


FAST = {"tensor": lambda size: 4e-5 + 1e-6 * size, "per-item": lambda size: 4e-5 * size}
"""Seconds of an update: tensor operations up to forty times as fast."""


def study(truth: Truth, *groups: dict[str, object], fresh: Sequence[int] = FRESH) -> StudyResults:
    """Return the results of a study.

    Args:
        truth: What is true.
        groups: How each group differs from SGD on digits with three batch sizes and
            rates.
        fresh: Confirmation seeds.
    """
    shared = {"batch_sizes": (1, 32, 1024), "learning_rates": (0.1, 1.0, 10.0), "epochs": EPOCHS}
    plans = several(*(groups or ({},)), **shared, seeds=SEEDS, confirmation_seeds=tuple(fresh))
    trials: list[dict[str, object]] = []
    curves: list[dict[str, object]] = []
    for plan in plans.groups:
        cells = [(size, rate) for size in plan.batch_sizes for rate in plan.learning_rates]
        rows = [_trial(truth, plan, EXPLORE, *cell, seed) for cell in cells for seed in SEEDS]
        best = select_rates(
            summarise_cells(table([row for row, _ in rows], TRIAL_COLUMNS), plans.tuning_seeds)
        )
        chosen = zip(best["batch_size"].tolist(), best["learning_rate"].tolist(), strict=True)
        rows += [_trial(truth, plan, CONFIRM, *cell, seed) for cell in chosen for seed in fresh]
        trials += [row for row, _ in rows]
        curves += [point for _, points in rows for point in points]
    return StudyResults(
        plans,
        table(trials, TRIAL_COLUMNS),
        table(curves, CURVE_COLUMNS),
        table([row for plan in plans.groups for row in _timing(truth, plan)], TIMING_COLUMNS),
    )


def _trial(
    truth: Truth, plan: GroupDescription, stage: str, size: int, rate: float, seed: int
) -> tuple[dict[str, object], list[dict[str, object]]]:
    name = f"{plan.group} {stage} {size} {rate} {seed}"
    rng = np.random.default_rng([*name.encode()])
    diverged = truth.diverges(plan, size, rate)
    end = truth.accuracy(plan, size, rate) + truth.noise * rng.normal()
    updates = -(-plan.train_items // size)
    guess = 1 / plan.outputs
    points = [
        {
            "trial": name,
            "examples": round(epoch * plan.train_items),
            "updates": round(epoch * updates),
            "validation_metric": guess
            + (end - guess) * min(1.0, epoch / truth.epochs_needed(size, stage)),
        }
        for epoch in ((0.0,) if diverged else POINTS)
    ]
    ok, fresh = not diverged, stage == CONFIRM
    return {
        **{field: getattr(plan, field) for field in _COPIED},
        "trial": name,
        "stage": stage,
        "hyperparameters": "",
        "batch_size": size,
        "learning_rate": rate,
        "seed": seed,
        "status": "ok" if ok else "diverged",
        "updates": EPOCHS * updates,
        "examples": EPOCHS * plan.train_items,
        "validation_loss": 0.1 * (1 + truth.loss(plan, seed)),
        "validation_metric": end if ok else None,
        "test_metric": end if fresh and ok else None,
        "test_loss": 0.1 if fresh and ok else None,
        "error": "",
        "train_seconds": 0.1,
    }, points


_COPIED = (
    *("group", "dataset", "architecture", "optimizer", "activation", "loss", "reduction"),
    *("schedule", "shards", "local_updates"),
)


def _timing(truth: Truth, plan: GroupDescription) -> list[dict[str, object]]:
    rng = np.random.default_rng([*plan.group.encode()])
    return [
        {
            "group": plan.group,
            "engine": engine,
            "lanes": 1,
            "batch_size": size,
            "round": number,
            "updates": 100,
            "wall_seconds": (wall := 100 * seconds(size) * np.exp(truth.jitter * rng.normal())),
            "cpu_seconds": wall,
        }
        for engine, seconds in (truth.seconds or {}).items()
        for size in plan.batch_sizes
        for number in range(7)
    ]
