"""The report as one JSON document: what it says, for programs. Described in docs/report-json.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from reports.recommend import Analysis, Answer, StudyAnalysis, answer_table
from reports.text import Statement, across
from reports.text.instruction import answer_lines, surer

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


def answer_content(answer: Answer) -> dict[str, Any]:
    """Return an answer as JSON knows it."""
    row = answer_table([answer]).iloc[0].to_dict()
    known = {str(name): None if pd.isna(value) else value for name, value in row.items()}
    compared = [_finite(vars(each)) for each in answer.compared]
    return known | {"near_optimal": answer.near_optimal, "compared": compared}


def _finite(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }


def _group(
    analysis: Analysis, verdict: Iterable[Statement], cautions: Iterable[Statement]
) -> dict[str, Any]:
    plan = analysis.plan
    return {
        **{name: getattr(plan, name) for name in ("group", "dataset", "architecture", "optimizer")},
        "answer": answer_lines(analysis),
        "surer": [asdict(remedy) for remedy in surer(analysis)],
        "answers": [answer_content(answer) for answer in analysis.answers],
        "verdict": _statements(verdict),
        "warnings": _statements(cautions),
    }


def _statements(statements: Iterable[Statement]) -> list[dict[str, str]]:
    return [asdict(statement) for statement in statements]
