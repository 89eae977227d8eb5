"""The record of a group's numbers: what the other modules read, and what its tables mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis.batch_sizes import SEEDS_FOR_INTERVAL
from reports.analysis.expected_best import expected_bests
from reports.analysis.scaling_record import ScalingRecord
from reports.analysis.update_times import one_network, shard_costs
from reports.recommend.recommendation import Recommendation
from reports.schema.formats import plural, visible
from reports.schema.measures import Measure, measure_of
from reports.schema.outcomes import Counts
from reports.schema.results import Column, GroupDescription, StudyDescription, StudyResults
from reports.stats.intervals import Comparison
from reports.stats.power import Separation

MEAN_CURVE_COLUMNS = (
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("examples", "int64", "examples", "Examples processed before the evaluation."),
    Column("epochs", "float64", "epochs", "The same, as passes over the training part."),
    Column("updates", "float64", "updates", "Updates made before the evaluation."),
    Column("seconds", "float64", "s", "updates by the seconds of an update, timing pass.", True),
    Column("validation_metric", "float64", "", "Mean over all explore seeds, at the tuned rate."),
)


@dataclass(frozen=True)
class Analysis:
    """The numbers of one group.

    Attributes:
        results: What they are computed from: the study, with this group alone.
        counts: Trials of each kind.
        part: Part of the data whose metric is shown: "test" (of the confirm stage) or
            "validation" (of the explore stage, before any confirm trial has a result).
        rmse_unit: What `rmse` is measured in; "" if it isn't known at all.
        batch_sizes: Columns `BATCH_SIZE_COLUMNS`; one row for each batch size planned or run.
        cells: Columns `reports.analysis.selection.CELL_COLUMNS`.
        seeds: Columns `SEED_COLUMNS`: the values behind `metric`.
        mean_curves: Columns `MEAN_CURVE_COLUMNS`.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.
        budgets: Columns `reports.analysis.equal_budgets.BUDGET_COLUMNS`: other budgets
            and rules.
        scaling: The way to its targets: steps, examples, time, gradient noise.
        comparison: Who ties with the best, among the batch sizes that lost no seed; None if
            there is none. If the test part is shown, best is the one with the highest mean
            validation metric, so that one part chooses and the other judges.
        recommended: The batch size that trains fastest among those tied with the best; None if
            nothing was tested, nothing learned or the timing pass has timed none of them.
        rival: The batch size to hold against the best: the recommended one or, if that is the
            best itself or unknown, the other one with the highest mean; None if there is none.
        separation: Rival minus best; None if that can't be said.
        recommendations: The batch sizes to use, goal by goal; that for accuracy around
            `recommended`.
    """

    results: StudyResults
    counts: Counts
    part: str
    rmse_unit: str
    batch_sizes: pd.DataFrame
    cells: pd.DataFrame
    seeds: pd.DataFrame
    mean_curves: pd.DataFrame
    timing: pd.DataFrame
    budgets: pd.DataFrame
    scaling: ScalingRecord
    comparison: Comparison | None
    recommended: int | None
    rival: int | None
    separation: Separation | None
    recommendations: tuple[Recommendation, ...] = ()

    @property
    def study(self) -> StudyDescription:
        """What was planned in the whole study."""
        return self.results.description

    @property
    def plan(self) -> GroupDescription:
        """What was planned in this group."""
        return self.results.description.groups[0]

    @cached_property
    def measure(self) -> Measure:
        """How the metric is written."""
        return measure_of(self.plan)

    @cached_property
    def expected_best(self) -> pd.DataFrame:
        """Columns `reports.analysis.expected_best.EXPECTED_BEST_COLUMNS`."""
        return expected_bests(self.cells)

    @cached_property
    def shard_costs(self) -> pd.DataFrame:
        """Columns `reports.analysis.update_times.SHARD_COST_COLUMNS`."""
        return shard_costs(self.results.timing)

    @property
    def metric(self) -> str:
        """What `metric` is, such as "test accuracy"."""
        return f"{self.part} {self.measure.name}"

    @property
    def budget(self) -> str:
        """What every trial may use, such as "20 epochs"; to be read after "for"."""
        epochs = self.plan.epochs
        if epochs is None:
            return visible(self.plan.budget)
        return plural(int(epochs), "epoch") if epochs == int(epochs) else f"{epochs:g} epochs"

    @property
    def training(self) -> str:
        """What trials used of it, likewise: less than the budget where some stopped early."""
        return f"at most {self.budget}" if self.counts.stopped else self.budget

    @property
    def items(self) -> int:
        """Examples of the part shown."""
        return self.plan.test_items if self.part == "test" else self.plan.validation_items

    @property
    def judged_apart(self) -> bool:
        """Whether one part of the data chose the best batch size and another judges it."""
        known = self.batch_sizes["validation_metric"].notna().any()
        return self.part == "test" and bool(known)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """The rows of `batch_sizes` with a metric: those that lost no seed."""
        return self.batch_sizes.dropna(subset="metric")

    @cached_property
    def lost(self) -> list[int]:
        """Batch sizes that have a value for some of their seeds only, and hence no metric."""
        table = self.batch_sizes
        return table.loc[(table["seeds"] > 0) & (table["lost_seeds"] > 0), "batch_size"].tolist()

    @cached_property
    def timed(self) -> pd.DataFrame:
        """The rows of `batch_sizes` with a time to train."""
        return self.batch_sizes.dropna(subset="seconds_to_train")

    @cached_property
    def alone(self) -> pd.DataFrame:
        """The rows of `timing` of tensor operations that train one network by itself."""
        return one_network(self.timing)

    @property
    def shows_intervals(self) -> bool:
        """Whether every batch size shown has seeds enough for an interval."""
        return bool((self.measured["seeds"] >= SEEDS_FOR_INTERVAL).all())

    def row(self, batch_size: int) -> pd.Series[Any]:
        """Return the row of `batch_sizes` for one batch size."""
        if batch_size not in self._rows:
            position = self.batch_sizes["batch_size"].tolist().index(batch_size)
            self._rows[batch_size] = self.batch_sizes.iloc[position]
        return self._rows[batch_size]

    @cached_property
    def _rows(self) -> dict[int, pd.Series[Any]]:
        """Those that were asked for: a few of them are asked for again and again."""
        return {}


def extreme(table: pd.DataFrame, column: str, *, largest: bool) -> pd.Series[Any]:
    """Return the first row with the largest, or smallest, value of a column."""
    values = table[column].to_numpy(np.float64)
    known = np.where(np.isnan(values), -np.inf, values if largest else -values)
    return table.iloc[int(known.argmax())]
