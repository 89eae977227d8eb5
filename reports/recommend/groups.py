"""A study of several groups: one row for each, and what can be said across them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reports.analysis.worker_timeline import Timeline
from reports.recommend.recommendation import ACCURACY, TARGET_TIME
from reports.recommend.record import Analysis
from reports.schema.outcomes import Counts
from reports.schema.results import Column, StudyDescription, StudyResults, as_table
from reports.stats.bounds import Ends

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
    Column("recommended", "Int64", "examples", "Fastest batch size not told from the best.", True),
    Column("low", "float64", "examples", "Smallest batch size recommended for accuracy.", True),
    Column("high", "float64", "examples", "Largest one.", volatile=True),
    Column("to_target", "Int64", "examples", "Batch size to reach a target soonest.", True),
    Column("to_target_low", "float64", "examples", "Smallest batch size for that.", True),
    Column("to_target_high", "float64", "examples", "Largest one.", volatile=True),
    Column("best", "Int64", "examples", "Best batch size; on validation, where a test judges it."),
    Column("learning_rate", "float64", "", "Rate selected there."),
    Column("part", "str", "", "Part of the data that metric is measured on."),
    Column("metric_name", "str", "", "What metric is."),
    Column("metric", "float64", "", "Mean metric of the best batch size, over its seeds."),
    Column("metric_low", "float64", "", "Lower end of the 95% t interval; 5 seeds or more."),
    Column("metric_high", "float64", "", "Upper end, likewise."),
    Column("seconds_to_train", "float64", "s", "Of the recommended batch size.", volatile=True),
)


@dataclass(frozen=True)
class StudyAnalysis:
    """The numbers of a whole study.

    Attributes:
        results: What they are computed from.
        groups: The numbers of each group, in the order of the description.
        counts: Trials of each kind, over all groups.
        summary: Columns `GROUP_COLUMNS`.
        timeline: When what ran.
    """

    results: StudyResults
    groups: tuple[Analysis, ...]
    counts: Counts
    summary: pd.DataFrame
    timeline: Timeline

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
    return as_table(pd.DataFrame([_row(group) for group in groups]), GROUP_COLUMNS)


def _row(analysis: Analysis) -> dict[str, object]:
    plan, counts = analysis.plan, analysis.counts
    best = analysis.comparison.best if analysis.comparison else None
    chosen: Mapping[Any, Any] = {} if best is None else analysis.row(best).to_dict()
    use = analysis.recommended
    used: Mapping[Any, Any] = {} if use is None else analysis.row(use).to_dict()
    copied = ("learning_rate", "metric", "metric_low", "metric_high")
    return {
        "group": plan.group,
        "dataset": plan.dataset,
        "architecture": plan.architecture,
        "optimizer": plan.optimizer,
        "trials": counts.run,
        "ok": counts.ok,
        "diverged": counts.diverged,
        "failed": counts.failed,
        "tried_rates": int(analysis.batch_sizes["tried_rates"].max()),
        "recommended": use,
        **_ranges(analysis),
        "best": best,
        "part": analysis.part,
        "metric_name": analysis.measure.name,
        **{name: chosen.get(name) for name in copied},
        "seconds_to_train": used.get("seconds_to_train"),
    }


def _ranges(analysis: Analysis) -> dict[str, float | None]:
    accuracy, to_target = (
        next(advice for advice in analysis.recommendations if advice.goal == goal)
        for goal in (ACCURACY, TARGET_TIME)
    )
    return {
        **_ends("low", "high", accuracy.interval),
        "to_target": to_target.batch_size,
        **_ends("to_target_low", "to_target_high", to_target.interval),
    }


def _ends(low: str, high: str, ends: Ends | None) -> dict[str, float | None]:
    return {low: ends.low if ends else None, high: ends.high if ends else None}
