"""The answer that needs no learning, always the same one, and whether networks do better."""

from __future__ import annotations

from reports.recommend.record import Analysis, extreme
from reports.schema.results import CLASSIFICATION, GroupDescription

LEARNED_SHARE = 0.05
"""Share of the way from a constant answer to a perfect one below which nothing worth its name was
learned."""


def constant_metric(plan: GroupDescription) -> float | None:
    """Return the metric of always giving the same answer; None if it isn't known.

    The most frequent class's share; always answering the mean has an R2 of 0.
    """
    return plan.most_frequent if plan.task == CLASSIFICATION else 0.0


def unlearned(analysis: Analysis) -> str:
    """Return why the best batch size can't be said to have learned anything; "" if it can."""
    constant = constant_metric(analysis.plan)
    if constant is None:
        return ""
    row = extreme(analysis.measured, "metric", largest=True)
    if row["metric"] < constant + LEARNED_SHARE * (1 - constant):
        return "the networks have learned little or nothing by this measure"
    if row["metric_low"] <= constant:
        span = analysis.measure.span(row["metric_low"], row["metric_high"])
        return f"its 95% t interval, {span}, doesn't show that anything was learned"
    return ""


def has_learned(analysis: Analysis) -> bool:
    """Return whether accuracies of a group say something of its batch sizes."""
    return not analysis.measured.empty and not unlearned(analysis)
