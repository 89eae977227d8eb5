"""Results asked in Python and in a notebook: short, safe, and with the numbers of the report."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from reports.figures import CHARTS
from reports.output import interactive
from reports.output.interactive import Results
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, nothing_run, numbers, several, small
from tests.reports.output.page.test_browser import HOSTILE
from tests.reports.output.page.test_page import Outline


def shown(results: StudyResults) -> str:
    return Results.of(results)._repr_html_()


def test_a_study_shows_what_it_holds_and_what_to_use(digits: StudyResults) -> None:
    counts, answer = repr(Results.of(digits)).splitlines()
    assert counts.startswith("<Results digits: ")
    assert re.findall(r"[\d,]*\d", counts) == ["1", "385", "340", "45", "0", "7,820", "110"]
    analysis = numbers(digits)
    assert f"batch size {analysis.recommended} with learning rate" in answer
    assert answer in shown(digits)
    assert len(repr(Results.of(nothing_run(digits))).splitlines()) == 1


def test_a_notebook_shows_counts_a_table_and_a_figure(digits: StudyResults) -> None:
    text = shown(digits)
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
    text = shown(make_results(Sketch(small(confirmation_seeds=()))))
    assert " 5 seeds on digits; " in text


def test_several_groups_are_a_row_each() -> None:
    plans = ({"group": "sgd"}, {"group": "adam", "optimizer": "adam"})
    plan = several(*plans, batch_sizes=(8, 64), learning_rates=(0.3, 1.0), epochs=2)
    outline = Outline(shown(make_results(Sketch(plan))))
    assert len(outline.named("tr")) == 1 + 2
    assert len(outline.named("img")) == 1


def test_what_has_not_run_is_a_line() -> None:
    outline = Outline(shown(nothing_run(make_results(Sketch(small())))))
    assert [tag for tag, _ in outline.tags] == ["p"]


def test_a_long_table_is_cut_and_says_so(
    digits: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactive, "MOST_ROWS", 5)
    text = shown(digits)
    assert len(Outline(text).named("tr")) == 1 + 5
    assert "<p>6 more rows.</p>" in text


def test_foreign_text_is_shown_and_nothing_else() -> None:
    plan = small(dataset=HOSTILE, metric=HOSTILE, group=HOSTILE, name=HOSTILE)
    results = make_results(Sketch(plan))
    outline = Outline(shown(results))
    assert {tag for tag, _ in outline.tags} <= {
        "p", "table", "thead", "tbody", "tr", "th", "td", "b", "img",
    }  # fmt: skip
    assert "<script>" in html.unescape(shown(results))
    assert not set("\x00\x1b\u202e") & set(repr(Results.of(results)))


def test_the_recommendation_is_that_of_the_page(digits: StudyResults) -> None:
    results, analysis = Results.of(digits), numbers(digits)
    recommendation = results.recommendation
    assert recommendation.batch_size == analysis.recommended
    assert recommendation.learning_rate == analysis.answer.learning_rate
    assert recommendation.batch_size in recommendation.near_optimal
    assert recommendation.confidence[0] in {"high", "moderate", "low"}
    assert str(recommendation) in repr(results)
    assert [*results.recommendations] == ["digits"]


def test_several_configurations_have_a_recommendation_each() -> None:
    plans = ({"group": "sgd"}, {"group": "adam", "optimizer": "adam"})
    plan = several(*plans, batch_sizes=(8, 64), learning_rates=(0.3, 1.0), epochs=2)
    results = Results.of(make_results(Sketch(plan)))
    assert [*results.recommendations] == ["sgd", "adam"]
    assert len(repr(results).splitlines()) == 1 + 2
    with pytest.raises(ValueError, match="sgd, adam"):
        _ = results.recommendation
    assert results.plot("accuracy", configuration="adam").lines
    with pytest.raises(ValueError, match="nothing has run"):
        _ = Results.of(nothing_run(results)).recommendation


def test_the_tables_are_those_of_the_report(digits: StudyResults, digits_report: Path) -> None:
    tables = Results.of(digits).tables
    assert {path.stem for path in (digits_report.parent / "tables").iterdir()} == {*tables}
    pd.testing.assert_frame_equal(tables["trials"], digits.trials)


def test_a_figure_is_drawn_on_axes_of_its_own_or_those_given(digits: StudyResults) -> None:
    plot = Results.of(digits).plot
    assert {*plot.names()} <= {*CHARTS}
    for name in plot.names():
        axes = plot(name)
        assert axes.get_title()
        plt.close(axes.figure)
    figure, ax = plt.subplots()
    assert plot("accuracy", ax) is ax
    plt.close(figure)
    with pytest.raises(ValueError, match="accuracy-time"):
        plot("acuracy")


def test_the_report_is_written_where_it_is_asked_for(
    digits: StudyResults, digits_report: Path, tmp_path: Path
) -> None:
    page = Results.of(digits).report(tmp_path)
    assert page.read_bytes() == digits_report.read_bytes()
