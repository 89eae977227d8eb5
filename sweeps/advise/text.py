"""Advice as lines for a terminal, and as JSON."""

from __future__ import annotations

from typing import Any

from reports.output.json import recommendation_content
from reports.schema.formats import plural, sizes
from reports.text.cautions import cautions
from reports.text.recommendation import goal_sentence, more_sentence
from sweeps.advise.adaptive import Advice


def advice_lines(found: Advice) -> list[str]:
    """Return advice as lines for a terminal."""
    analysis = found.analysis
    lines = [_tried(found), *map(goal_sentence, analysis.recommendations)]
    lines.append(more_sentence(analysis.recommendations))
    lines += [f"Beware: {one.text}" for one in cautions(analysis)]
    lines.append(f"{found.page}: {found.seconds:.0f} s of {found.budget:.0f} s")
    return [line.replace("\xa0", " ") for line in lines if line]


def advice_content(found: Advice) -> dict[str, Any]:
    """Return advice as JSON knows it."""
    analysis, plan = found.analysis, found.analysis.plan
    return {
        "study": analysis.study.name,
        "page": str(found.page),
        "seconds": found.seconds,
        "budget_seconds": found.budget,
        "architecture": plan.architecture,
        "optimizer": plan.optimizer,
        "budget": plan.budget,
        "batch_sizes": list(plan.batch_sizes),
        "recommendations": [recommendation_content(one) for one in analysis.recommendations],
        "warnings": [one.text for one in cautions(analysis)],
    }


def _tried(found: Advice) -> str:
    plan, trials = found.analysis.plan, found.analysis.counts.run
    return (
        f"{plan.dataset}: network {plan.architecture}, {plan.activation}, {plan.optimizer}, "
        f"{plan.budget}; batch {sizes(list(plan.batch_sizes))}; {plural(trials, 'trial')}"
    )
