"""Updates to a target, read from recorded curves.

Which target is chosen changes the answer, so there are several, and they are set by a rule from
runs other than those they are applied to:

    level = start + share (end - start)

start is the median of the first recorded values. end is what the median batch size attains: of each
run its best value, of each batch size the median over its seeds, then the median over batch sizes.
The shares are `SHARES`.

A target is reached at its first crossing. That lies between two evaluations: the number of updates
is interpolated, and half the updates between the two is kept with it. A run that never reaches the
target has made a number of updates that weren't enough: a lower bound, kept too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.intervals import CONFIDENCE
from reports.results import Column, as_table
from reports.scaling import StepsToTargetFit, fit_steps_to_target

SHARES = (0.5, 0.75, 0.9)
"""Shares of the progress of the tuning runs that are set as targets."""
REACHED = "reached"
"""The run crossed the target between two evaluations."""
NOT_REACHED = "not reached"
"""The run ended, or diverged, before it reached the target."""
AT_START = "at start"
"""The run met the target before its first update: the target says nothing."""

CROSSING_COLUMNS = (
    Column("share", "float64", "", "Share of the tuning runs' progress that the target is."),
    Column("target", "float64", "", "The level to reach."),
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("seed", "int64", "", "Seed of split, initial weights and order."),
    Column("outcome", "str", "", f"{REACHED}, {NOT_REACHED} or {AT_START}."),
    Column("updates", "float64", "updates", "Updates to the target; made, if not reached."),
    Column("half_width", "float64", "updates", "Half the updates between the two evaluations."),
)

SCALING_COLUMNS = (
    *CROSSING_COLUMNS[:2],
    Column("runs", "int64", "runs", "Runs with a number of updates."),
    Column("censored", "int64", "runs", "Those of them that did not reach the target."),
    Column("min_updates", "float64", "updates", "Updates that any batch size needs."),
    Column("min_examples", "float64", "examples", "Examples that any batch size needs."),
    Column("critical_batch_size", "float64", "examples", "min_examples / min_updates."),
    Column("critical_low", "float64", "examples", "Lower end of its interval."),
    Column("critical_high", "float64", "examples", "Upper end of its interval; may be infinite."),
    Column("max_log_residual", "float64", "", "Largest absolute residual of log updates."),
    Column("poor_fit", "bool", "", "Whether the curve misses a batch size by more than 10%."),
    Column("reason", "str", "", "Why a number is missing."),
)


@dataclass(frozen=True)
class Target:
    """A level to reach.

    Attributes:
        share: Share of the tuning runs' progress.
        level: Value of the measure.
    """

    share: float
    level: float


def set_targets(
    curves: pd.DataFrame,
    measure: str,
    *,
    lower_is_better: bool = True,
    shares: Sequence[float] = SHARES,
) -> tuple[Target, ...]:
    """Return targets set from runs that are not to be measured by them.

    Args:
        curves: Columns batch_size, seed, updates and the measure; the runs of the tuning seeds at
            the selected learning rates.
        measure: Column to set targets for.
        lower_is_better: True for losses, False for metrics such as accuracy.
        shares: Above 0, up to 1.

    Returns:
        One target for each share; none if the runs make no progress.

    Example:
        >>> curve = pd.DataFrame({"batch_size": 8, "seed": 0, "updates": [0, 10, 20]})
        >>> set_targets(curve.assign(loss=[2.0, 1.2, 1.0]), "loss", shares=[0.5])
        (Target(share=0.5, level=1.5),)
    """
    sign = -1 if lower_is_better else 1
    ordered = curves.sort_values("updates", kind="stable").assign(gain=sign * curves[measure])
    runs = ordered.groupby(["batch_size", "seed"])["gain"]
    start = runs.first().median()
    end = runs.max().groupby("batch_size").median().median()
    if not end > start:
        return ()
    return tuple(Target(s, float(sign * (start + s * (end - start)))) for s in shares)


def updates_to_target(
    curves: pd.DataFrame,
    measure: str,
    targets: Sequence[Target],
    *,
    lower_is_better: bool = True,
) -> pd.DataFrame:
    """Return where each run first crosses each target.

    Args:
        curves: As for `set_targets`, of other runs; NaN where a network was not finite.
        measure: Column in which the target is to be reached.
        targets: Levels.
        lower_is_better: True for losses, False for metrics such as accuracy.

    Returns:
        Columns `CROSSING_COLUMNS`, by target, batch size and seed.
    """
    sign = -1 if lower_is_better else 1
    ordered = curves.sort_values("updates", kind="stable")
    rows = [
        (target.share, target.level, size, seed, *crossing)
        for (size, seed), run in ordered.groupby(["batch_size", "seed"])
        for target in targets
        for crossing in [first_crossing(run["updates"], sign * run[measure], sign * target.level)]
    ]
    table = pd.DataFrame(rows, columns=[column.name for column in CROSSING_COLUMNS])
    return as_table(table.sort_values(["share", "batch_size", "seed"]), CROSSING_COLUMNS)


def first_crossing(
    updates: Sequence[float] | pd.Series[float],
    values: Sequence[float] | pd.Series[float],
    level: float,
) -> tuple[str, float, float]:
    """Return outcome, updates and half width of the first crossing from below.

    Args:
        updates: Updates made before each evaluation, ascending.
        values: What rises; NaN where it isn't known.
        level: To reach.

    Returns:
        Updates are interpolated linearly. A run that is above the level when it is first evaluated
        may have got there at any time before: half of the updates, plus or minus half.

    Example:
        >>> first_crossing([0, 10, 20], [0.0, 0.5, 0.75], 0.6)
        ('reached', 14.0, 5.0)
        >>> first_crossing([0, 10, 20], [0.0, 0.5, 0.75], 0.8)
        ('not reached', 20.0, 0.0)
    """
    at, value = np.asarray(updates, np.float64), np.asarray(values, np.float64)
    last = float(at[-1])
    at, value = at[~np.isnan(value)], value[~np.isnan(value)]
    above = np.flatnonzero(value >= level)
    if not above.size:
        return NOT_REACHED, last, 0.0
    after = int(above[0])
    if at[after] == 0:
        return AT_START, 0.0, 0.0
    if after == 0:
        return REACHED, float(at[0] / 2), float(at[0] / 2)
    before, width = after - 1, at[after] - at[after - 1]
    share = (level - value[before]) / (value[after] - value[before])
    return REACHED, float(at[before] + share * width), float(width / 2)


def fit_targets(
    crossings: pd.DataFrame,
    *,
    seed: int = 0,
    items: int | None = None,
    confidence: float = CONFIDENCE,
) -> dict[Target, StepsToTargetFit]:
    """Return the fit of each target: how the answer depends on it.

    Args:
        crossings: Columns `CROSSING_COLUMNS`.
        seed: Of the bootstrap.
        items: Training items, to flag batch sizes near them.
        confidence: Of the intervals.
    """
    fits = {}
    for _, runs in crossings.groupby(["share", "target"]):
        target = Target(float(runs["share"].iloc[0]), float(runs["target"].iloc[0]))
        fits[target] = _fit(runs, seed, items, confidence)
    return fits


def scaling_table(fits: Mapping[Target, StepsToTargetFit]) -> pd.DataFrame:
    """Return the fits as a table: the critical batch size against the target.

    Args:
        fits: One for each target.

    Returns:
        Columns `SCALING_COLUMNS`; NaN where a fit has no number.
    """
    rows = [
        {
            "share": target.share,
            "target": target.level,
            "critical_low": ends.low if (ends := fit.critical_batch_size_interval) else None,
            "critical_high": ends.high if ends else None,
            **{name: getattr(fit, name) for name in _SHARED},
        }
        for target, fit in fits.items()
    ]
    names = [column.name for column in SCALING_COLUMNS]
    return as_table(pd.DataFrame(rows, columns=names), SCALING_COLUMNS)


_SHARED = [
    column.name
    for column in SCALING_COLUMNS
    if column.name in StepsToTargetFit.__dataclass_fields__
]


def _fit(runs: pd.DataFrame, seed: int, items: int | None, confidence: float) -> StepsToTargetFit:
    early = int((runs["outcome"] == AT_START).sum())
    if early:
        return StepsToTargetFit(
            batch_sizes=(),
            runs=len(runs),
            censored=int((runs["outcome"] == NOT_REACHED).sum()),
            near_all=(),
            confidence=confidence,
            reason=f"Runs that meet the target before their first update: {early} of {len(runs)}.",
        )
    # A bound of no updates bounds nothing.
    useful = runs[runs["updates"] > 0]
    return fit_steps_to_target(
        useful["batch_size"].to_numpy(),
        useful["updates"].to_numpy(),
        censored=(useful["outcome"] == NOT_REACHED).to_numpy(),
        groups=useful["seed"].to_numpy(),
        seed=seed,
        half_widths=useful["half_width"].to_numpy(),
        items=items,
        confidence=confidence,
    )
