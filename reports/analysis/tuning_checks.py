"""How finely learning rates are tuned, and what a comparison without tuning would have shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.schema import TUNING_STAGES
from reports.stats import by_seed

_CELL = ["batch_size", "learning_rate"]
_LOWER, _BEST, _UPPER = range(3)


@dataclass(frozen=True)
class FixedRate:
    """What one learning rate for all batch sizes shows, and rates tuned for each."""

    rate: float  # the one with the highest mean over batch sizes: the kindest choice
    best: int  # batch size with the highest mean validation metric at it
    gap: float  # highest minus lowest such mean
    tuned_best: int
    tuned_gap: float


@dataclass(frozen=True)
class CoarseGrid:
    """A batch size whose neighbouring rates lie too far apart."""

    batch_size: int
    factor: float  # ratio of the best rate and the farther one of its neighbours
    gain: float  # by how much a rate in between may be better than the best one tried
    rate: float  # that rate


def fixed_rate(cells: pd.DataFrame) -> FixedRate | None:
    """Return what a single rate for all batch sizes would have shown; None if none was tried."""
    table = by_seed(cells[cells["eligible"]], "validation_metric", seed="learning_rate").T
    shared = table.dropna(axis="columns")
    if len(table) < 2 or len(table.columns) < 2 or shared.empty:  # noqa: PLR2004
        return None
    sizes, values = table.index.to_numpy(), shared.to_numpy()
    kindest = int(values.mean(axis=0).argmax())
    fixed, tuned = values[:, kindest], np.nanmax(table.to_numpy(), axis=1)
    return FixedRate(
        float(shared.columns[kindest]),
        int(sizes[fixed.argmax()]),
        float(np.ptp(fixed)),
        int(sizes[tuned.argmax()]),
        float(np.ptp(tuned)),
    )


def coarse_grids(
    trials: pd.DataFrame, cells: pd.DataFrame, batch_sizes: pd.DataFrame
) -> list[CoarseGrid]:
    """Return the batch sizes of a group where a better rate probably lies between those tried.

    A parabola through the mean metrics of the best rate and its two neighbours, over the logarithm
    of the rate, peaks above the best by more than the standard error of the best over its seeds.
    """
    chosen = batch_sizes.dropna(subset="validation_metric")
    tuning = trials.loc[trials["stage"].isin(TUNING_STAGES), [*_CELL, "validation_metric"]]
    errors = tuning.merge(chosen[_CELL], on=_CELL).groupby("batch_size")["validation_metric"].sem()
    pairs = zip(chosen["batch_size"].tolist(), chosen["learning_rate"].tolist(), strict=True)
    grids = (_coarse(cells[cells["batch_size"] == n], rate, errors[n]) for n, rate in pairs)
    return [grid for grid in grids if grid is not None]


def _coarse(cells: pd.DataFrame, rate: float, error: float) -> CoarseGrid | None:
    """Judge one batch size by its cells."""
    rates = cells["learning_rate"].to_numpy()
    index = int(np.flatnonzero(rates == rate)[0])
    around = slice(max(index - 1, 0), index + 2)
    logs = np.log(rates[around])
    if logs.size <= _UPPER or not cells["eligible"].to_numpy()[around].all():
        return None
    peak, gain = peak_of(logs, cells["validation_metric"].to_numpy()[around])
    if not gain > error:
        return None
    size, factor = int(cells["batch_size"].iloc[0]), math.exp(np.diff(logs).max())
    return CoarseGrid(size, factor, gain, math.exp(peak))


def peak_of(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return where the parabola through three points peaks, and how far above the middle one."""
    left, right = np.diff(y) / np.diff(x)
    bend = float((right - left) / (x[_UPPER] - x[_LOWER]))
    slope = float(left + bend * (x[_BEST] - x[_LOWER]))
    if bend >= 0:
        return float(x[_BEST]), 0.0
    return float(x[_BEST]) - slope / (2 * bend), slope**2 / (-4 * bend)
