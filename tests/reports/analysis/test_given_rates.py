"""A study whose learning rates are given, not selected: it is reported, and nothing is claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.analysis.batch_sizes import later_half
from reports.charts.catalogue import charts
from reports.output.build import build_report
from reports.recommend.record import Analysis
from reports.schema.results import CONFIRM, StudyResults
from reports.text.method import method
from tests.reports.conftest import keep, numbers


@pytest.fixture(scope="module")
def given(digits: StudyResults) -> StudyResults:
    """The fresh seeds of the digits study alone."""
    fresh = keep(digits, digits.trials["stage"] == CONFIRM)
    return replace(fresh, description=replace(fresh.description, seeds=()))


@pytest.fixture(scope="module")
def analysis(given: StudyResults) -> Analysis:
    return numbers(given)


def test_the_earlier_half_of_the_seeds_chooses_what_the_later_judges(analysis: Analysis) -> None:
    assert analysis.part == "test"
    assert not analysis.judged_apart
    earlier = analysis.seeds[~later_half(analysis.seeds)]
    means = earlier.groupby("batch_size")["metric"].mean().round(12)
    assert analysis.reference == means.idxmax()
    assert analysis.judged["seed"].nunique() == 2
    assert analysis.recommended is None


def test_nobody_is_claimed_to_have_selected(analysis: Analysis) -> None:
    drawn = {chart.name: chart for chart in charts(analysis)}
    assert "rates" not in drawn
    assert "The learning rate of each batch size was given" in drawn["accuracy"].caption


def test_the_page_is_written(given: StudyResults, tmp_path_factory: pytest.TempPathFactory) -> None:
    page = build_report(given, tmp_path_factory.mktemp("given")).read_text("utf-8")
    assert " 5 seeds on digits; 55 trials" in page
    assert "Best on validation" not in page


def test_the_method_states_that_none_was_selected(analysis: Analysis) -> None:
    assert any("No rate was selected." in text for text in method(analysis))
