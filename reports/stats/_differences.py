"""Differences of two means over seeds: paired where seeds are common, otherwise not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from reports.stats.intervals import CONFIDENCE, Interval, paired_difference, t_quantile
from reports.stats.paired_tests import FEWEST, spread_of

PAIRED, UNPAIRED = "paired t", "Welch's t"  # how the interval of a difference was computed


@dataclass(frozen=True)
class Difference:
    """Second minus first; the interval's count is the pairs or, unpaired, the seeds of both."""

    interval: Interval
    p_value: float  # of a difference of zero, two-sided, by the same t distribution


def difference(first: pd.Series[float], second: pd.Series[float]) -> Difference | None:
    """Return how far the second mean is above the first; None if there are too few values.

    Paired over common seeds if there are two or more; with none in common by Welch's interval
    (Welch 1947, The generalization of Student's problem). A single common seed allows neither.
    """
    common = first.index.intersection(second.index).size
    if common >= FEWEST:
        interval = replace(paired_difference(second, first), method=PAIRED)
        pairs = (second - first).dropna()
        spread = spread_of(pairs.to_numpy(np.float64)) / math.sqrt(common)
        return Difference(interval, _p_value(interval.mean, spread, common - 1))
    if common or min(first.size, second.size) < FEWEST:
        return None
    samples = first.to_numpy(np.float64), second.to_numpy(np.float64)
    squares = [float(sample.var(ddof=1)) / sample.size for sample in samples]
    mean, spread = float(samples[1].mean() - samples[0].mean()), math.sqrt(sum(squares))
    shares = squares[0] ** 2 / (first.size - 1) + squares[1] ** 2 / (second.size - 1)
    degrees = spread**4 / shares if shares else float(first.size + second.size - 2)
    half, count = t_quantile(degrees, (1 + CONFIDENCE) / 2) * spread, first.size + second.size
    interval = Interval(mean, mean - half, mean + half, count, UNPAIRED)
    return Difference(interval, _p_value(mean, spread, degrees))


def _p_value(mean: float, spread: float, degrees: float) -> float:
    if spread == 0:
        return float(mean == 0)
    return 2 * float(special.stdtr(degrees, -abs(mean) / spread))


def by_seed(rows: pd.DataFrame, name: str, seed: str = "seed") -> pd.DataFrame:
    """Return one row for each seed, one column for each batch size; NaN where there is none."""
    # No seed may have two rows at a batch size: much quicker than pandas' pivot tables.
    index, row = np.unique(rows[seed].to_numpy(), return_inverse=True)
    columns, column = np.unique(rows["batch_size"].to_numpy(), return_inverse=True)
    table = np.full((index.size, columns.size), np.nan)
    table[row, column] = rows[name].to_numpy(np.float64)
    return pd.DataFrame(table, pd.Index(index, name=seed), pd.Index(columns, name="batch_size"))


def sizes_of(values: pd.DataFrame) -> list[int]:
    """Return the batch sizes of a table that has one column for each."""
    return [int(size) for size in values.columns.tolist()]
