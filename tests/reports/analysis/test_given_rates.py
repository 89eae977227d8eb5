"""A study whose learning rates are given, not selected: it is reported, and nothing is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.charts.catalogue import charts
from reports.output.build import build_report
from reports.recommend.record import Analysis
from reports.schema.results import CONFIRM, StudyResults
from reports.text.method import method
from reports.text.verdicts import cards, verdict
from tests.reports.conftest import keep, numbers


@pytest.fixture(scope="module")
def given(digits: StudyResults) -> StudyResults:
    """The fresh seeds of the digits study alone."""
    fresh = keep(digits, digits.trials["stage"] == CONFIRM)
    return replace(fresh, description=replace(fresh.description, seeds=()))


@pytest.fixture(scope="module")
def analysis(given: StudyResults) -> Analysis:
    return numbers(given)


def test_the_values_that_chose_the_best_also_judge_it(analysis: Analysis) -> None:
    assert analysis.part == "test"
    assert not analysis.judged_apart
    assert analysis.comparison is not None
    means = analysis.batch_sizes.set_index("batch_size")["metric"]
    assert analysis.comparison.best == means.idxmax()
    # Eleven batch sizes make 55 pairs, each tested on both sides.
    assert analysis.comparison.tail == pytest.approx(0.05 / 2 / 55)


def test_nobody_is_said_to_have_selected(analysis: Analysis) -> None:
    said = [statement.text for statement in verdict(analysis)]
    assert any(text.startswith("The highest mean test accuracy has") for text in said)
    assert "Highest mean" in [card.label for card in cards(analysis)]
    drawn = {chart.name: chart for chart in charts(analysis)}
    assert "best-rates" not in drawn
    assert "rates" not in drawn
    assert "The learning rate of each batch size was given" in drawn["accuracy"].caption


def test_the_page_is_written(given: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> None:
    page = build_report(given, tmp_path_factory.mktemp("given")).read_text("utf-8")
    assert " 5 seeds on digits; 55 trials" in page
    assert "Best on validation" not in page


def test_the_method_says_that_none_was_selected(analysis: Analysis) -> None:
    assert any("No rate was selected." in text for text in method(analysis))
