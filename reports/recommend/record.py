"""The numbers of a group and of a study: what the other modules read."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis import ScalingRecord, Timeline, one_network
from reports.analysis.batch_sizes import later_half
from reports.analysis.expected_best import expected_bests
from reports.analysis.update_times import shard_costs
from reports.recommend.answer import Answer
from reports.schema import (
    Column,
    GroupDescription,
    Measure,
    StudyDescription,
    StudyResults,
    count_outcomes,
    measure_of,
    plural,
    rmse_unit,
    table_of,
    visible,
)
from reports.schema.measures import constant_metric, loss_measure, margin_of
from reports.schema.outcomes import Counts
from reports.stats.models.optimum import Optimum
from reports.stats.models.power_law import PowerLaw

LEARNED_SHARE = 0.05
"""Share of the way from a constant answer to a perfect one below which nothing was learned."""

MEAN_CURVE_COLUMNS = (
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("examples", "int64", "examples", "Examples processed before the evaluation."),
    Column("epochs", "float64", "epochs", "The same, as passes over the training set."),
    Column("updates", "float64", "updates", "Updates made before the evaluation."),
    Column("seconds", "float64", "s", "updates by the seconds of an update, benchmark.", True),
    Column("validation_metric", "float64", "", "Mean over all tuning seeds, at the tuned rate."),
    Column("validation_low", "float64", "", "Lower bound of the 95% t interval; 5 seeds or more."),
    Column("validation_high", "float64", "", "Upper bound of it."),
)

GROUP_COLUMNS = (
    Column("group", "str", "", "What it belongs to: all but batch size, rate and seed."),
    Column("dataset", "str", "", "Name of the dataset."),
    Column("architecture", "str", "", "Layer widths, inputs first, without the bias units."),
    Column("optimizer", "str", "", "Update rule."),
    Column("trials", "int64", "trials", "Trials that have run, of all stages."),
    Column("ok", "int64", "trials", "Trials with a result."),
    Column("diverged", "int64", "trials", "Trials that diverged."),
    Column("failed", "int64", "trials", "Trials without a result for another reason."),
    Column("tried_rates", "int64", "rates", "Rates tried at the batch size with the most of them."),
    Column("recommended", "Int64", "examples", "Batch size to use; missing if none is.", True),
    Column("recommended_rate", "float64", "", "Its learning rate.", volatile=True),
    Column("low", "float64", "examples", "Smallest batch size shown near-optimal.", volatile=True),
    Column("high", "float64", "examples", "Largest one.", volatile=True),
    Column("to_target", "Int64", "examples", "Batch size that reaches a target soonest.", True),
    Column("to_target_rate", "float64", "", "Its learning rate.", volatile=True),
    Column("best", "Int64", "examples", "Best batch size; on validation, where a test judges it."),
    Column("learning_rate", "float64", "", "Rate selected there."),
    Column("part", "str", "", "Part of the data that metric is measured on."),
    Column("metric_name", "str", "", "What metric is."),
    Column("metric", "float64", "", "Mean metric of the best batch size, over its seeds."),
    Column("metric_low", "float64", "", "Lower bound of the 95% t interval; 5 seeds or more."),
    Column("metric_high", "float64", "", "Upper bound, too."),
    Column("seconds_to_train", "float64", "s", "Of the recommended batch size.", volatile=True),
)


@dataclass(frozen=True)
class Analysis:
    """The numbers of one group.

    If the test set is shown, the best batch size is the one with the highest mean validation
    metric, so that one part chooses and the other judges.
    """

    results: StudyResults  # of this group alone
    part: str  # whose metric is shown: "test" or, before any confirm trial has one, "validation"
    batch_sizes: pd.DataFrame  # BATCH_SIZE_COLUMNS, of each batch size planned or run
    cells: pd.DataFrame  # CELL_COLUMNS
    seeds: pd.DataFrame  # SEED_COLUMNS: the values behind `metric`
    mean_curves: pd.DataFrame  # MEAN_CURVE_COLUMNS
    timing: pd.DataFrame  # TIMING_SUMMARY_COLUMNS
    budgets: pd.DataFrame  # BUDGET_COLUMNS: other budgets, other rules
    scaling: ScalingRecord
    reference: int | None = None  # what the others are compared with: the best on other seeds
    optimum: Optimum | None = None  # of finished runs
    answers: tuple[Answer, ...] = ()  # for the metric, and for the time to a target

    @property
    def study(self) -> StudyDescription:
        """What was planned in the whole study."""
        return self.results.description

    @property
    def plan(self) -> GroupDescription:
        """What was planned in this group."""
        return self.results.description.groups[0]

    @cached_property
    def counts(self) -> Counts:
        """Trials of each kind."""
        return count_outcomes(self.results.trials)

    @cached_property
    def measure(self) -> Measure:
        """How the metric is written."""
        return measure_of(self.plan)

    @cached_property
    def target_measure(self) -> Measure:
        """How targets are written: levels of the metric, or of the loss if the study sets one."""
        return self.measure if self.study.target_loss is None else loss_measure()

    @property
    def rmse_unit(self) -> str:
        """What `rmse` is measured in; "" if it isn't known at all."""
        return rmse_unit(self.plan)

    @cached_property
    def expected_best(self) -> pd.DataFrame:
        """Columns `EXPECTED_BEST_COLUMNS`."""
        return expected_bests(self.cells)

    @cached_property
    def shard_costs(self) -> pd.DataFrame:
        """Columns `SHARD_COST_COLUMNS`."""
        return shard_costs(self.results.timing)

    @property
    def metric(self) -> str:
        """What `metric` is, such as "test accuracy"."""
        return self.measure.name if self.study.finished else f"{self.part} {self.measure.name}"

    @property
    def budget(self) -> str:
        """What every trial may use, such as "20 epochs"; to be read after "for"."""
        epochs = self.plan.epochs
        if epochs is None:
            return visible(self.plan.budget)
        return plural(int(epochs), "epoch") if epochs == int(epochs) else f"{epochs:g} epochs"

    @property
    def training(self) -> str:
        """What trials used of the budget: less of it where some stopped early."""
        return f"at most {self.budget}" if self.counts.stopped else self.budget

    @property
    def items(self) -> int:
        """Examples of the part shown."""
        return self.plan.test_items if self.part == "test" else self.plan.validation_items

    @property
    def most_items(self) -> int:
        """Examples of the training set: no batch is larger; no limit if they aren't known."""
        return self.plan.train_items or sys.maxsize

    @property
    def judged_apart(self) -> bool:
        """Whether one part of the data chose the best batch size and another judges it."""
        return self.part == "test" and bool(self.batch_sizes["validation_metric"].notna().any())

    @cached_property
    def tried(self) -> list[int]:
        """Batch sizes, ascending."""
        return [int(size) for size in self.batch_sizes["batch_size"]]

    @property
    def best(self) -> int:
        """The batch size that the others are compared with; 0 if there is none."""
        return self.reference or 0

    @property
    def answer(self) -> Answer:
        """Which batch size to use for the metric."""
        return self.answers[0]

    @property
    def target(self) -> Answer:
        """Which batch size reaches a target soonest."""
        return self.answers[1]

    @property
    def recommended(self) -> int | None:
        """The batch size to use; None if none is named."""
        return self.answer.batch_size

    @property
    def margin(self) -> float:
        """Loss of the metric that is accepted."""
        if self.study.margin is not None:
            return self.study.margin
        known = self.reference is not None
        value = self.row(self.best)["metric"] if known else 0.0
        return margin_of(self.plan.metric, value, known=bool(self.plan.task))

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The rows of `seeds` that judge the batch sizes that lost none."""
        rows = self.complete
        return rows if self.judged_apart or self.part != "test" else rows[later_half(rows)]

    @cached_property
    def complete(self) -> pd.DataFrame:
        """The rows of `seeds` of batch sizes that lost none."""
        return self.seeds[self.seeds["batch_size"].isin(self.measured["batch_size"])]

    @cached_property
    def measured(self) -> pd.DataFrame:
        """The rows of `batch_sizes` with a metric: those that lost no seed."""
        return self.batch_sizes[self.batch_sizes["metric"].notna()]

    @cached_property
    def lost(self) -> list[int]:
        """Batch sizes that have a value for some of their seeds only, and hence no metric."""
        table = self.batch_sizes
        return table.loc[(table["seeds"] > 0) & (table["lost_seeds"] > 0), "batch_size"].tolist()

    @cached_property
    def timed(self) -> pd.DataFrame:
        """The rows of `batch_sizes` with a time to train."""
        return self.batch_sizes[self.batch_sizes["seconds_to_train"].notna()]

    @cached_property
    def alone(self) -> pd.DataFrame:
        """The rows of `timing` of tensor operations that train one network by itself."""
        return one_network(self.timing)

    @cached_property
    def constant(self) -> float | None:
        """The metric of the best constant prediction; None if it isn't known."""
        return constant_metric(self.plan)

    @property
    def constant_text(self) -> str:
        """The same in words; "" if it isn't known."""
        if self.constant is None:
            return ""
        return f"constant prediction {self.measure.text(self.constant)}"

    @cached_property
    def unlearned(self) -> str:
        """Why the best batch size can't be said to have learned anything; "" if it can."""
        constant = self.constant
        if constant is None:
            return ""
        row = extreme(self.measured, "metric", largest=True)
        if row["metric"] < constant + LEARNED_SHARE * (self.measure.most - constant):
            return "the networks have learned little or nothing by this measure"
        if row["metric_low"] <= constant:
            span = self.measure.span(row["metric_low"], row["metric_high"])
            return f"its 95% t interval, {span}, doesn't show that anything was learned"
        return ""

    @property
    def learned(self) -> bool:
        """Whether the metric says something of batch sizes."""
        return not self.measured.empty and not self.unlearned

    def row(self, batch_size: int) -> pd.Series[Any]:
        """Return the row of `batch_sizes` for one batch size."""
        return self._rows[batch_size]

    @cached_property
    def _rows(self) -> dict[int, pd.Series[Any]]:
        return {size: self.batch_sizes.iloc[position] for position, size in enumerate(self.tried)}


