"""The report for programs says what the page says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from reports.claims.judgement import claims_of
from reports.output.csv import tables
from reports.output.json import FORMAT, answer_content, document
from reports.recommend.analysis import analyse_study
from reports.schema.results import StudyResults
from reports.text.cautions import cautions
from reports.text.verdicts import verdict
from tests.reports.conftest import nothing_run, numbers


def read(results: StudyResults) -> dict[str, Any]:
    study = analyse_study(results)
    content: dict[str, Any] = json.loads(
        document(
            study,
            [(verdict(group), cautions(group)) for group in study.groups],
            tables(study, claims_of(study.groups)),
        )
    )
    return content


def test_it_holds_what_the_page_shows(digits: StudyResults) -> None:
    analysis, content = numbers(digits), read(digits)
    (group,) = content["groups"]
    assert content["format"] == FORMAT
    assert [entry["text"] for entry in group["verdict"]] == [s.text for s in verdict(analysis)]
    assert [entry["kind"] for entry in group["warnings"]] == [s.kind for s in cautions(analysis)]
    assert content["trials"]["ok"] == analysis.counts.ok
    assert [entry["goal"] for entry in group["answers"]] == [
        answer.goal for answer in analysis.answers
    ]
    assert group["answers"][0]["batch_size"] == analysis.recommended
    assert group["answers"][0]["learning_rate"] == analysis.answer.learning_rate
    assert group["answers"][0]["near_optimal"] == analysis.answer.near_optimal


def test_it_lists_the_tables_next_to_it(digits: StudyResults, digits_report: Path) -> None:
    content = json.loads((digits_report.parent / "report.json").read_text("utf-8"))
    for entry in content["tables"]:
        lines = (digits_report.parent / entry["path"]).read_text("utf-8").splitlines()
        assert len(lines) == entry["rows"] + 1
    assert {entry["name"] for entry in content["tables"]} >= {"answers", "columns"}
    assert content == read(digits)


def test_a_study_that_has_not_run_is_a_document_too(digits: StudyResults) -> None:
    (group,) = read(nothing_run(digits))["groups"]
    assert group["answers"][0]["batch_size"] is None
    assert group["answers"][0]["compared"] == []


def test_a_limit_that_is_infinite_is_null(digits: StudyResults) -> None:
    answer = numbers(digits).answer
    endless = replace(answer.compared[-1], upper=float("inf"))
    content = answer_content(replace(answer, compared=(*answer.compared[:-1], endless)))
    assert content["compared"][-1]["upper"] is None
    assert content["compared"][0]["upper"] is not None
