"""Gradient noise scale along training, and relative to the critical batch size.

    `B_simple = tr(Sigma) / |G|^2`      (McCandlish et al. 2018, equation 2.9)
    `B_noise = tr(H Sigma) / (G' H G)`  (equation 2.8), where curvature was measured
    `tr(P Sigma) / (G' P G)`            in the optimizer's geometry, where that was: `b_geometry`

Both parts of each are estimated without bias, so a single `|G|^2` may be negative. The ratio is one
of averages over seeds, never an average of ratios. Where the seeds together don't show `|G|^2` to
be above zero the noise scale is `UNRESOLVED`: a lower bound only. That it predicts the critical
batch size is an approximation: published ratios run from 0.05 to 8 (ibid., table 1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, pairwise

import numpy as np
import pandas as pd

from reports.schema import BATCH_SIZE, Column, as_table, empty_table
from reports.stats.bounds import Ends, product_interval
from reports.stats.intervals import fieller_interval
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.paired_tests import FEWEST

TRACE = "gradient_trace"  # column with the estimate of tr(Sigma)
SQUARED_NORM = "gradient_squared_norm"  # of |G|^2; single values may be negative
CURVATURE_TRACE = "curvature_trace"  # column with the estimate of tr(H Sigma), H the Hessian
GRADIENT_CURVATURE = "gradient_curvature"  # column with the estimate of G'HG
FURTHER = {  # noise scales in other metrics, with the columns of their parts
    "b_noise": (CURVATURE_TRACE, GRADIENT_CURVATURE),
    "b_geometry": ("geometry_trace", "geometry_squared_norm"),
}
GRADIENTS = (TRACE, SQUARED_NORM, *chain(*FURTHER.values()))
RESOLVED = "resolved"  # |G|^2 differs from zero: the noise scale has an interval
UNRESOLVED = "unresolved"  # |G|^2 may be zero: the noise scale is at least the lower bound


def _further(name: str, ratio: str) -> Iterator[Column]:
    yield Column(name, "float64", "examples", f"{ratio}; missing if unresolved.")
    yield Column(f"{name}_low", "float64", "examples", "Lower bound; missing if not measured.")
    yield Column(f"{name}_high", "float64", "examples", "Upper bound; infinite if unresolved.")


_VALUES = (
    Column("seeds", "int64", "seeds", "Seeds with a measurement."),
    Column("noise_scale", "float64", "examples", "tr(Sigma) / |G|^2; missing if unresolved."),
    Column("low", "float64", "examples", "Lower bound of Fieller's interval, at least 0."),
    Column("high", "float64", "examples", "Upper bound; infinite if unresolved."),
    Column("status", "str", "", f"{RESOLVED} or {UNRESOLVED}."),
    *_further("b_noise", "tr(H Sigma) / G'HG"),
    *_further("b_geometry", "tr(P Sigma) / G'PG"),
)

NOISE_COLUMNS = (BATCH_SIZE, *_VALUES)

NOISE_CURVE_COLUMNS = (
    BATCH_SIZE,
    Column("examples", "int64", "examples", "Examples processed before the measurement."),
    *_VALUES,
)


def noise_along_training(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the noise scale of each batch size at each evaluation point.

    The curves have columns batch_size, seed, examples, `TRACE` and `SQUARED_NORM`, of runs at the
    tuned learning rates, and those of `FURTHER`; NaN where nothing was measured. Columns
    `NOISE_CURVE_COLUMNS`; points that weren't measured on every seed are absent. A single seed is
    unresolved from 0.
    """
    return _scales(curves, ["batch_size", "examples"], NOISE_CURVE_COLUMNS)


