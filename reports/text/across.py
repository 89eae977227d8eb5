"""What can be said across the configurations of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.analysis.expected_best import Lead, leads
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import Measure, listing, plural, visible
from reports.stats import by_seed, difference
from reports.text.finished import across_optima
from reports.text.instruction import attained, size_and_rate, tuned
from reports.text.verdicts import Statement

FEW = 3  # configurations that are named one by one, and answers that a heading has


def across(study: StudyAnalysis) -> list[Statement]:
    """Return the answer over all configurations; empty if there is one."""
    if not study.several:
        return []
    if study.description.finished:
        answers = _recommendations(study) if study.summary["recommended"].notna().any() else ""
        texts = {"recommendations": answers} | across_optima(study)
        return [Statement(kind, text) for kind, text in texts.items() if text]
    ranked = [group for group in study.groups if not math.isnan(_validation(group))]
    sets = {n: groups for n, groups in enumerate(comparable(ranked)) if len(groups) > 1}
    texts = {
        "recommendations": _recommendations(study),
        **{f"best-{number}": _best_of(groups) for number, groups in sets.items()},
        **{f"equal-effort-{number}": _ahead(groups) for number, groups in sets.items()},
        "effort": _effort(study),
        **(across_optima(study) if study.description.scale_name else {}),
    }
    return [Statement(kind, text) for kind, text in texts.items() if text]


def _recommendations(study: StudyAnalysis) -> str:
    known = study.summary.dropna(subset="recommended")
    number = len(study.groups)
    if known.empty:
        return f"In none of the {number} configurations can a batch size be recommended yet."
    uses: dict[str, list[str]] = {}
    for row in known.to_dict("records"):
        use = size_and_rate(int(row["recommended"]), row["recommended_rate"])
        uses.setdefault(use, []).append(row["group"])
    named = "; ".join(f"{use} for {_labels(of, number)}" for use, of in uses.items())
    if len(uses) > FEW:
        named = "the batch size and learning rate that the table lists for each configuration"
    missing = number - len(known)
    rest = f" For {plural(missing, 'configuration')} none can be recommended yet."
    return f"Use {named}.{rest if missing else ''}"


def _labels(labels: Sequence[str], of: int = 0) -> str:
    if len(labels) == of:
        return "both configurations" if of == 2 else f"all {of} configurations"  # noqa: PLR2004
    if len(labels) > FEW:
        return f"{len(labels)} configurations"
    return listing([f"“{visible(label, most=60)}”" for label in labels])


def comparable(configurations: Sequence[Analysis]) -> list[list[Analysis]]:
    """Return those with the same data and metric together: only these can be compared."""
    sets: dict[tuple[str, ...], list[Analysis]] = {}
    for each in configurations:
        sets.setdefault((each.plan.subject, each.plan.fingerprint, each.metric), []).append(each)
    return [*sets.values()]


def _best_of(groups: list[Analysis]) -> str:
    """The configurations that are best and worst on validation, and what they attain."""
    ordered = sorted(groups, key=_validation, reverse=True)
    best, worst = (
        f"“{visible(analysis.plan.group, most=60)}” at {tuned(analysis, analysis.best)} "
        f"({attained(analysis)})"
        for analysis in (ordered[0], ordered[-1])
    )
    subject = visible(groups[0].plan.subject, most=60)
    return (
        f"Of {len(groups)} configurations on {subject}, {best} is best on validation, and {worst} "
        f"is last.{_difference(ordered)}"
    )


def _difference(ordered: Sequence[Analysis]) -> str:
    """What fresh seeds show of two; of more, first and last are chosen for their difference."""
    if len(ordered) > 2:  # noqa: PLR2004
        return " Their difference is not tested."
    if not all(analysis.judged_apart for analysis in ordered):
        return ""
    # The metric of each reference by seed.
    first, last = (
        by_seed(analysis.judged, "metric")[analysis.best].dropna() for analysis in ordered
    )
    between, measure = difference(last, first), ordered[0].measure
    if between is None:
        return ""
    gap = between.interval
    verdict = "not significant" if gap.low <= 0 <= gap.high else "significant"
    return (
        f" The difference, {measure.change(gap.mean)} (95% {gap.method} interval "
        f"{measure.signed_span(gap.low, gap.high)}), is {verdict}."
    )


def _validation(analysis: Analysis) -> float:
    if analysis.reference is None:
        return math.nan
    return float(analysis.row(analysis.best)["validation_metric"])


def _ahead(groups: list[Analysis]) -> str:
    """Who is ahead at equal tuning effort; empty if one had no rates to choose from."""
    ahead = leads({analysis.plan.group: analysis.expected_best for analysis in groups})
    if len(ahead) < 2:  # noqa: PLR2004
        return ""
    efforts = [str(lead.drawn_rates) for lead in ahead]
    return (
        f"At equal tuning effort ({', '.join(efforts[:-1])} or {efforts[-1]} learning rates drawn "
        f"from those tried), {_leaders(ahead, groups[0].measure)}. These are expected validation "
        "values at each configuration's best batch size, without an interval."
    )


def _leaders(ahead: Sequence[Lead], measure: Measure) -> str:
    by_leader: dict[tuple[str, ...], list[int]] = {}
    for lead in ahead:
        by_leader.setdefault(lead.groups, []).append(lead.drawn_rates)
    least, most = ahead[0], ahead[-1]
    if len(by_leader) > 1:
        parts = [f"{_labels(who)} with {listing(efforts)}" for who, efforts in by_leader.items()]
        return f"who leads depends on the effort: {', '.join(parts)}"
    if len(least.groups) > 1:
        return f"{_labels(least.groups)} are equal"
    return (
        f"{_labels(least.groups)} leads by {measure.gap(least.margin)} with "
        f"{plural(least.drawn_rates, 'rate')}, {measure.gap(most.margin)} with {most.drawn_rates}"
    )


def _effort(study: StudyAnalysis) -> str:
    rates = study.summary["tried_rates"]
    low, high = int(rates.min()), int(rates.max())
    if low == high:
        return f"Every configuration was tuned with {plural(high, 'learning rate')} a batch size."
    return (
        f"Tuning effort differs: {low} to {high} learning rates a batch size. The more are tried, "
        "the better the best of them looks."
    )
