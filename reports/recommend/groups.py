"""A study of several groups: one row for each, and what can be said across them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from reports.analysis.expected_best import Lead, leads
from reports.analysis.timeline import Timeline, timeline_of
from reports.claims.claims import ClaimVerdict, claims_of
from reports.recommend.analysis import analyse
from reports.recommend.recommendation import ACCURACY, TARGET_TIME
from reports.recommend.record import Analysis
from reports.schema.formats import listing, plural, visible
from reports.schema.measures import Measure
from reports.schema.outcomes import Counts, count_outcomes
from reports.schema.results import Column, StudyDescription, StudyResults, as_table
from reports.stats.bounds import Ends
from reports.stats.differences import difference
from reports.text.cautions import cautions
from reports.text.verdicts import Statement, verdict

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
        claims: What the study says of the paper's claims, all of them, in order.
        timeline: When what ran.
    """

    results: StudyResults
    groups: tuple[Analysis, ...]
    counts: Counts
    summary: pd.DataFrame
    claims: tuple[ClaimVerdict, ...]
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

    @cached_property
    def verdicts(self) -> tuple[list[Statement], ...]:
        """What was found in each group."""
        return tuple(verdict(group) for group in self.groups)

    @cached_property
    def cautions(self) -> tuple[list[Statement], ...]:
        """The warnings that apply to each group."""
        return tuple(cautions(group) for group in self.groups)

    @property
    def several(self) -> bool:
        """Whether there is more than one group."""
        return len(self.groups) > 1


def analyse_study(results: StudyResults) -> StudyAnalysis:
    """Compute everything the report says.

    Args:
        results: A study.
    """
    groups = analyse(results)
    rows = pd.DataFrame([_row(group) for group in groups])
    return StudyAnalysis(
        results,
        groups,
        count_outcomes(results.trials),
        as_table(rows, GROUP_COLUMNS),
        claims_of(groups),
        timeline_of(results),
    )


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
        next(one for one in analysis.recommendations if one.goal == goal)
        for goal in (ACCURACY, TARGET_TIME)
    )
    return {
        **_ends("low", "high", accuracy.interval),
        "to_target": to_target.batch_size,
        **_ends("to_target_low", "to_target_high", to_target.interval),
    }


def _ends(low: str, high: str, ends: Ends | None) -> dict[str, float | None]:
    return {low: ends.low if ends else None, high: ends.high if ends else None}


def across(study: StudyAnalysis) -> list[Statement]:
    """Return the answer over all groups; empty if there is one group.

    Args:
        study: The numbers.
    """
    if not study.several:
        return []
    texts = {"recommendations": _recommendations(study), "effort": _effort(study)}
    texts |= {f"best-{name}": _best_of(group) for name, group in _comparable(study).items()}
    texts |= {f"equal-effort-{name}": _ahead(group) for name, group in _comparable(study).items()}
    order = sorted(texts, key=lambda kind: kind == "effort")
    return [Statement(kind, texts[kind]) for kind in order if texts[kind]]


def _recommendations(study: StudyAnalysis) -> str:
    known = study.summary.dropna(subset="recommended")
    number = len(study.groups)
    if known.empty:
        return f"In none of the {number} groups a batch size can be recommended yet."
    by_size = known.groupby("recommended")["group"].apply(list)
    if len(by_size) == 1 and len(known) == number:
        all_of = "both" if number == 2 else f"all {number}"  # noqa: PLR2004
        return f"In {all_of} groups the batch size to use is {by_size.index[0]}."
    named = "; ".join(f"{size} in {_labels(labels)}" for size, labels in by_size.items())
    absent = number - len(known)
    rest = f" In {plural(absent, 'group')} none can be recommended yet." if absent else ""
    return f"The batch size to use differs between the {number} groups: {named}.{rest}"


def _labels(labels: Sequence[str]) -> str:
    few = 3
    if len(labels) > few:
        return f"{len(labels)} groups"
    return listing([f"“{visible(label, most=60)}”" for label in labels])


def _comparable(study: StudyAnalysis) -> dict[str, list[Analysis]]:
    """Groups with the same data, metric and part: only these can be held against each other."""
    sets: dict[tuple[str, ...], list[Analysis]] = {}
    for analysis in study.groups:
        if analysis.comparison is not None and not math.isnan(_validation(analysis)):
            plan = analysis.plan
            sets.setdefault((plan.dataset, plan.fingerprint, analysis.metric), []).append(analysis)
    return {str(place): group for place, group in enumerate(sets.values()) if len(group) > 1}


