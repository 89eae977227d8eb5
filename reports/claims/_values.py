"""What claims compare: a metric by seed (row) and batch size (column), under a budget rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.analysis import TargetRecord, select_rates
from reports.analysis.batch_sizes import tuned
from reports.analysis.equal_budgets import best_on_others, guess_level
from reports.analysis.target_rates import points_of
from reports.recommend import Analysis
from reports.schema import TUNING_STAGES, GroupDescription
from reports.schema.measures import step_of
from reports.stats import FEWEST, by_seed, sizes_of
from reports.stats.models import RESOLVED
from reports.stats.models.noise_scale import average_noise


@dataclass(frozen=True)
class GroupValues:
    """A group's values that claims compare, each computed once."""

    analysis: Analysis

    @property
    def plan(self) -> GroupDescription:
        """What was planned in the group."""
        return self.analysis.plan

    @cached_property
    def tuned(self) -> pd.DataFrame:
        """The metric that the report shows, at the tuned rate of each batch size."""
        # The test metric on fresh seeds; where there are none, the validation metric, each seed at
        # the rate that is best on the others. Batch sizes with a failed seed have no column.
        if self.analysis.part != "test":
            return cross_fitted(self.explored)
        seeds = self.analysis.seeds
        complete = seeds[seeds["batch_size"].isin(self.analysis.measured["batch_size"])]
        return by_seed(complete, "metric")

    @cached_property
    def fixed(self) -> pd.DataFrame:
        """The validation metric where all batch sizes have the rate that suits the smallest."""
        return cross_fitted(self.explored, fixed=True)

    @cached_property
    def explored(self) -> pd.DataFrame:
        """The validation metric by seed and tuning cell; where a trial diverged, a guess."""
        trials = self.analysis.results.trials
        ended = trials["status"].isin(["ok", "diverged"])
        trials = trials[ended & trials["stage"].isin(TUNING_STAGES)]
        guess = guess_level(self.plan)
        metric = trials["validation_metric"].mask(trials["status"] == "diverged", guess)
        table = trials.assign(metric=metric).pivot_table(
            "metric", "seed", ["batch_size", "learning_rate"]
        )
        return table.reindex([*self.analysis.study.seeds])

    @cached_property
    def updates_made(self) -> dict[int, int]:
        """Updates of a trial's budget by batch size, where trials have ended."""
        trials = self.analysis.results.trials
        most = trials[trials["status"] == "ok"].groupby("batch_size")["updates"].max()
        made = zip(most.index.tolist(), most.tolist(), strict=True)
        return {size: self.plan.budget_updates.get(size, updates) for size, updates in made}

    @cached_property
    def seconds_per_update(self) -> dict[int, float]:
        """Median seconds of an update of one network, by batch size."""
        table = self.analysis.alone
        return dict(zip(table["batch_size"], table["seconds_per_update"], strict=True))

    def step(self, part: str) -> float:
        """Return the smallest difference of two values of the metric on one part of the data."""
        items = self.plan.test_items if part == "test" else self.plan.validation_items
        return step_of(self.plan.metric, items)

    def noise_scales(self, record: TargetRecord) -> dict[int, float]:
        """Return the noise scale of batch sizes that resolve it, by the tuning seeds' gradients."""
        # Averaged over training up to the target.
        rates = select_rates(self.analysis.cells)
        results = self.analysis.results
        runs = tuned(results.trials, rates, TUNING_STAGES)
        points = points_of(runs, results.curves, results.description.tuning_seeds)
        updates = record.tuning.groupby("batch_size")["updates"].median()
        scales = average_noise(points[points["updates"] <= points["batch_size"].map(updates)])
        known = scales[scales["status"] == RESOLVED]
        return dict(zip(known["batch_size"], known["noise_scale"], strict=True))

    @cached_property
    def round_seconds(self) -> dict[str, pd.DataFrame]:
        """Seconds of an update of one network, by engine, then benchmark round and batch size."""
        timing = self.analysis.results.timing
        alone = timing[timing["lanes"] == 1]
        seconds = alone.assign(seconds=alone["wall_seconds"] / alone["updates"])
        return {
            str(engine): by_seed(rows, "seconds", seed="round")
            for engine, rows in seconds.groupby("engine")
        }


def cross_fitted(explored: pd.DataFrame, *, fixed: bool = False) -> pd.DataFrame:
    """Return each seed's metric at the learning rate that is best on all other seeds."""
    # With `fixed`, all batch sizes have the best rate of the smallest one, of those that all tried.
    complete = explored.dropna(axis="columns").sort_index(axis="columns")
    if fixed:
        tried = complete.columns.to_frame(index=False).groupby("learning_rate").size()
        common = tried.index[tried == complete.columns.unique("batch_size").size]
        complete = complete.loc[:, complete.columns.isin(common, level="learning_rate")]
    if complete.empty or len(complete) == 1:
        return pd.DataFrame()
    tables = {size: complete[size].to_numpy().T for size in complete.columns.unique("batch_size")}
    best = {size: best_on_others(table) for size, table in tables.items()}
    smallest, seeds = next(iter(best.values())), np.arange(len(complete))
    chosen = {size: tables[size][smallest if fixed else best[size], seeds] for size in tables}
    return pd.DataFrame(chosen, complete.index).rename_axis(columns="batch_size")


def fall(values: pd.DataFrame, best: int | None = None) -> pd.Series[float]:
    """Return the change of a metric from the best smaller batch size to the largest, by seed."""
    # The best is the one that is best on all other seeds, if it isn't given.
    complete = values.dropna()
    if len(complete.columns) < FEWEST:
        return pd.Series(dtype="float64")
    *smaller, largest = sizes_of(complete)
    if best is not None:
        return complete[largest] - complete[best]
    if len(complete) < FEWEST:
        return pd.Series(dtype="float64")
    table = complete[smaller].to_numpy(np.float64).T
    return complete[largest] - table[best_on_others(table), np.arange(len(complete))]
