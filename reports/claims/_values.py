"""What claims compare: a metric by seed (row) and batch size (column), under a budget rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import pandas as pd

from reports.analysis.equal_budgets import best_on_others, evaluations, guess_level, read
from reports.recommend import Analysis
from reports.schema import TUNING_STAGES, GroupDescription
from reports.stats import by_seed


@dataclass(frozen=True)
class Grid:
    """A metric for every batch size, learning rate and seed, ascending; NaN where there is none."""

    sizes: Annotated[np.ndarray, "size"]
    rates: Annotated[np.ndarray, "rate"]
    seeds: Annotated[np.ndarray, "seed"]
    metric: Annotated[np.ndarray, "size rate seed"]


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
        """The metric that the report shows, at the tuned rate of each batch size.

        The test metric on fresh seeds; where there are none, the validation metric, each seed at
        the rate that is best on the others. Batch sizes that lost a seed have no column.
        """
        if self.analysis.part != "test":
            return cross_fitted(self.explored)
        seeds = self.analysis.seeds
        kept = seeds[seeds["batch_size"].isin(self.analysis.measured["batch_size"])]
        return by_seed(kept, "metric")

    @cached_property
    def kept(self) -> pd.DataFrame:
        """The validation metric where all batch sizes have the rate that suits the smallest."""
        return cross_fitted(self.explored, kept=True)

    @cached_property
    def explored(self) -> Grid:
        """The validation metric at the end of training of every trial that tuned the rates."""
        return self._grid(self._explorers["validation_metric"].to_numpy(np.float64))

    def explored_at(self, updates: Mapping[int, float]) -> Grid:
        """Return the same after so many updates of each batch size, read from curves."""
        trials = self._explorers
        points = np.array([updates[size] for size in trials["batch_size"].tolist()], np.float64)
        return self._grid(read(self._curves, trials["trial"].tolist(), points[:, None])[:, 0])

    def _grid(self, metric: Annotated[np.ndarray, "trial"]) -> Grid:
        """A diverged trial counts as a guess; a seed without a trial has no value."""
        trials, seeds = self._explorers, np.unique(self.analysis.study.seeds)
        lost = (trials["status"] == "diverged").to_numpy(bool)
        values = np.where(lost, guess_level(self.plan), metric)
        sizes, size = np.unique(trials["batch_size"].to_numpy(), return_inverse=True)
        rates, rate = np.unique(trials["learning_rate"].to_numpy(), return_inverse=True)
        table = np.full((sizes.size, rates.size, seeds.size), np.nan)
        table[size, rate, np.searchsorted(seeds, trials["seed"])] = values
        return Grid(sizes, rates, seeds, table)

    @cached_property
    def _explorers(self) -> pd.DataFrame:
        trials = self.analysis.results.trials
        tuning = trials["stage"].isin(TUNING_STAGES)
        return trials[tuning & trials["status"].isin(["ok", "diverged"])]

    @cached_property
    def _curves(self) -> dict[str, np.ndarray]:
        return evaluations(self.analysis.results.curves)

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

    @cached_property
    def round_seconds(self) -> dict[str, pd.DataFrame]:
        """Seconds of an update of one network: by engine, then by timing round and batch size."""
        timing = self.analysis.results.timing
        alone = timing[timing["lanes"] == 1]
        seconds = alone.assign(seconds=alone["wall_seconds"] / alone["updates"])
        return {
            str(engine): by_seed(rows, "seconds", seed="round")
            for engine, rows in seconds.groupby("engine")
        }

    @cached_property
    def updates_in_equal_time(self) -> dict[int, float]:
        """Updates of each batch size in the shortest time that any one trains; {} if untimed."""
        made, seconds = self.updates_made, self.seconds_per_update
        if not made or not made.keys() <= seconds.keys():
            return {}
        shortest = min(made[size] * seconds[size] for size in made)
        return {size: shortest / seconds[size] for size in made}


def cross_fitted(grid: Grid, *, kept: bool = False) -> pd.DataFrame:
    """Return each seed's metric at the learning rate that is best on all other seeds.

    With `kept`, every batch size has the rate that is best at the smallest one, of those all tried.
    """
    complete = ~np.isnan(grid.metric).any(axis=2)
    sizes = complete.any(axis=1)
    if kept:
        complete = complete & complete[sizes].all(axis=0)
    sizes = complete.any(axis=1)
    if not sizes.any() or grid.seeds.size == 1:
        return pd.DataFrame()
    tables = [grid.metric[index, complete[index]] for index in np.flatnonzero(sizes)]
    best = [best_on_others(table) for table in (tables[:1] if kept else tables)]
    seeds = np.arange(grid.seeds.size)
    chosen = [table[best[index % len(best)], seeds] for index, table in enumerate(tables)]
    columns = pd.Index(grid.sizes[sizes], name="batch_size")
    return pd.DataFrame(np.transpose(chosen), pd.Index(grid.seeds, name="seed"), columns)


def trend(values: pd.DataFrame) -> pd.Series[float]:
    """Return the change of a metric from the smallest to the largest batch size, by seed.

    Along the straight line that fits a seed's values against the logarithm of the batch size best.
    """
    complete = values.dropna()
    if complete.empty or len(complete.columns) == 1:
        return pd.Series(dtype="float64")
    doublings = np.log2(complete.columns.to_numpy(np.float64))
    around = doublings - doublings.mean()
    slopes = complete.to_numpy(np.float64) @ around / (around @ around)
    return pd.Series(slopes * np.ptp(doublings), index=complete.index)
