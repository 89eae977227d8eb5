"""What the judging of claims compares: a metric by seed and batch size, under a rule.

Every function gives one row for each seed and one column for each batch size, so that differences
are taken within a seed. Where no fresh seeds judge, a seed's own value never chooses its rate.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from reports.readings import best_on_others, evaluations, guess_level, read
from reports.record import Analysis
from reports.results import TUNING_STAGES
from reports.timing import one_network

_CELL = ["batch_size", "learning_rate"]


def tuned(analysis: Analysis) -> pd.DataFrame:
    """Return the metric that the report shows, at the tuned rate of each batch size.

    Args:
        analysis: The numbers of a group.

    Returns:
        The test metric on fresh seeds; where there are none, the validation metric, each seed at
        the rate that is best on the others. Batch sizes that lost a seed have no column.
    """
    if analysis.part != "test":
        return cross_fitted(explored(analysis))
    kept = analysis.seeds[analysis.seeds["batch_size"].isin(analysis.ranked["batch_size"])]
    return kept.pivot_table(index="seed", columns="batch_size", values="metric")


def explored(analysis: Analysis, updates: Mapping[int, float] | None = None) -> pd.Series[float]:
    """Return the validation metric of every trial that tuned the rates.

    Args:
        analysis: The numbers of a group.
        updates: By batch size, the update at which the metric is read from the curve, linearly
            between evaluations; None for the end of training.

    Returns:
        By batch size, learning rate and seed. A diverged trial counts as a guess; one without a
        result is absent.
    """
    trials = analysis.results.trials
    shown = trials[trials["stage"].isin(TUNING_STAGES) & trials["status"].isin(["ok", "diverged"])]
    metric = shown["validation_metric"]
    if updates is not None:
        points = shown["batch_size"].map(updates).to_numpy(np.float64)[:, None]
        curves = evaluations(analysis.results.curves)
        metric = pd.Series(read(curves, shown["trial"].tolist(), points)[:, 0], shown.index)
    lost = shown["status"] == "diverged"
    values = shown.assign(metric=metric.mask(lost, guess_level(analysis.plan)))
    return values.set_index([*_CELL, "seed"])["metric"].dropna()


def cross_fitted(values: pd.Series[float], *, kept: bool = False) -> pd.DataFrame:
    """Return each seed's metric at the learning rate that is best on all other seeds.

    Args:
        values: By batch size, learning rate and seed.
        kept: Whether every batch size has the rate that is best at the smallest one, among those
            tried with all of them; otherwise each has its own.

    Returns:
        No column for a batch size without a rate that has a value for every seed; nothing with
        fewer than two seeds.
    """
    wide = values.unstack().dropna()  # noqa: PD010 - a series has nothing to aggregate
    if kept:
        wide = _tried_with_all(wide)
    if wide.empty or len(wide.columns) == 1:
        return pd.DataFrame()
    found, rates = {}, None
    for size, block in wide.groupby("batch_size"):
        tried, table = block.index.get_level_values("learning_rate"), block.to_numpy()
        if rates is None or not kept:
            rates = tried[best_on_others(table)]
        found[size] = table[tried.get_indexer(rates), range(len(wide.columns))]
    return pd.DataFrame(found, index=wide.columns)


def _tried_with_all(wide: pd.DataFrame) -> pd.DataFrame:
    sizes = wide.index.get_level_values("batch_size").nunique()
    tried = wide.groupby("learning_rate").transform("size")
    return wide[tried == sizes]


def updates_in_equal_time(analysis: Analysis) -> dict[int, float]:
    """Return how many updates each batch size makes in the shortest time that any one trains.

    Args:
        analysis: The numbers of a group.

    Returns:
        By batch size; empty if some weren't timed.
    """
    made = updates_made(analysis)
    seconds = seconds_per_update(analysis)
    if not made or not made.keys() <= seconds.keys():
        return {}
    shortest = min(made[size] * seconds[size] for size in made)
    return {size: shortest / seconds[size] for size in made}


def updates_made(analysis: Analysis) -> dict[int, int]:
    """Return the updates of a trial's budget by batch size, as far as trials have made them.

    Args:
        analysis: The numbers of a group.
    """
    trials = analysis.results.trials
    ok = trials[trials["status"] == "ok"]
    most = ok.groupby("batch_size")["updates"].max()
    return dict(zip(most.index.tolist(), most.tolist(), strict=True))


def seconds_per_update(analysis: Analysis) -> dict[int, float]:
    """Return the median seconds of an update of one network, by batch size.

    Args:
        analysis: The numbers of a group.
    """
    table = one_network(analysis.timing)
    return {
        int(size): float(seconds)
        for size, seconds in zip(table["batch_size"], table["seconds_per_update"], strict=True)
    }


def round_seconds(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return the seconds of an update of one network: by engine, then by timing round and size.

    Args:
        analysis: The numbers of a group.
    """
    timing = analysis.results.timing
    alone = timing[timing["lanes"] == 1]
    seconds = alone.assign(seconds=alone["wall_seconds"] / alone["updates"])
    return {
        str(engine): rows.pivot_table(index="round", columns="batch_size", values="seconds")
        for engine, rows in seconds.groupby("engine")
    }


def sizes_of(values: pd.DataFrame) -> list[int]:
    """Return the batch sizes of a table that has one column for each.

    Args:
        values: The table.
    """
    return [int(size) for size in values.columns.tolist()]


def trend(values: pd.DataFrame) -> pd.Series[float]:
    """Return the change of a metric from the smallest to the largest batch size, by seed.

    Along the straight line that fits a seed's values against the logarithm of the batch size best:
    all batch sizes speak, not the two ends alone.

    Args:
        values: One row for each seed, one column for each batch size.

    Returns:
        Only seeds with a value for every batch size; empty with fewer than two batch sizes.

    Example:
        >>> values = pd.DataFrame({1: [0.9, 0.8], 4: [0.85, 0.8], 16: [0.8, 0.8]}, index=[7, 8])
        >>> trend(values).round(6).to_dict()
        {7: -0.1, 8: 0.0}
    """
    complete = values.dropna()
    if complete.empty or len(complete.columns) == 1:
        return pd.Series(dtype="float64")
    doublings = np.log2(complete.columns.to_numpy(np.float64))
    slopes = np.polyfit(doublings, complete.to_numpy(np.float64).T, 1)[0]
    return pd.Series(slopes * np.ptp(doublings), index=complete.index)
