"""Targets set by a rule from recorded curves, and the fits of the updates to them.

Which target is chosen changes the answer, so there are several, `SHARES`, and they are set from
runs other than those they are applied to: level = start + share (end - start). start is the median
of the first recorded values. end is what the median batch size attains: of each run its best value,
of each batch size the median over its seeds, then the median over batch sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.stats.models.first_passage import AT_START, NOT_REACHED, RUN, Target
from reports.stats.models.steps_to_target import (
    StepsToTargetFit,
    Task,
    fit_tasks,
    observations,
    task_of,
)

SHARES = (0.5, 0.75, 0.9)  # shares of the progress of the tuning runs that are set as targets
MOST_GUESSED = 0.5
"""Share of runs that may reach a target when hardly evaluated yet. Interpolated from the start, all
of them would seem to take as many examples, which looks like perfect scaling."""


def set_targets(
    curves: pd.DataFrame,
    measure: str,
    *,
    lower_is_better: bool = True,
    shares: Sequence[float] = SHARES,
) -> tuple[Target, ...]:
    """Return one target for each share, set from runs that are not to be measured by them.

    Runs without progress set none. The curves have columns batch_size, seed, updates and the
    measure; they are of the tuning seeds at the selected learning rates.
    """
    levels = targets_by_group(
        curves.assign(group=""), measure, lower_is_better=lower_is_better, shares=shares
    )
    return levels.get("", ())


def targets_by_group(
    curves: pd.DataFrame,
    measure: str,
    *,
    lower_is_better: bool = True,
    shares: Sequence[float] = SHARES,
) -> dict[str, tuple[Target, ...]]:
    """Return what `set_targets` does for each group; the curves have a column group, too."""
    sign = -1 if lower_is_better else 1
    ordered = curves.sort_values("updates", kind="stable").assign(gain=sign * curves[measure])
    runs = ordered.groupby(RUN)["gain"].agg(["first", "max"])
    start = runs["first"].groupby("group").median()
    end = runs["max"].groupby(["group", "batch_size"]).median().groupby("group").median()
    return {
        str(group): tuple(Target(s, float(sign * (low + s * (high - low)))) for s in shares)
        if high > low
        else ()
        for group, low, high in zip(start.index, start, end, strict=True)
    }


def fit_targets(
    crossings: pd.DataFrame, *, seed: int = 0, items: int | None = None
) -> dict[Target, StepsToTargetFit]:
    """Return the fit of each target: how the answer depends on it.

    The crossings have the columns `CROSSING_COLUMNS`; `items` flags batch sizes near all examples.
    """
    targets, tasks = [], []
    for _, runs in crossings.groupby(["share", "target"]):
        targets.append(Target(float(runs["share"].iloc[0]), float(runs["target"].iloc[0])))
        tasks.append(target_task(runs, items=items))
    return dict(zip(targets, fit_tasks(tasks, seed), strict=True))


def target_task(runs: pd.DataFrame, *, items: int | None = None) -> Task:
    """Return the runs of one target, ready to be fitted."""
    # A bound of no updates bounds nothing.
    useful = runs[runs["updates"] > 0]
    sizes, updates, half_widths, seeds = (
        useful[name].to_numpy() for name in ("batch_size", "updates", "half_width", "seed")
    )
    censored = (useful["outcome"] == NOT_REACHED).to_numpy(bool)
    data = observations(sizes, updates, censored, half_widths)
    task = task_of(sizes.astype(np.float64), data, seeds, items=items)
    reason = _too_early(runs)
    if not reason:
        return task
    return replace(task, known=replace(task.known, batch_sizes=(), runs=len(runs), reason=reason))


def _too_early(runs: pd.DataFrame) -> str:
    """Return why the target is too easy to tell anything; empty if it is not."""
    count = len(runs)
    early = int((runs["outcome"] == AT_START).sum())
    if early:
        return f"Runs that meet the target before their first update: {early} of {count}."
    guessed = int((2 * runs["half_width"] > runs["updates"]).sum())
    if guessed > MOST_GUESSED * count:
        return (
            "Runs that reach the target so early that their evaluations hardly tell when: "
            f"{guessed} of {count}."
        )
    return ""