def extreme(table: pd.DataFrame, column: str, *, largest: bool) -> pd.Series[Any]:
    """Return the first row with the largest, or smallest, value of a column."""
    values = table[column].to_numpy(np.float64)
    known = np.where(np.isnan(values), -np.inf, values if largest else -values)
    return table.iloc[int(known.argmax())]


@dataclass(frozen=True)
class StudyAnalysis:
    """The numbers of a whole study."""

    results: StudyResults
    groups: tuple[Analysis, ...]  # in the order of the description
    counts: Counts  # trials of each kind, over all groups
    summary: pd.DataFrame  # GROUP_COLUMNS
    timeline: Timeline
    optima: pd.DataFrame  # OPTIMUM_COLUMNS; empty unless its runs are finished
    laws: Mapping[str, PowerLaw]  # by the column of `optima` that follows one

    @property
    def description(self) -> StudyDescription:
        """What was planned, and where it ran."""
        return self.results.description

    @property
    def planned(self) -> int:
        """Trials of all stages, as far as is known."""
        return max(self.description.planned_trials, self.counts.run)

    @property
    def missing(self) -> int:
        """Trials planned that have no outcome yet."""
        return self.planned - self.counts.run

    @property
    def several(self) -> bool:
        """Whether there is more than one group."""
        return len(self.groups) > 1


def group_summary(groups: Iterable[Analysis]) -> pd.DataFrame:
    """Return one row for each group: columns `GROUP_COLUMNS`."""
    return table_of(map(_group_row, groups), GROUP_COLUMNS)


def _group_row(analysis: Analysis) -> dict[str, object]:
    plan, counts, best = analysis.plan, analysis.counts, analysis.reference
    answer, target, use = analysis.answer, analysis.target, analysis.answer.batch_size
    measured = ("learning_rate", "metric", "metric_low", "metric_high")
    return {
        **vars(plan),
        "architecture": plan.architecture,
        "trials": counts.run,
        **vars(counts),
        "failed": counts.failed,
        "tried_rates": int(analysis.batch_sizes["tried_rates"].max()),
        "recommended": use,
        "recommended_rate": answer.learning_rate,
        "low": None if use is None else answer.near_optimal[0],
        "high": None if use is None else answer.near_optimal[-1],
        "to_target": target.batch_size,
        "to_target_rate": target.learning_rate,
        "best": best,
        "part": analysis.part,
        "metric_name": analysis.measure.name,
        **{name: None if best is None else analysis.row(best)[name] for name in measured},
        "seconds_to_train": None if use is None else analysis.row(use)["seconds_to_train"],
    }
