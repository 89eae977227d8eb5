"""Targets set by a rule from recorded curves, where curves first cross them, and the fits.

Targets are set from other runs than those they are applied to: level = start + share (end - start).
start is the median of the first recorded values. end is what the best batch size attains: of each
run its best value, of each batch size the median over its seeds, then the best batch size's.

The number of updates is interpolated between two evaluations: by the logarithm of a loss, as losses
fall exponentially, and by metrics as they are. A run that never reaches the level has made a number
of updates that weren't enough: a lower bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.schema import BATCH_SIZE, GROUP, SEED, Column, as_table
from reports.stats.models.steps_to_target import StepsToTargetFit, fit_steps_to_target

REACHED = "reached"  # the run crossed the target between two evaluations
NOT_REACHED = "not reached"  # the run ended, or diverged, before it reached the target
AT_START = "at start"  # the run met the target before its first update: the target says nothing

CROSSING_COLUMNS = (
    Column("share", "float64", "", "Share of the tuning runs' progress; missing of a given level."),
    Column("target", "float64", "", "The level to reach."),
    BATCH_SIZE,
    SEED,
    Column("outcome", "str", "", f"{REACHED}, {NOT_REACHED} or {AT_START}."),
    Column("updates", "float64", "updates", "Updates to the target; made, if not reached."),
    Column("half_width", "float64", "updates", "Half the updates between the two evaluations."),
)

SHARES = (0.8, 0.9, 0.95)  # shares of the progress of the tuning runs that are set as targets
MOST_GUESSED = 0.5
"""Share of runs that may reach a target when hardly evaluated yet. Interpolated from the start, all
of them would seem to take as many examples, which looks like perfect scaling."""
RUN = ["group", "batch_size", "seed"]  # what identifies a run
RATE = Column("learning_rate", "float64", "", "The runs' learning rate.")


@dataclass(frozen=True)
class Target:
    """A level of the measure to reach, and the share of the tuning runs' progress that it is."""

    share: float  # not a number if the study sets the level
    level: float


def updates_to_target(
    curves: pd.DataFrame, measure: str, targets: Sequence[Target], *, lower_is_better: bool = True
) -> pd.DataFrame:
    """Return where each run first crosses each target.

    Args:
        curves: As for `targets_by_group`, of other runs; NaN where a network was not finite.
        measure: Column in which the target is to be reached.
        targets: Levels.
        lower_is_better: True for losses, False for metrics such as accuracy.

    Returns:
        Columns `CROSSING_COLUMNS`, by target, batch size and seed.
    """
    table = crossings_by_group(
        curves.assign(group=""), measure, {"": targets}, lower_is_better=lower_is_better
    )
    return as_table(table, CROSSING_COLUMNS)


def crossings_by_group(
    curves: pd.DataFrame,
    measure: str,
    targets: Mapping[str, Sequence[Target]],
    *,
    lower_is_better: bool = True,
) -> pd.DataFrame:
    """Return what `updates_to_target` does, by columns group and, where curves have it, rate."""
    rates = [RATE] if RATE.name in curves else []
    identity = [*RUN, *(column.name for column in rates)]
    columns = (GROUP, *CROSSING_COLUMNS, *rates)
    sign = -1 if lower_is_better else 1
    wanted = [(g, t.share, t.level) for g, levels in targets.items() for t in levels]
    levels = pd.DataFrame(wanted, columns=["group", "share", "target"])
    points = curves.assign(run=curves.groupby(identity).ngroup(), gain=sign * curves[measure])
    points = points.sort_values(["run", "updates"], kind="stable")
    runs = points.drop_duplicates("run")[[*identity, "run"]].merge(levels, on="group")
    parts = [
        rows.assign(**_first_crossings(points, rows, sign))
        for _, rows in runs.groupby(runs.groupby("run").cumcount())
    ]
    names = [column.name for column in columns]
    table = pd.concat([runs.reindex(columns=names)[:0], *parts])
    order = sign * table["target"]
    table = table.assign(order=order).sort_values(["group", "order", "batch_size", "seed"])
    return as_table(table, columns)


