"""What can be said across the groups of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reports.analysis.expected_best import Lead, leads
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import Measure, listing, plural, visible
from reports.stats import difference
from reports.text.verdicts import Statement


def across(study: StudyAnalysis) -> list[Statement]:
    """Return the answer over all groups; empty if there is one group."""
    if not study.several:
        return []
    sets = _comparable(study)
    texts = {
        "recommendations": _recommendations(study),
        **{f"best-{name}": _best_of(groups) for name, groups in sets.items()},
        **{f"equal-effort-{name}": _ahead(groups) for name, groups in sets.items()},
        "effort": _effort(study),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


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
    """Groups with the same data, metric and part: only these can be compared."""
    sets: dict[tuple[str, ...], list[Analysis]] = {}
    for analysis in study.groups:
        if analysis.reference is not None and not math.isnan(_validation(analysis)):
            plan = analysis.plan
            sets.setdefault((plan.dataset, plan.fingerprint, analysis.metric), []).append(analysis)
    return {str(number): groups for number, groups in enumerate(sets.values()) if len(groups) > 1}


def _best_of(groups: list[Analysis]) -> str:
    """Who is best on validation, and its value on the part shown."""
    ordered = sorted(groups, key=_validation, reverse=True)
    texts = []
    for analysis in (ordered[0], ordered[-1]):
        row, measure = analysis.row(analysis.best), analysis.measure
        interval = measure.span(row["metric_low"], row["metric_high"])
        known = f" (95% t interval {interval})" if row.notna()["metric_low"] else ""
        texts.append(
            f"“{visible(analysis.plan.group, most=60)}” with {measure.text(row['metric'])}{known} "
            f"at batch size {analysis.best}"
        )
    first = groups[0]
    return (
        f"On {visible(first.plan.dataset, most=60)}, best on validation is {texts[0]}, and last of "
        f"the {len(groups)} groups {texts[1]} ({first.metric}).{_difference(ordered)}"
    )


def _difference(ordered: Sequence[Analysis]) -> str:
    """What fresh seeds say of two groups; of more, first and last are chosen for being apart."""
    if len(ordered) > 2:  # noqa: PLR2004
        return " Whether they differ by more than chance isn't tested."
    if not all(analysis.judged_apart for analysis in ordered):
        return ""
    first, last = (_fresh(analysis) for analysis in ordered)
    between, measure = difference(last, first), ordered[0].measure
    if between is None:
        return ""
    gap = between.interval
    cause = "may be chance" if gap.low <= 0 <= gap.high else "is more than chance explains"
    return (
        f" The former differs by {measure.signed(gap.mean)}{measure.points} (95% {gap.method} "
        f"interval {measure.signed(gap.low)} to {measure.signed(gap.high)}), which {cause}."
    )


def _fresh(analysis: Analysis) -> pd.Series[float]:
    """The metric of the best batch size by seed."""
    rows = analysis.seeds[analysis.seeds["batch_size"] == analysis.best]
    return rows.set_index("seed")["metric"].dropna()


def _validation(analysis: Analysis) -> float:
    return float(analysis.row(analysis.best)["validation_metric"])


def _ahead(groups: list[Analysis]) -> str:
    """Who is ahead at equal tuning effort; empty if a group had no rates to choose from."""
    ahead = leads({analysis.plan.group: analysis.expected_best for analysis in groups})
    if len(ahead) < 2:  # noqa: PLR2004
        return ""
    efforts = [str(lead.drawn_rates) for lead in ahead]
    first = groups[0]
    start = (
        f"At equal tuning effort on {visible(first.plan.dataset, most=60)} (expected best "
        f"validation {first.measure.name} of {', '.join(efforts[:-1])} or {efforts[-1]} learning "
        "rates drawn from those tried, each group at its best batch size), "
    )
    chance = "Leads have no interval: small ones may be chance."
    return f"{start}{_leaders(ahead, first.measure)}. {chance}"


def _leaders(ahead: Sequence[Lead], measure: Measure) -> str:
    by_leader: dict[tuple[str, ...], list[int]] = {}
    for lead in ahead:
        by_leader.setdefault(lead.groups, []).append(lead.drawn_rates)
    least, most = ahead[0], ahead[-1]
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
