"""How finely learning rates are tuned, and what a comparison without tuning would have said.

Both are read from the trials that choose rates, on the validation part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.record import Analysis
from reports.results import TUNING_STAGES

_LOWER, _BEST, _UPPER = range(3)


@dataclass(frozen=True)
class FixedRate:
    """What one learning rate for all batch sizes says, beside rates tuned for each.

    Attributes:
        rate: The one with the highest mean over batch sizes: the kindest choice.
        best: Batch size with the highest mean validation metric at it.
        gap: Highest minus lowest such mean.
        tuned_best: The same of rates tuned for each batch size.
        tuned_gap: Likewise.
    """

    rate: float
    best: int
    gap: float
    tuned_best: int
    tuned_gap: float


@dataclass(frozen=True)
class CoarseGrid:
    """A batch size whose neighbouring rates lie too far apart.

    Attributes:
        batch_size: Where.
        factor: Ratio of the best rate and the farther one of its neighbours.
        gain: By how much a rate in between may be better than the best one tried.
    """

    batch_size: int
    factor: float
    gain: float


def fixed_rate(analysis: Analysis) -> FixedRate | None:
    """Return what a single rate for all batch sizes would have said.

    Args:
        analysis: The numbers.

    Returns:
        None if no rate has a result for every seed at every batch size, if fewer than two batch
        sizes or two rates were tried, or if there is no metric.
    """
    cells = analysis.cells[analysis.cells["eligible"]]
    table = cells.pivot_table(
        index="batch_size", columns="learning_rate", values="validation_metric"
    )
    shared = table.dropna(axis="columns")
    if len(table) < 2 or len(table.columns) < 2 or shared.empty:  # noqa: PLR2004
        return None
    sizes, values = table.index.to_numpy(), shared.to_numpy()
    place = int(values.mean(axis=0).argmax())
    fixed, tuned = values[:, place], np.nanmax(table.to_numpy(), axis=1)
    return FixedRate(
        float(shared.columns[place]),
        int(sizes[fixed.argmax()]),
        float(np.ptp(fixed)),
        int(sizes[tuned.argmax()]),
        float(np.ptp(tuned)),
    )


def coarse_grids(analysis: Analysis) -> list[CoarseGrid]:
    """Return the batch sizes where a better rate probably lies between those tried.

    A parabola through the mean metrics of the best rate and its two neighbours, over the logarithm
    of the rate, peaks above the best. Where that is more than the standard error of the best over
    its seeds, the grid is too coarse for what the seeds can tell.

    Args:
        analysis: The numbers.

    Returns:
        Batch sizes, ascending; those with a single seed, or without a result for every seed at
        both neighbours, can't be judged.
    """
    tuned = analysis.batch_sizes.dropna(subset="validation_metric")
    cells = zip(tuned["batch_size"], tuned["learning_rate"], strict=True)
    found = (_coarse(analysis, size, rate) for size, rate in cells)
    return [one for one in found if one is not None]


def _coarse(analysis: Analysis, batch_size: int, rate: float) -> CoarseGrid | None:
    cells = analysis.cells[analysis.cells["batch_size"] == batch_size].reset_index(drop=True)
    place = int(np.flatnonzero(cells["learning_rate"] == rate)[0])
    around = cells.iloc[max(place - 1, 0) : place + 2]
    if len(around) <= _UPPER or not around["eligible"].all():
        return None
    logs = np.log(around["learning_rate"].to_numpy())
    gain = peak_above(logs, around["validation_metric"].to_numpy())
    if not gain > _standard_error(analysis.results.trials, batch_size, rate):
        return None
    return CoarseGrid(batch_size, math.exp(np.diff(logs).max()), gain)


def _standard_error(trials: pd.DataFrame, batch_size: int, rate: float) -> float:
    here = (trials["batch_size"] == batch_size) & (trials["learning_rate"] == rate)
    values = trials.loc[here & trials["stage"].isin(TUNING_STAGES), "validation_metric"]
    return (
        float(values.to_numpy().std(ddof=1)) / math.sqrt(len(values))
        if len(values) > 1
        else math.nan
    )


def peak_above(x: np.ndarray, y: np.ndarray) -> float:
    """Return by how much the parabola through three points peaks above the middle one.

    Args:
        x: Ascending.
        y: The middle one is not below the others.

    Example:
        >>> x = np.array([-1.0, 0.0, 2.0])
        >>> round(peak_above(x, 5 - (x - 0.5) ** 2), 6)
        0.25
    """
    left, right = np.diff(y) / np.diff(x)
    bend = float((right - left) / (x[_UPPER] - x[_LOWER]))
    slope = float(left + bend * (x[_BEST] - x[_LOWER]))
    return slope**2 / (-4 * bend) if bend < 0 else 0.0
