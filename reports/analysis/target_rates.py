"""The learning rates that reach a target soonest, and the evaluations that show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.schema import CELL, GROUP, SIZE, TUNING_STAGES, as_table, count_seeds
from reports.schema.outcomes import measurements
from reports.stats.models import CROSSING_COLUMNS, Target
from reports.stats.models.first_passage import (
    NOT_REACHED,
    RATE,
    REACHED,
    crossings_by_group,
    targets_by_group,
)
from reports.stats.models.noise_scale import GRADIENTS

METRIC, LOSS = "validation_metric", "validation_loss"
TARGET_CELL = ["group", "target", "batch_size"]
UNNAMED = 0.0
"""In place of the level of a target that finished runs reached, where nobody says which it was."""
ENOUGH_SIZES = 0.5  # share of the batch sizes that must reach the target that the headline uses


@dataclass(frozen=True)
class Goal:
    """The level that a study sets; without one, levels are set from the tuning seeds."""

    metric: float | None = None
    loss: float | None = None

    @property
    def measure(self) -> str:
        """The column of curves in which the level is to be reached."""
        return METRIC if self.loss is None else LOSS

    def crossings(
        self, points: pd.DataFrame, targets: Mapping[str, Sequence[Target]]
    ) -> pd.DataFrame:
        """Return where runs first cross the targets."""
        lower = self.measure == LOSS
        return crossings_by_group(points, self.measure, targets, lower_is_better=lower)

    def targets(
        self, tuning: pd.DataFrame, groups: Iterable[str]
    ) -> Mapping[str, tuple[Target, ...]]:
        """Return the level set or else shares of what the tuning runs at selected rates attain."""
        level = self.metric if self.loss is None else self.loss
        if level is None:
            return targets_by_group(tuning, METRIC, lower_is_better=False)
        return {group: (Target(math.nan, level),) for group in groups}


@dataclass(frozen=True)
class Tuning:
    """What the tuning seeds show of training to the targets."""

    points: pd.DataFrame  # evaluations of the runs at all rates
    targets: Mapping[str, tuple[Target, ...]]  # of each group, easiest first
    rates: pd.DataFrame  # `TARGET_CELL` and target_rate
    crossings: pd.DataFrame  # of the runs at these rates


def tune(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    planned: pd.Series[int],
    selection: pd.DataFrame,
    goal: Goal,
    *,
    others: Iterable[str] = (),
) -> Tuning:
    """Tune rates for the targets, which `others` have, too: groups without tuning runs."""
    trials = trials[trials["stage"].isin(TUNING_STAGES)].merge(selection[SIZE], on=SIZE)
    points = points_of(trials, curves, planned)
    targets = goal.targets(points.merge(selection[CELL], on=CELL), {*points["group"], *others})
    tried = goal.crossings(points, targets)
    rates = quickest_rates(tried, selection)
    tuned = tried.merge(rates.rename(columns={"target_rate": RATE.name}))
    return Tuning(points, targets, rates, tuned)


def tuning_of_steps(steps: pd.DataFrame, points: pd.DataFrame, goal: Goal) -> Tuning:
    """Return the same of updates to a target that are known without curves: no row of points."""
    given = goal.metric if goal.loss is None else goal.loss
    level = UNNAMED if given is None else given
    runs = steps.assign(
        share=math.nan,
        target=level,
        outcome=np.where(steps["reached"], REACHED, NOT_REACHED),
        half_width=0.0,
    )
    columns = (GROUP, *CROSSING_COLUMNS, RATE)
    tried = as_table(runs, columns)
    first = tried.drop_duplicates(SIZE)[CELL]
    rates = quickest_rates(tried, first)
    tuned = tried.merge(rates.rename(columns={"target_rate": RATE.name}))
    targets = {str(group): (Target(math.nan, level),) for group in tried["group"].unique()}
    return Tuning(points[:0], targets, rates, as_table(tuned, columns))


def unconfirmed_rates(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    planned: pd.Series[int],
    selection: pd.DataFrame,
    goal: Goal,
) -> pd.DataFrame:
    """Return the rates that reach the main target soonest, where others are selected."""
    tuning = tune(trials, measurements(curves), planned, selection, goal)
    runs = dict(list(tuning.crossings.groupby(TARGET_CELL[:2])))
    mains = []
    for group, targets in tuning.targets.items():
        keys = [(group, target.level) for target in targets]
        main = strictest([runs.get(key, tuning.crossings[:0]) for key in keys])
        mains += [] if main is None else [keys[main]]
    of_main = pd.MultiIndex.from_frame(tuning.rates[TARGET_CELL[:2]]).isin(mains)
    rates = tuning.rates[of_main].merge(selection[CELL], on=SIZE)
    return rates.loc[rates["target_rate"] != rates[RATE.name], [*SIZE, "target_rate"]]


def strictest(runs: Sequence[pd.DataFrame]) -> int | None:
    """Return the place of the last target that half of the batch sizes reach, or else 0."""
    reached = [
        number
        for number, each in enumerate(runs)
        if len(reaching(each)) >= ENOUGH_SIZES * each["batch_size"].nunique()
    ]
    return max(reached, default=0) if runs else None


def reaching(crossings: pd.DataFrame) -> list[int]:
    """Return the batch sizes all of whose runs come to the target, rather than begin beyond it."""
    sizes = crossings["batch_size"].to_numpy()
    missed = crossings["outcome"].to_numpy(object) != REACHED
    return sorted({*sizes.tolist()} - {*sizes[missed].tolist()})


def points_of(runs: pd.DataFrame, curves: pd.DataFrame, planned: pd.Series[int]) -> pd.DataFrame:
    """Return the evaluations of runs of one kind of stage, of cells whose seeds have all ended.

    Of a diverged run, the last row is where it diverged, without values.
    """
    recorded = runs["trial"].isin(curves["trial"].unique()) | (runs["status"] == "diverged")
    known = runs.assign(status=runs["status"].where(recorded, "unrecorded"))
    cells = count_seeds(known, "validation", planned)
    whole = cells.index[cells["ended"] == cells["planned"]]
    runs = runs[pd.MultiIndex.from_frame(runs[CELL]).isin(whole)]
    run, progress = [*CELL, "seed"], ["examples", "updates"]
    points = curves[["trial", *progress, METRIC, LOSS, *GRADIENTS]]
    table = points.merge(runs[[*run, "trial"]], on="trial").drop(columns="trial")
    ends = runs.loc[runs["status"] == "diverged", [*run, *progress]]
    return pd.concat([table, ends], ignore_index=True) if len(ends) else table


def quickest_rates(tried: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Return the rate that reaches each target soonest: columns `TARGET_CELL` and target_rate.

    Soonest is the lowest mean logarithm of updates over the tuning seeds, of the rates that miss
    the target with the fewest. Where none reaches the target, it is the selected rate.
    """
    reached = tried["outcome"] != NOT_REACHED
    runs = tried.assign(
        missed=~reached, updates=np.log(tried["updates"].clip(lower=1)).where(reached)
    )
    cells = runs.groupby([*TARGET_CELL, RATE.name])[["missed", "updates"]].mean().reset_index()
    cells = cells.merge(selection[CELL].rename(columns={RATE.name: "selected"}), on=SIZE)
    none = cells["updates"].isna()
    cells = cells[~none | (cells[RATE.name] == cells["selected"])]
    best = cells.sort_values([*TARGET_CELL, "missed", "updates", RATE.name]).drop_duplicates(
        TARGET_CELL
    )
    return best.rename(columns={RATE.name: "target_rate"})[[*TARGET_CELL, "target_rate"]]


def at_confirmed_rates(
    repeated: pd.DataFrame, rates: pd.DataFrame, selection: pd.DataFrame
) -> pd.DataFrame:
    """Return the runs of fresh seeds at the target's rate or, without any, the selected one."""
    runs = repeated.merge(rates, on=TARGET_CELL, how="left")
    runs = runs.merge(selection[CELL].rename(columns={RATE.name: "selected"}), on=SIZE)
    quickest = runs[RATE.name] == runs["target_rate"]
    known = quickest.groupby([runs[name] for name in TARGET_CELL]).transform("any")
    kept = quickest.where(known, runs[RATE.name] == runs["selected"])
    return runs.loc[kept.astype(bool), repeated.columns].reset_index(drop=True)
