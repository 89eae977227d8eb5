"""The method text follows the description."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.schema.results import EXPLORE, StudyResults
from reports.stats.intervals import detectable_accuracy_difference
from reports.text.method import limits, method
from tests.reports.conftest import Sketch, keep, make_results, nothing_run, numbers, small

pytestmark = pytest.mark.slow


def test_a_study_without_hidden_layer_or_confirm_stage_says_so() -> None:
    plan = small(hidden_layers=(), confirmation_seeds=())
    text = " ".join(method(numbers(make_results(Sketch(description=plan)))))
    assert "no hidden layer" in text
    assert "There are no fresh seeds" in text


def test_limits_name_the_worth_of_an_example_of_the_set_shown(digits: StudyResults) -> None:
    assert "One example of the test set is worth 0.3 points" in " ".join(limits(numbers(digits)))
    explored = keep(digits, digits.trials["stage"] == EXPLORE)
    assert "One example of the validation set" in " ".join(limits(numbers(explored)))


def test_limits_state_the_rule_with_its_margin(digits: StudyResults) -> None:
    first, *_ = limits(numbers(digits))
    for part in ("reference", "1 point", "one-sided 95% limit", "undecided"):
        assert part in first
    other = replace(digits, description=replace(digits.description, margin=0.005))
    assert "0.5 points" in limits(numbers(other))[0]


def test_a_report_explains_itself_in_few_words(digits: StudyResults) -> None:
    analysis = numbers(digits)
    assert len(" ".join([*method(analysis), *limits(analysis)]).split()) <= 600


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
        "Loss: odd loss",
        "softmax at the output",
        "dropout=0.1",
    ):
        assert part in text


def test_a_budget_other_than_epochs_is_named() -> None:
    plan = small(epochs=None, budget="5,000 updates")
    analysis = numbers(make_results(Sketch(description=plan)))
    assert "for 5,000 updates" in " ".join(method(analysis))
    assert "is 5,000 updates" in " ".join(limits(analysis))


def test_part_of_an_epoch_is_a_budget_too() -> None:
    plan = small(epochs=0.5)
    assert numbers(nothing_run(make_results(Sketch(description=plan)))).budget == "0.5 epochs"


def test_one_split_for_all_seeds_is_named() -> None:
    text = " ".join(method(numbers(make_results(Sketch(description=small(split_seed=3))))))
    assert "all share the split of seed 3" in text


def test_the_difference_that_two_networks_show_follows_from_the_examples() -> None:
    results = make_results(Sketch(description=small()))
    best = numbers(results).batch_sizes["metric"].max()
    gap = detectable_accuracy_difference(best, 360)
    assert f"differences of {100 * gap:.1f} points" in " ".join(limits(numbers(results)))
    perfect = results.trials.assign(test_metric=results.trials["test_metric"] * 0 + 1)
    text = " ".join(limits(numbers(replace(results, trials=perfect))))
    assert "two single networks" not in text
