"""The method text follows the description."""

from __future__ import annotations

from reports.analysis import analyse
from reports.method import limits, method
from reports.results import EXPLORE, StudyResults
from tests.reports.conftest import Sketch, keep, make_results, nothing_run, small


def test_the_method_names_what_was_done() -> None:
    text = " ".join(method(analyse(make_results(Sketch(description=small())))))
    for part in ("64 features", "1,077 items", "32 hidden units", "sigmoid", "sgd", "0.3, 1 and 3"):
        assert part in text
    assert "5 seeds not used before" in text
    assert "Holm" in text


def test_a_study_without_hidden_layer_or_confirm_stage_says_so() -> None:
    plan = small(hidden_layers=(), confirmation_seeds=())
    text = " ".join(method(analyse(make_results(Sketch(description=plan)))))
    assert "no hidden layer" in text
    assert "There is no confirm stage" in text
    assert "over all pairs" in text


def test_limits_name_the_worth_of_one_item_of_the_part_shown(digits: StudyResults) -> None:
    assert "One item of the test part is worth 0.28 points" in " ".join(limits(analyse(digits)))
    explored = keep(digits, digits.trials["stage"] == EXPLORE)
    assert "One item of the validation part" in " ".join(limits(analyse(explored)))


def test_limits_name_the_smallest_difference_to_be_found(digits: StudyResults) -> None:
    analysis = analyse(digits)
    assert analysis.separation is not None
    assert f"{100 * analysis.separation.detectable:.2f} points" in limits(analysis)[0]


def test_nothing_is_said_of_comparisons_that_were_not_made(digits: StudyResults) -> None:
    assert "can't be told" not in " ".join(limits(analyse(nothing_run(digits))))
