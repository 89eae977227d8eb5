"""The method text follows the description."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.schema.results import EXPLORE, StudyResults
from reports.stats.power import detectable_accuracy_difference
from reports.text.method import limits, method
from tests.reports.conftest import Sketch, keep, make_results, nothing_run, numbers, small

pytestmark = pytest.mark.slow


def test_the_method_names_what_was_done() -> None:
    text = " ".join(method(numbers(make_results(Sketch(description=small())))))
    for part in ("64 features", "1,077 items", "32 hidden units", "sigmoid", "sgd", "0.3, 1 and 3"):
        assert part in text
    assert "5 seeds not used before" in text
    assert "Holm" in text


def test_a_study_without_hidden_layer_or_confirm_stage_says_so() -> None:
    plan = small(hidden_layers=(), confirmation_seeds=())
    text = " ".join(method(numbers(make_results(Sketch(description=plan)))))
    assert "no hidden layer" in text
    assert "There is no confirm stage" in text
    assert "over all pairs" in text


def test_limits_name_the_worth_of_one_item_of_the_part_shown(digits: StudyResults) -> None:
    assert "One item of the test part is worth 0.28 points" in " ".join(limits(numbers(digits)))
    explored = keep(digits, digits.trials["stage"] == EXPLORE)
    assert "One item of the validation part" in " ".join(limits(numbers(explored)))


def test_limits_name_the_smallest_difference_to_be_found(digits: StudyResults) -> None:
    analysis = numbers(digits)
    assert analysis.separation is not None
    assert f"{100 * analysis.separation.detectable:.2f} points" in limits(analysis)[1]


def test_limits_explain_the_sources_that_the_verdict_names(digits: StudyResults) -> None:
    first, *_ = limits(numbers(digits))
    for word in ("Measurement", "closed form", "critical batch size", "gradient noise scale"):
        assert word in first
    assert "Three sources" not in " ".join(limits(numbers(nothing_run(digits))))


def test_nothing_is_said_of_comparisons_that_were_not_made(digits: StudyResults) -> None:
    assert "can't be told" not in " ".join(limits(numbers(nothing_run(digits))))


def test_notes_on_the_data_are_shown() -> None:
    plan = small(notes=("Classes are imbalanced: 9 to 1", "3 values of column a were imputed."))
    text = " ".join(method(numbers(make_results(Sketch(description=plan)))))
    assert "imbalanced: 9 to 1. 3 values of column a were imputed." in text


def test_what_changes_along_training_is_named() -> None:
    plan = small(
        hyperparameters={"momentum": 0.9},
        schedule="cosine, after 5 epochs of warm-up",
        rate_rule="sqrt",
        shards=4,
        local_updates=2,
        loss="odd loss",
        output="softmax",
        further="dropout=0.1",
    )
    text = " ".join(method(numbers(make_results(Sketch(description=plan)))))
    for part in (
        "sgd (momentum 0.9)",
        "cosine, after 5 epochs of warm-up",
        "grow with the square root of the batch size",
        "4 shards of each batch",
        "2 local updates between",
        "loss odd loss",
        "softmax at the output",
        "dropout=0.1",
    ):
        assert part in text


def test_a_constant_rate_is_not_talked_about(digits: StudyResults) -> None:
    text = " ".join(method(numbers(digits)))
    assert "along training" not in text
    assert "shards" not in text


def test_a_budget_other_than_epochs_is_named() -> None:
    plan = small(epochs=None, budget="5,000 updates")
    analysis = numbers(make_results(Sketch(description=plan)))
    assert "5,000 updates for every trial" in " ".join(method(analysis))
    assert "5,000 updates for every trial" in " ".join(limits(analysis))


def test_part_of_an_epoch_is_a_budget_too() -> None:
    plan = small(epochs=0.5)
    assert numbers(nothing_run(make_results(Sketch(description=plan)))).budget == "0.5 epochs"


def test_one_split_for_all_seeds_is_told() -> None:
    text = " ".join(method(numbers(make_results(Sketch(description=small(split_seed=3))))))
    assert "all share one split of the data, that of seed 3." in text


def test_two_networks_are_told_apart_by_as_many_items_as_there_are() -> None:
    results = make_results(Sketch(description=small()))
    best = numbers(results).batch_sizes["metric"].max()
    gap = detectable_accuracy_difference(best, 360)
    assert f"must differ by {100 * gap:.2f} points" in " ".join(limits(numbers(results)))
    perfect = results.trials.assign(test_metric=results.trials["test_metric"] * 0 + 1)
    text = " ".join(limits(numbers(replace(results, trials=perfect))))
    assert "Two networks" not in text


def test_batch_sizes_that_are_equal_on_every_seed_tell_no_difference_to_be_found() -> None:
    results = make_results(Sketch(description=small()))
    metric = results.trials["test_metric"]
    equal = replace(
        results, trials=results.trials.assign(test_metric=metric.where(metric.isna(), 1))
    )
    text = " ".join(limits(numbers(equal)))
    assert "have the same accuracy on every seed" in text
    assert "four times in five" not in text
