"""The best learning rate for each batch size, chosen on the validation set alone.

A cell's value is the mean over all seeds that were planned; without a value for each it has none.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from reports.schema import (
    BATCH_SIZE,
    CELL,
    FRESH_STAGES,
    GROUP,
    SIZE,
    TUNING_STAGES,
    Column,
    as_table,
    count_seeds,
)

CELL_COLUMNS = (
    GROUP,
    BATCH_SIZE,
    Column("learning_rate", "float64", "", "Factor of the gradient in an update."),
    Column("planned", "int64", "seeds", "Tuning seeds that were planned, a trial for each."),
    Column("trials", "int64", "trials", "Trials that have run, explore and extend; one a seed."),
    Column("ok", "int64", "trials", "Trials with a metric and a loss."),
    Column("diverged", "int64", "trials", "Trials that diverged."),
    Column("failed", "int64", "trials", "Trials without a result for another reason."),
    Column("validation_metric", "float64", "", "Mean validation metric, if no seed lacks one."),
    Column("validation_loss", "float64", "per example", "Mean validation loss, too."),
    Column("eligible", "bool", "", "Whether the rate may be selected: a value for every seed."),
)

SELECTION_COLUMNS = (
    *CELL_COLUMNS[:3],
    Column("validation_metric", "float64", "", "Mean validation metric at the selected rate."),
    Column("validation_loss", "float64", "per example", "Mean validation loss, too."),
    Column("seeds", "int64", "seeds", "Explore seeds behind the means."),
    Column("at_edge", "bool", "", "Whether no smaller, or no larger, rate was tried."),
    Column("eligible_rates", "int64", "rates", "Rates with a result for every seed."),
)


def summarise_cells(trials: pd.DataFrame, planned: pd.Series[int]) -> pd.DataFrame:
    """Return one row for each configuration whose rate was tried: `CELL_COLUMNS`."""
    explore = trials[trials["stage"].isin(TUNING_STAGES)]
    cells = count_seeds(explore, "validation", planned)
    means = explore.groupby(CELL)[["validation_metric", "validation_loss"]].mean()
    cells = cells.join(means.where(cells["complete"]))
    cells["failed"] = cells["trials"] - cells["ended"]
    return as_table(cells.reset_index().rename(columns={"complete": "eligible"}), CELL_COLUMNS)


def select_rates(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the best learning rate for each batch size of each group: `SELECTION_COLUMNS`.

    Best is the highest mean validation metric, then the lower mean validation loss, then the
    smaller rate, of those with a value for every seed: a mean over the survivors would flatter.
    """
    grid = cells.groupby(SIZE, as_index=False).agg(
        smallest=("learning_rate", "min"),
        largest=("learning_rate", "max"),
        eligible_rates=("eligible", "sum"),
    )
    order = {"validation_metric": False, "validation_loss": True, "learning_rate": True}
    ascending = [True] * len(SIZE) + list(order.values())
    best = cells[cells["eligible"]].sort_values(
        [*SIZE, *order], ascending=ascending, key=without_noise
    )
    best = best.drop_duplicates(SIZE)
    chosen = best.drop(columns="eligible").merge(grid, on=SIZE)
    rate = chosen["learning_rate"]
    chosen["at_edge"] = (rate == chosen["smallest"]) | (rate == chosen["largest"])
    return as_table(chosen.rename(columns={"ok": "seeds"}), SELECTION_COLUMNS)


def with_given_rates(selection: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the selection with the batch sizes whose rate was given, to fresh trials alone."""
    fresh = trials[trials["stage"].isin(FRESH_STAGES)].groupby(SIZE)["learning_rate"]
    tuned = pd.MultiIndex.from_frame(trials.loc[trials["stage"].isin(TUNING_STAGES), SIZE])
    rates = fresh.agg(learning_rate="min", largest="max")
    new = rates[(rates["learning_rate"] == rates["largest"]) & ~rates.index.isin(tuned)]
    if new.empty:
        return selection
    unknown = {"validation_metric": math.nan, "validation_loss": math.nan, "at_edge": False}
    none = dict.fromkeys(("seeds", "eligible_rates"), 0)
    added = as_table(new.reset_index().assign(**unknown, **none), SELECTION_COLUMNS)
    both = pd.concat([frame for frame in (selection, added) if not frame.empty])
    return both.sort_values(SIZE).reset_index(drop=True)


def without_noise(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return values to sort by: means that differ only by rounding errors become equal."""
    return values.round(12) if values.dtype == "float64" else values
