"""What claims compare: a metric by seed (row) and batch size (column), under a budget rule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.analysis.equal_budgets import best_on_others, guess_level
from reports.recommend import Analysis
from reports.schema import TUNING_STAGES
from reports.stats import FEWEST, by_seed, sizes_of


def tuned_values(group: Analysis) -> pd.DataFrame:
    """Return the metric that the report shows, at the tuned rate of each batch size."""
    # The test metric on fresh seeds; where there are none, the validation metric, each seed at
    # the rate that is best on the others. Batch sizes with a failed seed have no column.
    if group.part != "test":
        return cross_fitted(explored(group))
    complete = group.seeds["batch_size"].isin(group.measured["batch_size"])
    return by_seed(group.seeds[complete], "metric")


def explored(group: Analysis) -> pd.DataFrame:
    """Return the validation metric by seed and tuning cell; where a trial diverged, a guess."""
    trials = group.results.trials
    ended = trials["status"].isin(["ok", "diverged"])
    trials = trials[ended & trials["stage"].isin(TUNING_STAGES)]
    guess = guess_level(group.plan)
    metric = trials["validation_metric"].mask(trials["status"] == "diverged", guess)
    table = trials.assign(metric=metric).pivot_table(
        "metric", "seed", ["batch_size", "learning_rate"]
    )
    return table.reindex([*group.study.seeds])


def round_seconds(group: Analysis) -> dict[str, pd.DataFrame]:
    """Return seconds of one network's update, by engine, then benchmark round and batch size."""
    timing = group.results.timing
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
