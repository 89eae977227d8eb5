"""The best of few learning rates: what tuning with less effort would have found.

Optimizers are compared at equal effort: by the validation metric expected of the best of k rates.
Source: Dodge et al. 2019, Show your work: improved reporting of experimental results, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.schema import BATCH_SIZE, Column, table_of

EXPECTED_BEST_COLUMNS = (
    BATCH_SIZE,
    Column("tried_rates", "int64", "rates", "Rates tried."),
    Column("drawn_rates", "int64", "rates", "Rates drawn from them, one by one and put back."),
    Column("expected_best", "float64", "", "Expected validation metric of the best one drawn."),
)

_ROUNDING = 1e-12  # expectations that differ by less differ by rounding errors


@dataclass(frozen=True)
class Lead:
    """Who is ahead at one effort."""

    drawn_rates: int
    groups: tuple[str, ...]  # with the highest expected best
    margin: float  # by how much the others are below at least; 0 if there are no others


def expected_best(values: npt.ArrayLike, draws: int) -> float:
    """Return the expected largest of several values drawn with replacement."""
    # The sum of v (F(v)^k - F(v-)^k) with the empirical distribution F of the values.
    ordered = np.sort(np.asarray(values, np.float64))
    below = np.linspace(0, 1, len(ordered) + 1) ** draws
    return float(ordered @ np.diff(below))


def expected_bests(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the expected best of 1, 2, 4, ... and of as many rates as a group tried."""
    tried = cells.assign(metric=cells["validation_metric"].where(cells["eligible"]))
    # A rate that lost a seed can't be selected, but somebody with few tries meets it, too.
    worst = tried.groupby("batch_size")["metric"].transform("min")
    tried["metric"] = tried["metric"].fillna(worst)
    rows = [
        (size, values.size, draws, expected_best(values, draws))
        for size, values in tried.dropna(subset="metric").groupby("batch_size")["metric"]
        for draws in sorted({*(2**power for power in range(values.size.bit_length())), values.size})
    ]
    return table_of(rows, EXPECTED_BEST_COLUMNS)


def leads(groups: Mapping[str, pd.DataFrame]) -> list[Lead]:
    """Return which groups are ahead at equal tuning effort, each at the batch size best for it.

    For each number of rates that all batch sizes of all groups have; none if a group has no row.
    """
    efforts = (
        set(rows["drawn_rates"])
        for table in groups.values()
        for _, rows in (table.groupby("batch_size") if len(table) else [(0, table)])
    )
    shared, made = reduce(set[int].intersection, efforts), []
    known = pd.concat(groups, names=["label"])
    for draws in sorted(shared):
        rows = known[known["drawn_rates"] == draws]
        best = rows.groupby("label", sort=False)["expected_best"].max()
        ahead = best >= best.max() - _ROUNDING
        margin = 0.0 if ahead.all() else float(best.max() - best[~ahead].max())
        made.append(Lead(draws, tuple(best.index[ahead]), margin))
    return made
