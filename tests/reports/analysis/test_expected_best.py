"""The expected best of k rates is that of all draws, and holds optimizers at equal effort."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.expected_best import (
    EXPECTED_BEST_COLUMNS,
    Lead,
    expected_best,
    expected_bests,
    leads,
)
from reports.analysis.selection import CELL_COLUMNS
from reports.recommend.analysis import analyse_study
from reports.schema.results import StudyResults, empty_table
from reports.text.across import across
from tests.reports.conftest import Sketch, make_results, several

VALUES = [0.3, 0.9, 0.1, 0.9, 0.5]


@pytest.mark.parametrize("draws", [1, 2, 3, 4])
@pytest.mark.parametrize("values", [VALUES, [0.7], [-2.0, -1.0]])
def test_it_is_the_mean_of_the_best_over_all_draws(values: list[float], draws: int) -> None:
    every = [max(drawn) for drawn in itertools.product(values, repeat=draws)]
    assert expected_best(values, draws) == pytest.approx(np.mean(every), rel=1e-12)


def test_it_grows_with_the_effort_up_to_the_best() -> None:
    result = [expected_best(VALUES, draws) for draws in range(1, 200)]
    assert (np.diff(result) > -1e-12).all()
    assert result[0] == pytest.approx(np.mean(VALUES))
    assert result[-1] == pytest.approx(max(VALUES))


def cells(values: list[float], eligible: list[bool], size: int = 8) -> pd.DataFrame:
    return pd.DataFrame({"batch_size": size, "validation_metric": values, "eligible": eligible})


def test_efforts_are_doublings_and_all_that_was_tried() -> None:
    result = expected_bests(cells(VALUES, [True] * 5))
    assert result["drawn_rates"].tolist() == [1, 2, 4, 5]
    assert set(result["tried_rates"]) == {5}
    assert result["expected_best"].tolist() == [expected_best(VALUES, k) for k in (1, 2, 4, 5)]


def test_a_rate_with_a_failed_seed_counts_as_the_worst_of_the_others() -> None:
    result = expected_bests(cells([0.99, 0.5, 0.7, np.nan], [False, True, True, False]))
    assert result["expected_best"].iloc[0] == pytest.approx(np.mean([0.5, 0.5, 0.7, 0.5]))


def test_batch_sizes_without_an_eligible_rate_are_absent() -> None:
    lost = cells([0.5, 0.6], [False, False])
    result = expected_bests(pd.concat([lost, cells([0.5], [True], size=64)]))
    assert result["batch_size"].tolist() == [64]
    none = expected_bests(empty_table(CELL_COLUMNS))
    pd.testing.assert_frame_equal(none, empty_table(EXPECTED_BEST_COLUMNS))


def test_who_is_ahead_can_change_with_the_effort() -> None:
    easy = expected_bests(cells([0.8, 0.8, 0.8, 0.8], [True] * 4))
    hard = expected_bests(cells([0.1, 0.1, 0.95, 0.95], [True] * 4))
    assert leads({"easy": easy, "hard": hard}) == [
        Lead(1, ("easy",), pytest.approx(0.275)),
        Lead(2, ("easy",), pytest.approx(0.0625)),
        Lead(4, ("hard",), pytest.approx(0.95 - 0.85 / 16 - 0.8)),
    ]
    assert [lead.groups for lead in leads({"a": easy, "b": easy})] == [("a", "b")] * 3
    assert leads({"a": easy, "b": easy})[0].margin == 0


def test_only_efforts_that_all_batch_sizes_have_are_compared() -> None:
    many = expected_bests(cells([0.5] * 5, [True] * 5))
    few = expected_bests(
        pd.concat([cells([0.4] * 5, [True] * 5), cells([0.4] * 2, [True] * 2, 64)])
    )
    assert [lead.drawn_rates for lead in leads({"many": many, "few": few})] == [1, 2]
    assert leads({"many": many, "none": many[:0]}) == []


def said(results: StudyResults) -> str:
    statements = {statement.kind: statement.text for statement in across(analyse_study(results))}
    return statements.get("equal-effort-0", "")


@pytest.fixture(scope="module")
def results() -> StudyResults:
    plans = ({"group": "sgd"}, {"group": "adam"})
    axes = {"batch_sizes": (8, 64), "learning_rates": (0.3, 1.0, 3.0), "epochs": 2}
    return make_results(Sketch(description=several(*plans, **axes)))


def with_validation(results: StudyResults, values: dict[str, list[float]]) -> StudyResults:
    """Return them with these validation metrics for each learning rate of a group."""
    trials = results.trials.copy()
    for group, metrics in values.items():
        for rate, metric in zip((0.3, 1.0, 3.0), metrics, strict=True):
            rows = (trials["group"] == group) & (trials["learning_rate"] == rate)
            trials.loc[rows, "validation_metric"] = metric
    return replace(results, trials=trials)


def test_the_report_shows_who_is_ahead_at_equal_effort(results: StudyResults) -> None:
    ahead = with_validation(results, {"sgd": [0.9] * 3, "adam": [0.8] * 3})
    text = said(ahead)
    for part in ("1, 2 or 3 learning rates", "“sgd” leads by 10.0 points with 1 rate", "with 3"):
        assert part in text


def test_the_report_shows_that_the_order_depends_on_the_effort(results: StudyResults) -> None:
    changed = with_validation(results, {"sgd": [0.7] * 3, "adam": [0.2, 0.2, 0.99]})
    assert "depends on the effort: “sgd” with 1 and 2, “adam” with 3" in said(changed)


def test_groups_that_are_alike_are_named_together(results: StudyResults) -> None:
    alike = with_validation(results, {"sgd": [0.8] * 3, "adam": [0.8] * 3})
    assert "“sgd” and “adam” are equal" in said(alike)


def test_without_a_choice_of_rates_nothing_is_stated() -> None:
    plans = ({"group": "sgd"}, {"group": "adam"})
    plan = several(*plans, batch_sizes=(8, 64), learning_rates=(1.0,), epochs=2)
    assert said(make_results(Sketch(description=plan))) == ""
