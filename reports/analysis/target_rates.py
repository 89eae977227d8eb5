"""The learning rates that reach a target soonest, and the evaluations that show it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.schema import CELL, SIZE, StudyResults, count_seeds
from reports.stats.models import NOT_REACHED
from reports.stats.models.first_passage import RATE
from reports.stats.models.noise_scale import GRADIENTS

METRIC, LOSS = "validation_metric", "validation_loss"
TARGET_CELL = ["group", "target", "batch_size"]


def points_of(results: StudyResults, runs: pd.DataFrame, planned: pd.Series[int]) -> pd.DataFrame:
    """Return the evaluations of runs of one kind of stage.

    A median over some of the seeds is none either: the runs of a cell are there if each of its
    seeds has ended, or diverged, and has left a curve. Of a diverged run, the last row is where it
    diverged, without values.
    """
    recorded = runs["trial"].isin(results.curves["trial"].unique()) | (runs["status"] == "diverged")
    known = runs.assign(status=runs["status"].where(recorded, "unrecorded"))
    cells = count_seeds(known, "validation", planned)
    whole = cells.index[cells["ended"] == cells["planned"]]
    runs = runs[pd.MultiIndex.from_frame(runs[CELL]).isin(whole)]
    run, progress = [*CELL, "seed"], ["examples", "updates"]
    points = results.curves[["trial", *progress, METRIC, LOSS, *GRADIENTS]]
    table = points.merge(runs[[*run, "trial"]], on="trial").drop(columns="trial")
    ends = runs.loc[runs["status"] == "diverged", [*run, *progress]]
    return pd.concat([table, ends], ignore_index=True) if len(ends) else table


def quickest_rates(tried: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Return the rate that reaches each target soonest: columns `TARGET_CELL` and target_rate.

    Soonest is the lowest mean logarithm of updates over the tuning seeds, of the rates that miss
    the target with the fewest. A parabola through the three rates about an inner minimum has its
    lowest point nearest to the middle one. Where none reaches the target, it is the selected rate.
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
