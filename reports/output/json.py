"""The report as one JSON document: what it says, for programs. Described in docs/report-json.md."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from reports.recommend import Answer, StudyAnalysis, answer_table
from reports.text import Statement, across
from reports.text.instruction import answer_lines, surer

FORMAT = 1  # number of the format; another one when a key changes its meaning or leaves
_PLANNED = ("group", "trainer", "dataset", "architecture", "optimizer")


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
            **{name: getattr(counts, name) for name in ("ok", "diverged", "failed")},
        },
        "across": [*map(asdict, across(study))],
        "groups": [
            {
                **{name: getattr(group.plan, name) for name in _PLANNED},
                "answer": answer_lines(group),
                "surer": [*map(asdict, surer(group))],
                "answers": [answer_content(answer) for answer in group.answers],
                "verdict": [*map(asdict, verdict)],
                "warnings": [*map(asdict, cautions)],
            }
            for group, (verdict, cautions) in zip(study.groups, statements, strict=True)
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
    compared = [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(each).items()
        }
        for each in answer.compared
    ]
    return known | {"near_optimal": answer.near_optimal, "compared": compared}
