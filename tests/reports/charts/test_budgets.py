"""What the slider shows is the table of budgets, placed and written."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from reports.analysis.equal_budgets import RULES
from reports.charts.budgets import Slider, budget_slider
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from reports.text.budget_rules import amount, budget_sentence
from tests.reports.conftest import nothing_run, numbers, of_seeds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slider(analysis: Analysis) -> Slider:
    """Its slider."""
    few = budget_slider(analysis)
    assert few is not None
    return few


def steps(slider: Slider) -> list[dict[str, list[list[object]]]]:
    return [step for rule in json.loads(slider.data)["rules"] for step in rule["steps"]]


def budgets(analysis: Analysis) -> list[pd.DataFrame]:
    """Return the rows of each step, in the slider's order."""
    table = analysis.budgets
    return [rows for rule in RULES for _, rows in table[table["rule"] == rule].groupby("budget")]


def test_every_budget_is_a_step_with_its_amount_and_sentence(
    analysis: Analysis, slider: Slider
) -> None:
    shown = [(step["amount"], step["said"]) for step in steps(slider)]
    assert shown == [
        (amount(rows["rule"].iloc[0], rows["budget"].iloc[0]), budget_sentence(analysis, rows))
        for rows in budgets(analysis)
    ]


def test_it_begins_with_the_budget_that_all_batch_sizes_reach(slider: Slider) -> None:
    for rule, words in zip(json.loads(slider.data)["rules"], slider.rules, strict=True):
        first = rule["steps"][rule["first"]]
        assert len(first["rows"]) == 11, words


def test_points_and_rows_are_the_batch_sizes_that_reach_the_budget(
    analysis: Analysis, slider: Slider
) -> None:
    for step, rows in zip(steps(slider), budgets(analysis), strict=True):
        known = rows.dropna(subset="metric")
        assert [row[0] for row in step["rows"]] == [str(size) for size in known["batch_size"]]
        assert [row[4] for row in step["rows"]] == [
            analysis.measure.text(metric) + (" (early)" if early else "")
            for metric, early in zip(known["metric"], known["early"], strict=True)
        ]
        assert [mark[4] for mark in step["marks"]] == [int(tied) for tied in known["tied"]]
        assert all(len(row) == 7 for row in step["rows"])


def test_points_lie_on_the_scale_of_their_ticks(analysis: Analysis, slider: Slider) -> None:
    for step, rows in zip(steps(slider), budgets(analysis), strict=True):
        ticks = [(float(str(text).rstrip("%")) / 100, float(str(y))) for y, text in step["ticks"]]
        (low, low_y), (high, high_y) = ticks[0], ticks[-1]
        known = rows["metric"].dropna()
        for mark, metric in zip(step["marks"], known, strict=True):
            expected = low_y + (metric - low) / (high - low) * (high_y - low_y)
            assert float(str(mark[1])) == pytest.approx(expected, abs=0.5)
            assert float(str(mark[3])) < float(str(mark[1])) < float(str(mark[2]))


def test_with_few_seeds_there_is_no_interval(digits: StudyResults) -> None:
    few = budget_slider(numbers(of_seeds(digits, 0, 1, 2)))
    assert few is not None
    assert all(mark[2] is mark[3] is None for step in steps(few) for mark in step["marks"])


def test_without_budgets_there_is_no_slider(digits: StudyResults) -> None:
    assert budget_slider(numbers(nothing_run(digits))) is None
