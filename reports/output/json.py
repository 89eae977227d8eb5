"""The report as one JSON document: what it says, for programs. Described in docs/report-json.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from reports.recommend import Analysis, Answer, Recommendation, StudyAnalysis
from reports.stats import Ends
from reports.text import Statement, across

FORMAT = 1  # number of the format; another one when a key changes its meaning or leaves


def document(
    study: StudyAnalysis,
    statements: Iterable[tuple[Sequence[Statement], Sequence[Statement]]],
    tables: Mapping[str, pd.DataFrame],
) -> str:
    """Return the report as JSON."""
    plan, counts = study.description, study.counts
    trials = {"planned": study.planned}
    content = {
        "format": FORMAT,
        "study": plan.name,
        "title": plan.title,
        "trials": trials | {name: getattr(counts, name) for name in ("ok", "diverged", "failed")},
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


def recommendation_content(recommendation: Recommendation) -> dict[str, Any]:
    """Return a recommendation as JSON knows it; an end that is infinite is null."""
    return {
        "goal": recommendation.goal,
        "sought": recommendation.sought,
        "batch_size": recommendation.batch_size,
        **_ends(recommendation.interval),
        "agreement": recommendation.agreement,
        "trusted": recommendation.trusted,
        "reason": recommendation.reason,
        "answers": [_answer(answer) for answer in recommendation.answers],
        "more": list(recommendation.more),
    }


def _group(
    analysis: Analysis, verdict: Iterable[Statement], cautions: Iterable[Statement]
) -> dict[str, Any]:
    plan = analysis.plan
    return {
        **{name: getattr(plan, name) for name in ("group", "dataset", "architecture", "optimizer")},
        "recommendations": [recommendation_content(advice) for advice in analysis.recommendations],
        "verdict": _statements(verdict),
        "warnings": _statements(cautions),
    }


def _answer(answer: Answer) -> dict[str, Any]:
    names = ("best", "only_limits", "weakness", "reason")
    fields = {name: getattr(answer, name) for name in names}
    return {"source": answer.source, **_ends(answer.interval), **fields}


def _ends(ends: Ends | None) -> dict[str, float | None]:
    low, high = ends or (math.inf, math.inf)
    return {
        "low": low if math.isfinite(low) else None,
        "high": high if math.isfinite(high) else None,
    }


def _statements(statements: Iterable[Statement]) -> list[dict[str, str]]:
    return [asdict(statement) for statement in statements]