def _first_crossings(points: pd.DataFrame, runs: pd.DataFrame, sign: int) -> dict[str, np.ndarray]:
    """Return outcome, updates and half width of each of the runs, which have a target each."""
    # Points are by run, then by updates; if the sign is negative their gain is a loss times -1.
    run = points["run"].to_numpy()
    gain, updates = points["gain"].to_numpy(np.float64), points["updates"].to_numpy(np.float64)
    levels = np.full(run[-1] + 1, np.inf)
    levels[runs["run"]] = sign * runs["target"]
    made = updates[np.append(np.flatnonzero(np.diff(run)), run.size - 1)]
    known = ~np.isnan(gain)
    run, updates, gain = run[known], updates[known], gain[known]
    above = np.flatnonzero(gain >= levels[run])
    reached, first = np.unique(run[above], return_index=True)
    after = above[first]
    before = np.maximum(after - 1, 0)
    bracketed = (after > 0) & (run[before] == reached)
    start = np.where(bracketed, updates[before], 0.0)
    width = updates[after] - start
    share = np.full(reached.size, 0.5)
    ends = gain[before][bracketed], gain[after][bracketed], levels[reached][bracketed]
    share[bracketed] = _shares(*ends, exponential=sign < 0)
    outcome = np.full(levels.size, NOT_REACHED, object)
    half_width = np.zeros(levels.size)
    outcome[reached] = np.where(updates[after] == 0, AT_START, REACHED)
    made[reached] = start + share * width
    half_width[reached] = width / 2
    crossings = {"outcome": outcome, "updates": made, "half_width": half_width}
    return {name: values[runs["run"]] for name, values in crossings.items()}


def _shares(
    start: np.ndarray, end: np.ndarray, level: np.ndarray, *, exponential: bool
) -> np.ndarray:
    """Return where the levels lie on the way between two evaluations, from 0 to 1."""
    share = (level - start) / (end - start)
    # The logarithm of a loss of 0 says nothing of its way there.
    positive = exponential & (end < 0) & (level < 0)
    share[positive] = np.log(level[positive] / start[positive]) / np.log(
        end[positive] / start[positive]
    )
    return share


def targets_by_group(
    curves: pd.DataFrame,
    measure: str,
    *,
    lower_is_better: bool = True,
    shares: Sequence[float] = SHARES,
) -> dict[str, tuple[Target, ...]]:
    """Return one target for each share, set from runs that are not to be measured by them.

    Runs without progress set none. The curves have columns group, batch_size, seed, updates and the
    measure; they are of the tuning seeds at the selected learning rates.
    """
    sign = -1 if lower_is_better else 1
    ordered = curves.sort_values("updates", kind="stable").assign(gain=sign * curves[measure])
    runs = ordered.groupby(RUN)["gain"].agg(["first", "max"])
    start = runs["first"].groupby("group").median()
    end = runs["max"].groupby(["group", "batch_size"]).median().groupby("group").max()
    return {
        str(group): tuple(Target(s, float(sign * (low + s * (high - low)))) for s in shares)
        if high > low
        else ()
        for group, low, high in zip(start.index, start, end, strict=True)
    }


def fit_target(runs: pd.DataFrame, *, items: int | None = None) -> StepsToTargetFit:
    """Return the fit of the runs of one target.

    They have the columns `CROSSING_COLUMNS`; `items` flags batch sizes near all examples.
    """
    sizes, updates = (runs[name].to_numpy(np.float64) for name in ("batch_size", "updates"))
    outcomes = runs["outcome"].to_numpy(object)
    # A bound of no updates bounds nothing.
    useful = updates > 0
    fit = fit_steps_to_target(
        sizes[useful], updates[useful], censored=(outcomes == NOT_REACHED)[useful], items=items
    )
    reason = _too_early(updates, outcomes, runs["half_width"].to_numpy(np.float64))
    if not reason:
        return fit
    kept = {name: getattr(fit, name) for name in ("censored", "near_all")}
    return StepsToTargetFit(batch_sizes=(), runs=len(runs), reason=reason, **kept)


def _too_early(updates: np.ndarray, outcomes: np.ndarray, half_widths: np.ndarray) -> str:
    """Return why the target is too easy to show anything; empty if it is not."""
    count = updates.size
    early = int((outcomes == AT_START).sum())
    if early:
        return f"Runs that meet the target before their first update: {early} of {count}."
    guessed = int((2 * half_widths > updates).sum())
    if guessed > MOST_GUESSED * count:
        return (
            "Runs that reach the target so early that their evaluations hardly show when: "
            f"{guessed} of {count}."
        )
    return ""
