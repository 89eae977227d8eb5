"""How much a learning rate may miss the best one: the rates within a standard error of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.schema.results import TUNING_STAGES

_SIZE = ["group", "batch_size"]


def basins(trials: pd.DataFrame, cells: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Return the smallest and largest rate of each batch size that are as good as the best.

    From the selected rate outwards, as long as the mean validation metric is less than a standard
    error of the best mean below it. Rates that lost a seed end the basin.

    Args:
        trials: Columns `reports.schema.results.TRIAL_COLUMNS`.
        cells: Columns `reports.analysis.selection.CELL_COLUMNS`.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.

    Returns:
        Columns group, batch_size, basin_low and basin_high; batch sizes with a single seed, whose
        standard error isn't known, are absent.
    """
    cell = [*_SIZE, "learning_rate"]
    tuned = trials[trials["stage"].isin(TUNING_STAGES)].merge(selection[cell], on=cell)
    seeds = tuned.groupby(_SIZE)["validation_metric"]
    spread = pd.DataFrame({"error": seeds.std() / np.sqrt(seeds.size())})
    error = spread.dropna().reset_index()
    best = selection[[*cell, "validation_metric"]].merge(error, on=_SIZE)
    best = best.rename(columns={"learning_rate": "rate", "validation_metric": "most"})
    grid = cells.merge(best, on=_SIZE).sort_values(cell)
    good = grid["eligible"] & (grid["validation_metric"] >= grid["most"] - grid["error"])
    # A rate belongs to the basin if no rate between it and the best fails.
    stretch = (~good).groupby([grid[name] for name in _SIZE]).cumsum()
    own = stretch[grid["learning_rate"] == grid["rate"]]
    centre = grid.loc[own.index, _SIZE].assign(centre=own)
    inside = grid.assign(stretch=stretch, good=good).merge(centre, on=_SIZE)
    inside = inside[inside["good"] & (inside["stretch"] == inside["centre"])]
    ends = inside.groupby(_SIZE)["learning_rate"].agg(["min", "max"]).reset_index()
    return ends.rename(columns={"min": "basin_low", "max": "basin_high"})
