"""Tables of the way to a target, for all groups of a study at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reports.analysis.scaling_record import NOISE_RATIO_COLUMNS, TO_TARGET_COLUMNS
from reports.analysis.selection import CELL_COLUMNS
from reports.analysis.update_times import one_network
from reports.schema.outcomes import CELL, count_seeds
from reports.schema.results import TUNING_STAGES, StudyResults, as_table
from reports.stats.bounds import Ends
from reports.stats.medians import medians
from reports.stats.models.first_passage import CROSSING_COLUMNS, NOT_REACHED
from reports.stats.models.noise_scale import (
    SQUARED_NORM,
    TRACE,
    average_noise,
    compare_with_critical,
)
from reports.stats.models.steps_to_target import NEAR_ALL, StepsToTargetFit
from reports.stats.models.update_cost import UpdateTimeFit

METRIC = "validation_metric"
"""The measure in which targets are set: the one that chooses rates and batch sizes."""
Key = tuple[str, float]
"""A group's label and a target's share."""

_GROUP = CELL_COLUMNS[0]
_SIZE = ["group", "batch_size"]
_TARGET = ["group", *(column.name for column in CROSSING_COLUMNS[:3])]


def tuned_points(
    results: StudyResults, selection: pd.DataFrame, stages: tuple[str, ...]
) -> pd.DataFrame:
    """Return the evaluations of some stages' runs at the selected rates.

    A median over some of the seeds is none either: the runs of a batch size are there if each of
    its seeds has ended, or diverged, and has left a curve.

    Args:
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.

    Returns:
        Columns group, batch_size, seed, examples, updates, `METRIC`, `TRACE` and `SQUARED_NORM`. Of
        a diverged run, the last row is where it diverged, without values.
    """
    study, trials = results.description, results.trials[results.trials["stage"].isin(stages)]
    tuned = trials.merge(selection[CELL], on=CELL)
    recorded = tuned["trial"].isin(results.curves["trial"]) | (tuned["status"] == "diverged")
    planned = study.tuning_seeds if stages == TUNING_STAGES else study.fresh_seeds
    known = tuned.assign(status=tuned["status"].where(recorded, "unrecorded"))
    cells = count_seeds(known, "validation", planned)
    whole = cells.index[cells["ended"] == cells["planned"]]
    tuned = tuned[pd.MultiIndex.from_frame(tuned[CELL]).isin(whole)]
    run, place = [*_SIZE, "seed"], ["examples", "updates"]
    points = results.curves[["trial", *place, METRIC, TRACE, SQUARED_NORM]]
    table = points.merge(tuned[[*run, "trial"]], on="trial").drop(columns="trial")
    ends = tuned.loc[tuned["status"] == "diverged", [*run, *place]]
    return pd.concat([table, ends], ignore_index=True) if len(ends) else table


def at_edges(rows: pd.DataFrame, selection: pd.DataFrame) -> pd.Series[bool]:
    """Return whether the selected rate of a row's batch size lies at the edge of those tried.

    Args:
        rows: Columns group and batch_size.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
    """
    edges = pd.MultiIndex.from_frame(selection.loc[selection["at_edge"], _SIZE])
    return pd.Series(pd.MultiIndex.from_frame(rows[_SIZE]).isin(edges), rows.index)


def summarise_crossings(
    crossings: pd.DataFrame,
    selection: pd.DataFrame,
    timing: pd.DataFrame,
    items: Mapping[str, int],
) -> pd.DataFrame:
    """Return one row for each batch size of each target of each group.

    Args:
        crossings: Columns group and `CROSSING_COLUMNS`.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.

    Returns:
        Columns group and `TO_TARGET_COLUMNS`, but for those predicted.
    """
    reached = crossings["outcome"] != NOT_REACHED
    runs = crossings.assign(
        arrived=crossings["updates"].where(reached, math.inf),
        reached=reached,
        half_width=crossings["half_width"].where(reached),
    )
    ends = {"median": "updates", "low": "updates_low", "high": "updates_high"}
    table = medians(runs, _TARGET, "arrived").rename(columns=ends)
    by = runs.groupby(_TARGET)
    # A run that missed the target is known to need more updates than it made.
    made = runs.loc[~reached].groupby(_TARGET)["updates"].min()
    table["updates_low"] = table["updates_low"].mask(np.isinf(table["updates_low"]), made)
    table["runs"], table["reached"] = by.size(), by["reached"].sum()
    table["half_width"] = by["half_width"].median()
    table = table.reset_index()
    cost = one_network(timing)[[*_SIZE, "seconds_per_update"]]
    table = table.merge(cost, on=_SIZE, how="left")
    known = np.isfinite(table["updates"]) & (table["updates"] > 0)
    table["updates"] = table["updates"].where(known)
    table["examples"] = table["updates"] * table["batch_size"]
    table["seconds"] = table["updates"] * table["seconds_per_update"]
    table["fitted"] = ~at_edges(table, selection)
    table["near_all"] = table["batch_size"] > NEAR_ALL * table["group"].map(items).astype("int64")
    return table


def with_predictions(
    table: pd.DataFrame, fits: Mapping[Key, StepsToTargetFit], times: Mapping[str, UpdateTimeFit]
) -> pd.DataFrame:
    """Return the table with what the fits say of each row, within their ranges.

    Returns:
        Columns group and `TO_TARGET_COLUMNS`.
    """
    sizes = table["batch_size"].to_numpy(np.float64)
    groups = table["group"].tolist()
    keys = zip(groups, table["share"].tolist(), strict=True)
    updates = _values(1 / sizes, sizes, [fits[key] for key in keys])
    seconds = _values(sizes, sizes, [times[group] for group in groups])
    told = table.assign(predicted_updates=updates, predicted_seconds=updates * seconds)
    return as_table(told, (_GROUP, *TO_TARGET_COLUMNS))


def _values(
    z: np.ndarray, sizes: np.ndarray, fits: Sequence[StepsToTargetFit | UpdateTimeFit]
) -> np.ndarray:
    found = [
        float(fit.curve.at(at))
        if fit.curve and fit.batch_sizes[0] <= size <= fit.batch_sizes[-1]
        else math.nan
        for at, size, fit in zip(z, sizes, fits, strict=True)
    ]
    return np.array(found, np.float64)


def noise_on_the_way(
    points: pd.DataFrame, table: pd.DataFrame, fit: StepsToTargetFit
) -> pd.DataFrame:
    """Return the noise scale of each batch size until its median run reaches the target.

    The evaluation before the first update is no part of it: see `average_noise`.

    Args:
        table: Columns `TO_TARGET_COLUMNS`, of one target of it.

    Returns:
        Columns `NOISE_RATIO_COLUMNS`; batch sizes that don't reach the target are absent, and so
        are those that reach it before the first evaluation after the start.
    """
    until = points["batch_size"].map(table.set_index("batch_size")["examples"])
    scales = average_noise(points[points["examples"] <= until])
    found = [
        compare_with_critical(scale, Ends(low, high), fit)
        for scale, low, high in zip(
            scales["noise_scale"], scales["low"], scales["high"], strict=True
        )
    ]
    ratios = scales.assign(
        ratio=[math.nan if one.ratio is None else one.ratio for one in found],
        ratio_low=[one.interval.low for one in found],
        ratio_high=[one.interval.high for one in found],
    )
    return as_table(ratios, NOISE_RATIO_COLUMNS)
