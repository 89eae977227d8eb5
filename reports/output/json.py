"""The report as one JSON document: what it says, for programs. Described in docs/report-json.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.recommend.groups import StudyAnalysis
from reports.recommend.recommendation import Answer, Recommendation
from reports.recommend.record import Analysis
from reports.stats.bounds import Ends
from reports.text.across import across
from reports.text.verdicts import Statement

FORMAT = 1
"""Number of the format; another one when a key changes its meaning or leaves."""


def document(
    study: StudyAnalysis,
    statements: Iterable[tuple[Sequence[Statement], Sequence[Statement]]],
    tables: Mapping[str, pd.DataFrame],
) -> str:
    """Return the report as JSON."""
    plan, counts = study.description, study.counts
    content = {
        "format": FORMAT,
        "study": plan.name,
        "title": plan.title,
        "trials": {
            "planned": study.planned,
            "ok": counts.ok,
            "diverged": counts.diverged,
            "failed": counts.failed,
        },
        "across": _statements(across(study)),
        "groups": [
            _group(analysis, *said) for analysis, said in zip(study.groups, statements, strict=True)
        ],
        "tables": [
            {"name": name, "path": f"tables/{name}.csv", "rows": len(table)}
            for name, table in tables.items()
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def recommendation_content(found: Recommendation) -> dict[str, Any]:
    """Return a recommendation as JSON knows it; an end that is infinite is null."""
    return {
        "goal": found.goal,
        "sought": found.sought,
        "batch_size": found.batch_size,
        **_ends(found.interval),
        "agreement": found.agreement,
        "trusted": found.trusted,
        "reason": found.reason,
        "answers": [_answer(one) for one in found.answers],
        "more": list(found.more),
    }


def _group(
    analysis: Analysis, verdict: Iterable[Statement], cautions: Iterable[Statement]
) -> dict[str, Any]:
    plan = analysis.plan
    return {
        "group": plan.group,
        "dataset": plan.dataset,
        "architecture": plan.architecture,
        "optimizer": plan.optimizer,
        "recommendations": [recommendation_content(one) for one in analysis.recommendations],
        "verdict": _statements(verdict),
        "warnings": _statements(cautions),
    }


def _answer(one: Answer) -> dict[str, Any]:
    return {
        "source": one.source,
        **_ends(one.interval),
        "best": one.best,
        "only_limits": one.only_limits,
        "weakness": one.weakness,
        "reason": one.reason,
    }


def _ends(ends: Ends | None) -> dict[str, float | None]:
    low, high = ends or (math.inf, math.inf)
    return {
        name: end if math.isfinite(end) else None for name, end in (("low", low), ("high", high))
    }


def _statements(some: Iterable[Statement]) -> list[dict[str, str]]:
    return [{"kind": one.kind, "text": one.text} for one in some]
