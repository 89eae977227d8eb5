"""A made-up study of any size: the tables a sweep would leave behind, without the sweep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.schema.results import (
    CONFIRM,
    CURVE_COLUMNS,
    EXPLORE,
    TIMING_COLUMNS,
    TRIAL_COLUMNS,
    GroupDescription,
    StudyDescription,
    StudyResults,
    as_table,
)

EPOCHS = 20
FRESH = 1_000
"""Seeds of the confirm stage start here."""


def synthetic_study(
    *, groups: int, batch_sizes: int, rates: int, seeds: int, points: int, train_items: int
) -> StudyResults:
    """Return the results of a study in which accuracy has a best rate that grows with the batch.

    Args:
        groups: Families of cells.
        batch_sizes: Of each group, powers of two from 1.
        rates: Learning rates tried at each batch size.
        seeds: Of each cell in the explore stage, and fresh ones of each selected cell.
        points: Evaluations of each trial, at least 2.
        train_items: Examples of the training part.
    """
    plans = tuple(
        _group(f"optimizer {number}", batch_sizes, rates, train_items) for number in range(groups)
    )
    trials = pd.concat([_trials(plan, seeds) for plan in plans], ignore_index=True)
    trials["trial"] = [f"{number:064x}" for number in range(len(trials))]
    # Every trial was a cohort of its own, one after the other: the most there can be.
    trials["ended"] = trials["train_seconds"].cumsum()
    trials["started"] = trials["ended"] - trials["train_seconds"]
    description = StudyDescription(
        name="synthetic",
        title="A made-up study",
        groups=plans,
        seeds=tuple(range(seeds)),
        confirmation_seeds=tuple(range(FRESH, FRESH + seeds)),
        planned_trials=len(trials),
        sweep_seconds=60.0,
        jobs=2,
        specification='name = "synthetic"\n',
        provenance={},
    )
    return StudyResults(
        description,
        as_table(trials, TRIAL_COLUMNS),
        _curves(trials, points),
        as_table(pd.concat([_timing(plan) for plan in plans]), TIMING_COLUMNS),
    )


def _group(name: str, batch_sizes: int, rates: int, train_items: int) -> GroupDescription:
    return GroupDescription(
        group=name,
        dataset="made-up",
        fingerprint="0",
        task="classification",
        train_items=train_items,
        validation_items=2_000,
        test_items=2_000,
        features=64,
        outputs=10,
        target_names=tuple("0123456789"),
        notes=(),
        hidden_layers=(32,),
        activation="sigmoid",
        output="sigmoid",
        loss="squared_error",
        reduction="mean",
        optimizer=name,
        hyperparameters={},
        schedule="",
        rate_rule="none",
        shards=1,
        local_updates=1,
        metric="accuracy",
        budget=f"{EPOCHS} epochs",
        epochs=EPOCHS,
        batch_sizes=tuple(2**power for power in range(batch_sizes)),
        learning_rates=tuple(np.geomspace(0.01, 30, rates).round(6).tolist()),
    )


def _trials(plan: GroupDescription, seeds: int) -> pd.DataFrame:
    """Every cell in the explore stage, and the best of each batch size in the confirm stage."""
    index = pd.MultiIndex.from_product(
        [plan.batch_sizes, plan.learning_rates, range(seeds)],
        names=["batch_size", "learning_rate", "seed"],
    )
    explored = _outcomes(index.to_frame(index=False), plan).assign(stage=EXPLORE)
    means = explored.groupby(["batch_size", "learning_rate"])["validation_metric"].mean()
    pairs = pd.DataFrame(
        means.groupby("batch_size").idxmax().tolist(), columns=["batch_size", "learning_rate"]
    )
    fresh = pd.DataFrame({"seed": range(FRESH, FRESH + seeds)})
    confirmed = _outcomes(pairs.merge(fresh, how="cross"), plan).assign(stage=CONFIRM)
    confirmed["test_loss"] = confirmed["validation_loss"]
    confirmed["test_metric"] = confirmed["validation_metric"]
    return pd.concat([explored, confirmed], ignore_index=True)


def _outcomes(cells: pd.DataFrame, plan: GroupDescription) -> pd.DataFrame:
    rng = np.random.default_rng(len(cells))
    distance = np.log(cells["learning_rate"] / (0.3 * cells["batch_size"] ** 0.5))
    noise = rng.normal(0, 0.004, len(cells))
    accuracy = pd.Series(np.clip(0.97 - 0.02 * distance**2 + noise, 0.1, 1.0), index=cells.index)
    diverged = distance > 4  # noqa: PLR2004
    updates = -(-plan.train_items // cells["batch_size"]) * EPOCHS
    return cells.assign(
        group=plan.group,
        dataset=plan.dataset,
        architecture=plan.architecture,
        optimizer=plan.optimizer,
        activation=plan.activation,
        loss=plan.loss,
        reduction=plan.reduction,
        hyperparameters="",
        schedule="",
        shards=1,
        local_updates=1,
        status=np.where(diverged, "diverged", "ok"),
        judged_at_update=updates.astype("Int64"),
        diverged_at_update=pd.array(np.where(diverged, 7, -1), dtype="Int64"),
        stopped_at_update=pd.array([None] * len(cells), dtype="Int64"),
        updates=updates,
        examples=EPOCHS * plan.train_items,
        train_loss=1 - accuracy,
        train_metric=accuracy,
        validation_loss=1 - accuracy,
        validation_metric=accuracy.where(~diverged),
        test_loss=np.nan,
        test_metric=np.nan,
        error="",
        train_seconds=1e-4 * updates,
    )


def _curves(trials: pd.DataFrame, points: int) -> pd.DataFrame:
    """Curves that rise to each trial's metric, at the same examples for all batch sizes."""
    ended = trials[trials["status"] == "ok"]
    share = np.concatenate([[0.0], np.geomspace(0.005, 1, points - 1)])
    rows = ended.loc[ended.index.repeat(points), ["trial", "examples", "batch_size"]]
    reached = np.tile(share, len(ended))
    examples = np.floor(rows["examples"] * reached).astype("int64")
    metric = ended["validation_metric"].repeat(points).to_numpy() * (1 - np.exp(-8 * reached))
    curves = pd.DataFrame(
        {
            "trial": rows["trial"],
            "examples": examples,
            "updates": -(-examples // rows["batch_size"]),
            "train_loss": 1 - metric,
            "train_metric": metric,
            "validation_loss": 1 - metric,
            "validation_metric": metric,
        },
        columns=[column.name for column in CURVE_COLUMNS],
    )
    return as_table(curves, CURVE_COLUMNS)


def _timing(plan: GroupDescription) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["tensor", "per-item"], plan.batch_sizes, range(7)],
        names=["engine", "batch_size", "round"],
    )
    timing = index.to_frame(index=False).assign(group=plan.group, lanes=1, updates=50)
    tensor = timing["engine"] == "tensor"
    item = np.where(tensor, 6e-7, 4e-5)
    wall = 50 * (3e-5 + item * timing["batch_size"]) * rng.uniform(1, 1.1, len(timing))
    return timing.assign(wall_seconds=wall, cpu_seconds=0.99 * wall, started=wall.cumsum() - wall)
