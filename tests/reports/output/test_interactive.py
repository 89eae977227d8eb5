"""Results in a notebook: short, safe, and with the numbers of the report."""

from __future__ import annotations

import base64
import html
import re
from xml.etree import ElementTree as ET

import pytest

from reports.output import notebook
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, nothing_run, numbers, several, small
from tests.reports.output.page.test_page import HOSTILE, Outline


def test_a_study_shows_what_it_holds_and_what_to_use(digits: StudyResults) -> None:
    counts, answer = repr(digits).splitlines()
    assert counts.startswith("<StudyResults digits: ")
    assert re.findall(r"[\d,]*\d", counts) == ["1", "385", "340", "45", "0", "7,820", "110"]
    analysis = numbers(digits)
    assert f"batch size {analysis.recommended} with learning rate" in answer
    assert answer in digits._repr_html_()
    assert len(repr(nothing_run(digits)).splitlines()) == 1


def test_a_notebook_shows_counts_a_table_and_a_figure(digits: StudyResults) -> None:
    text = digits._repr_html_()
    outline = Outline(text)
    assert "385 trials: 340 ok, 45 diverged, 0 failed" in text
    assert len(outline.named("tr")) == 1 + 11
    analysis = numbers(digits)
    best = analysis.row(analysis.recommended or 0)
    assert f"<td>{analysis.measure.text(best['metric'])}</td>" in text
    (image,) = outline.named("img")
    assert "test accuracy" in (image["alt"] or "")
    drawing = base64.b64decode((image["src"] or "").split(",")[1])
    assert ET.fromstring(drawing).tag.endswith("svg")  # noqa: S314
    assert len(text) < 60_000


def test_a_study_without_fresh_seeds_counts_none() -> None:
    text = make_results(Sketch(small(confirmation_seeds=())))._repr_html_()
    assert " 5 seeds on digits; " in text


def test_several_groups_are_a_row_each() -> None:
    plans = ({"group": "sgd"}, {"group": "adam", "optimizer": "adam"})
    plan = several(*plans, batch_sizes=(8, 64), learning_rates=(0.3, 1.0), epochs=2)
    outline = Outline(make_results(Sketch(plan))._repr_html_())
    assert len(outline.named("tr")) == 1 + 2
    assert len(outline.named("img")) == 1


def test_what_has_not_run_is_a_line() -> None:
    outline = Outline(nothing_run(make_results(Sketch(small())))._repr_html_())
    assert [tag for tag, _ in outline.tags] == ["p"]


def test_a_long_table_is_cut_and_says_so(
    digits: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "MOST_ROWS", 5)
    text = digits._repr_html_()
    assert len(Outline(text).named("tr")) == 1 + 5
    assert "<p>6 more rows.</p>" in text


def test_foreign_text_is_shown_and_nothing_else() -> None:
    plan = small(dataset=HOSTILE, metric=HOSTILE, group=HOSTILE, name=HOSTILE)
    results = make_results(Sketch(plan))
    outline = Outline(results._repr_html_())
    assert {tag for tag, _ in outline.tags} <= {
        "p", "table", "thead", "tbody", "tr", "th", "td", "b", "img",
    }  # fmt: skip
    assert "alert(1)" in html.unescape(results._repr_html_())
    assert not set("\x00\x1b\u202e") & set(repr(results))