def average_noise(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the noise scale of each batch size, averaged over training: `NOISE_COLUMNS`.

    Of each seed both parts are averaged over its evaluation points, then over seeds. The evaluation
    before the first update is left out: `|G|^2` is largest there, and the average would show little
    but the noise scale of the initial weights.
    """
    return _scales(curves[curves["examples"] > 0], ["batch_size"], NOISE_COLUMNS)


def compare_with_critical(
    noise_scale: float, interval: Ends, fit: StepsToTargetFit
) -> tuple[float | None, Ends]:
    """Return noise scale / critical batch size, None if either isn't known, with its interval.

    The interval comes from those of both, and is open where one of them is. An unresolved noise
    scale is NaN.
    """
    critical, ends = fit.critical_batch_size, fit.critical_batch_size_interval
    if ends is None:
        return None, Ends(0.0, math.inf)
    inverse = ends.inverse()
    if critical is not None and not math.isnan(noise_scale):
        factors = (noise_scale, 1 / critical)
        return noise_scale / critical, product_interval(factors, (interval, inverse))
    # Without a value in the middle nothing adds in quadrature: the bounds of bounds remain.
    low, high = (a * b if a and b else 0.0 for a, b in zip(interval, inverse, strict=True))
    return None, Ends(low, high)


def of_distribution(curves: pd.DataFrame, items: int) -> pd.DataFrame:
    """Return curves whose gradient statistics are those of the distribution of examples.

    Stored ones are those of the training set, which holds `items` examples. With these seen as
    independent draws, the error of their own mean gradient is taken out of its squared norm.
    """
    trace, squared_norm = curves[TRACE], curves[SQUARED_NORM]
    return curves.assign(
        **{TRACE: trace * items / (items - 1), SQUARED_NORM: squared_norm - trace / (items - 1)}
    )


def _scales(curves: pd.DataFrame, by: list[str], columns: tuple[Column, ...]) -> pd.DataFrame:
    if curves[TRACE].isna().all():
        return empty_table(columns)
    table = _ratios(curves, by, [TRACE, SQUARED_NORM])
    for name, parts in FURTHER.items():
        if parts[0] in curves and curves[parts[0]].notna().any():
            names = {"noise_scale": name, "low": f"{name}_low", "high": f"{name}_high"}
            scales = _ratios(curves, by, [*parts])[[*by, *names]].rename(columns=names)
            table = table.merge(scales, on=by, how="left")
    return as_table(table.reindex(columns=[column.name for column in columns]), columns)


def _ratios(curves: pd.DataFrame, by: list[str], parts: list[str]) -> pd.DataFrame:
    measured = curves.dropna(subset=parts)
    seeds = measured.groupby([*by, "seed"], as_index=False)[parts].mean()
    # Where some seeds have stopped, or weren't measured, the others are no mean of all.
    all_of = curves.groupby("batch_size")["seed"].nunique()
    seeds = seeds[seeds.groupby(by)["seed"].transform("size") >= seeds["batch_size"].map(all_of)]
    points, values = seeds[by].to_numpy(), seeds[parts].to_numpy(np.float64)
    starts = np.flatnonzero(np.diff(points, axis=0, prepend=-1).any(axis=1))
    rows = [
        dict(zip(by, points[start].tolist(), strict=True)) | _scale(values[start:stop])
        for start, stop in pairwise([*starts.tolist(), len(values)])
    ]
    return pd.DataFrame(rows, columns=[*by, *(column.name for column in _VALUES[:5])])


def _scale(seeds: np.ndarray) -> dict[str, float | str]:
    """Return the noise scale of seeds that lie in rows: its numerator and its denominator."""
    row = {"seeds": len(seeds), "noise_scale": math.nan, "low": 0.0, "high": math.inf}
    if len(seeds) < FEWEST:
        return {**row, "status": UNRESOLVED}
    scale = fieller_interval(seeds[:, 0], seeds[:, 1])
    # A squared length or curvature below zero gives no noise scale, nor bounds of one.
    if scale.resolved and seeds[:, 1].mean() < 0:
        return {**row, "status": UNRESOLVED}
    row["low"] = max(scale.low, 0.0)
    if not scale.resolved or scale.ratio < 0:
        return {**row, "status": UNRESOLVED}
    return {**row, "noise_scale": scale.ratio, "high": scale.high, "status": RESOLVED}
