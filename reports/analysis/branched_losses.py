"""The critical batch size along training, from branches with larger batches.

Merrill et al. 2025, Critical batch size revisited: at a point of a run, the largest batch size
whose loss, after the same further examples, stays within a tolerance of the run's own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports.schema import BATCH_SIZE, BRANCH, GROUP, Column, StudyResults, empty_table, table_of
from reports.stats import by_seed
from reports.stats.intervals import t_interval
from reports.stats.models.noise_scale import NOISE_CURVE_COLUMNS, noise_along_training
from reports.stats.paired_tests import FEWEST

_AT = Column("examples", "int64", "examples", "Examples after which the branches left the run.")
BRANCH_LOSS_COLUMNS = (
    GROUP,
    BATCH_SIZE,
    _AT,
    Column("branch_batch_size", "int64", "examples", "Batch size of the branch."),
    Column("seeds", "int64", "seeds", "Seeds behind it."),
    Column("excess", "float64", "", "Mean log of the branch's loss by the run's; inf: diverged."),
    Column("excess_low", "float64", "", "Lower bound of its 95% interval; missing for one seed."),
    Column("excess_high", "float64", "", "Upper bound, too."),
)
CRITICAL_COLUMNS = (
    GROUP,
    BATCH_SIZE,
    _AT,
    Column("seeds", "int64", "seeds", "Seeds behind it."),
    Column("critical_batch_size", "float64", "examples", "Where the loss passes the tolerance."),
    Column("critical_low", "float64", "examples", "Lower bound of its 95% interval."),
    Column("critical_high", "float64", "examples", "Upper bound; infinite if no branch passes it."),
    Column("largest", "int64", "examples", "Largest batch size of a branch."),
)
_POINT = ["group", "batch_size", "examples"]


class Branched(NamedTuple):
    """What branches say of a group; empty tables if there are none."""

    losses: pd.DataFrame  # `BRANCH_LOSS_COLUMNS`
    critical: pd.DataFrame  # `CRITICAL_COLUMNS`
    noise: pd.DataFrame  # group and `NOISE_CURVE_COLUMNS`: of the runs where branches leave them

    def of(self, group: str) -> Branched:
        """Return what they say of a group."""
        return Branched(*(table[table["group"] == group] for table in self))


def branched_of(results: StudyResults) -> Branched:
    """Return what the branches of a study say, of all groups."""
    trials, curves = results.trials, results.curves
    losses = branch_losses(trials, curves)
    points = _branched(trials, curves)
    runs = points[points["branch_at"].isna()]
    noise = [
        noise_along_training(part).assign(group=group) for group, part in runs.groupby("group")
    ]
    return Branched(
        losses,
        critical_batch_sizes(losses, results.description.branch_tolerance or 0.0),
        pd.concat(noise) if noise else empty_table((GROUP, *NOISE_CURVE_COLUMNS)),
    )


def branch_losses(trials: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the loss of branches is larger than their run's: `BRANCH_LOSS_COLUMNS`.

    The loss of a branch is its mean training loss over its evaluations, infinite if it diverged. A
    point after which every run diverged is absent.
    """
    points = _branched(trials, curves).dropna(subset="branch_at").drop(columns="examples")
    points = points.rename(columns={"branch_at": "examples"})
    # A trainer need not know its training loss; of a branch that diverged there is none.
    points["train_loss"] = points["train_loss"].fillna(points["validation_loss"]).fillna(math.inf)
    mean = points.groupby([*_POINT, "branch_batch_size", "seed"])["train_loss"].mean()
    loss = np.log(mean).rename("loss").reset_index()
    rows = []
    for point, part in loss.groupby(_POINT):
        losses = by_seed(part.assign(batch_size=part["branch_batch_size"]), "loss")
        losses = losses[np.isfinite(losses[point[1]])]
        excess = losses.sub(losses[point[1]], axis=0)
        if len(excess):
            rows += [(*point, size, len(excess), *_mean(excess[size])) for size in excess]
    return table_of(rows, BRANCH_LOSS_COLUMNS)


def _branched(trials: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Return the evaluations of runs and their branches, with group, batch_size and seed."""
    runs = trials.loc[trials["stage"] == BRANCH, ["trial", "group", "batch_size", "seed"]]
    # To merge costs every curve of a study, which mostly has none of these.
    return curves[curves["trial"].isin(runs["trial"])].merge(runs, on="trial")


def _mean(values: pd.Series[float]) -> tuple[float, float, float]:
    """Return mean and bounds over seeds; infinite if one has diverged."""
    if len(values) < FEWEST or not np.isfinite(values).all():
        mean = float(values.mean())
        return mean, *((math.nan,) * 2 if np.isfinite(mean) else (math.inf,) * 2)
    interval = t_interval(values.tolist())
    return interval.mean, interval.low, interval.high


def critical_batch_sizes(losses: pd.DataFrame, tolerance: float) -> pd.DataFrame:
    """Return the critical batch size at each point: `CRITICAL_COLUMNS`.

    Args:
        losses: What `branch_losses` returns.
        tolerance: Share of the loss by which a branch may be worse.

    Returns:
        Where the excess, linear between batch sizes, first passes the tolerance, and the same of
        its bounds; infinite where it does nowhere.
    """
    rows = []
    for point, part in losses.groupby(_POINT):
        sizes, limit = part["branch_batch_size"].to_numpy(np.float64), math.log1p(tolerance)
        value, low, high = (
            _first_passage(sizes, part[name].to_numpy(), limit, upper=name == "excess_low")
            for name in ("excess", "excess_high", "excess_low")
        )
        rows.append((*point, part["seeds"].iloc[0], value, low, high, int(sizes[-1])))
    return table_of(rows, CRITICAL_COLUMNS)


def _first_passage(sizes: np.ndarray, excess: np.ndarray, limit: float, *, upper: bool) -> float:
    """Return where a line through points first passes a limit, infinite if it does nowhere."""
    if np.isnan(excess).any():
        return math.nan
    beyond = np.flatnonzero(excess > limit)
    if not beyond.size:
        return math.inf
    after = beyond[0]
    share = (limit - excess[after - 1]) / (excess[after] - excess[after - 1])
    if math.isinf(excess[after]):
        # One that diverged says no more than that it lies between.
        share = float(upper)
    return float(sizes[after - 1] + share * (sizes[after] - sizes[after - 1]))