def _best_of(groups: list[Analysis]) -> str:
    """Who is best on validation, and its value on the part shown."""
    ordered = sorted(groups, key=_validation, reverse=True)
    texts = []
    for analysis in (ordered[0], ordered[-1]):
        best = analysis.comparison.best if analysis.comparison else 0
        row, measure = analysis.row(best), analysis.measure
        interval = measure.span(row["metric_low"], row["metric_high"])
        known = f" (95% t interval {interval})" if row.notna()["metric_low"] else ""
        texts.append(
            f"“{visible(analysis.plan.group, most=60)}” with {measure.text(row['metric'])}{known} "
            f"at batch size {best}"
        )
    first = groups[0]
    return (
        f"On {visible(first.plan.dataset, most=60)}, best on validation is {texts[0]}, and last of "
        f"the {len(groups)} groups {texts[1]} ({first.metric}).{_apart(ordered)}"
    )


def _apart(ordered: Sequence[Analysis]) -> str:
    """What fresh seeds say of two groups; of more, first and last are chosen for being apart."""
    if len(ordered) > 2:  # noqa: PLR2004
        return " Whether they differ by more than chance isn't tested."
    if not all(analysis.judged_apart for analysis in ordered):
        return ""
    first, last = (_fresh(analysis) for analysis in ordered)
    found, measure = difference(last, first), ordered[0].measure
    if found is None:
        return ""
    gap = found.interval
    told = "may be chance" if gap.low <= 0 <= gap.high else "is more than chance explains"
    return (
        f" The former differs by {measure.signed(gap.mean)}{measure.points} (95% {gap.method} "
        f"interval {measure.signed(gap.low)} to {measure.signed(gap.high)}), which {told}."
    )


def _fresh(analysis: Analysis) -> pd.Series[float]:
    """The metric of the best batch size by seed."""
    best = analysis.comparison.best if analysis.comparison else 0
    rows = analysis.seeds[analysis.seeds["batch_size"] == best]
    return rows.set_index("seed")["metric"].dropna()


def _validation(analysis: Analysis) -> float:
    best = analysis.comparison.best if analysis.comparison else 0
    return float(analysis.row(best)["validation_metric"])


def _ahead(groups: list[Analysis]) -> str:
    """Who is ahead at equal tuning effort; empty if a group had no rates to choose from."""
    found = leads({analysis.plan.group: analysis.expected_best for analysis in groups})
    if len(found) < 2:  # noqa: PLR2004
        return ""
    efforts = [str(lead.drawn_rates) for lead in found]
    first = groups[0]
    start = (
        f"At equal tuning effort on {visible(first.plan.dataset, most=60)} (expected best "
        f"validation {first.measure.name} of {', '.join(efforts[:-1])} or {efforts[-1]} learning "
        "rates drawn from those tried, each group at its best batch size), "
    )
    chance = "Leads have no interval: small ones may be chance."
    return f"{start}{_leaders(found, first.measure)}. {chance}"


def _leaders(found: Sequence[Lead], measure: Measure) -> str:
    by_leader: dict[tuple[str, ...], list[int]] = {}
    for lead in found:
        by_leader.setdefault(lead.groups, []).append(lead.drawn_rates)
    least, most = found[0], found[-1]
    if len(by_leader) > 1:
        parts = [f"{_labels(who)} with {listing(efforts)}" for who, efforts in by_leader.items()]
        return f"who is ahead depends on the effort: {', '.join(parts)}"
    if len(least.groups) > 1:
        return f"{_labels(least.groups)} are alike whatever the effort"
    return (
        f"{_labels(least.groups)} is ahead whatever the effort: by {measure.gap(least.margin)} "
        f"with {plural(least.drawn_rates, 'rate')}, {measure.gap(most.margin)} with "
        f"{most.drawn_rates}"
    )


def _effort(study: StudyAnalysis) -> str:
    rates = study.summary["tried_rates"]
    low, high = int(rates.min()), int(rates.max())
    if low == high:
        return f"Every group was tuned with {plural(high, 'learning rate')} at each batch size."
    return (
        f"Groups were not tuned with equal effort: {low} to {high} learning rates at a batch size. "
        "The more are tried, the better the best of them looks."
    )
