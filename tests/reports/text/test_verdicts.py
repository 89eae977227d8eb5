"""Sentences follow from the numbers, and say so when the data can't say it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reports.recommend.analysis import analyse
from reports.recommend.record import Analysis
from reports.schema.formats import percent, seconds, times
from reports.schema.results import CURVE_COLUMNS, EXPLORE, StudyResults, empty_table
from reports.text.budget_rules import shared_sentence
from reports.text.verdicts import ANSWER, cards, verdict
from tests.reports.conftest import (
    Sketch,
    keep,
    make_results,
    nothing_run,
    numbers,
    of_seeds,
    small,
    without_timing,
)

pytestmark = pytest.mark.slow


def said(analysis: Analysis) -> dict[str, str]:
    return {s.kind: s.text.replace("\xa0", " ") for s in verdict(analysis)}


def apart(batch: int, _rate: float, epochs: float) -> float:
    """Batch sizes that differ far beyond the noise."""
    return (0.1 + {8: 0.8, 64: 0.6, 512: 0.4}[batch]) * min(1, epochs)


def test_the_answer_comes_first_and_is_short(digits: StudyResults) -> None:
    statements = verdict(numbers(digits))
    answer = [statement.text for statement in statements[: len(ANSWER)]]
    assert tuple(statement.kind for statement in statements[: len(ANSWER)]) == ANSWER
    assert 3 <= len(re.findall(r"\.(?=\s|$)", " ".join(answer))) <= 5
    assert not {statement.kind for statement in statements[len(ANSWER) :]} & {*ANSWER}


def test_the_sentences_have_the_numbers_of_the_table(digits: StudyResults) -> None:
    analysis = numbers(digits)
    texts = said(analysis)
    assert analysis.comparison is not None
    assert analysis.recommended is not None
    best, use = analysis.row(analysis.comparison.best), analysis.row(analysis.recommended)
    assert percent(best["metric"]) in texts["accuracy"]
    assert percent(best["metric_low"]) in texts["accuracy"]
    assert percent(use["metric"]) in texts["recommendation"]
    assert seconds(use["seconds_to_train"]).replace("\xa0", " ") in texts["recommendation"]
    assert f"{analysis.recommended} trains fastest" in texts["recommendation"]
    assert times(analysis.batch_sizes["speedup"].max()) in texts["tensor"]
    assert "21,540 updates at batch size 1, 40 at batch size 1024" in texts["budget"]


def test_words_that_promise_too_much_are_not_used(digits: StudyResults) -> None:
    for results in (digits, without_timing(digits), nothing_run(digits)):
        text = " ".join(said(numbers(results)).values()).lower()
        assert not re.search(r"optimal|significant|converge|prove", text)


def test_one_batch_size_that_stands_out_is_called_more_accurate() -> None:
    sketch = Sketch(description=small(), accuracy=apart, diverges=lambda *_: False)
    texts = said(numbers(make_results(sketch)))
    assert texts["recommendation"].startswith(
        "Batch size 8 is more accurate than every other one tried"
    )
    assert "which the tests establish" in texts["separation"]


def test_a_batch_size_that_lost_a_seed_is_not_said_to_be_worse() -> None:
    plan = small()
    last = plan.confirmation_seeds[-1]
    sketch = Sketch(plan, lambda batch, _rate, seed: (batch, seed) == (512, last), apart)
    text = said(numbers(make_results(sketch)))["recommendation"]
    assert text.startswith("Batch size 8 is more accurate than every other one with a result for")


def test_equal_batch_sizes_are_said_to_be_inseparable() -> None:
    sketch = Sketch(
        description=small(),
        accuracy=lambda *_: 0.9,
        diverges=lambda *_: False,
    )
    texts = said(numbers(make_results(sketch)))
    assert "Among the 3 batch sizes" in texts["recommendation"]
    assert re.search(r"more seeds? would establish|no sign of a lower", texts["separation"])


@pytest.mark.parametrize(
    ("offsets", "said_of_it"),
    [
        (
            [0.0, 0.0, 0.0, 0.0, 0.0],
            "by +0.00 points (paired over seeds; 95% t interval +0.00 to ",
        ),
        ([0.01, 0.02, 0.01, 0.02, 0.01], "no sign of a lower accuracy"),
        ([0.1, -0.1, 0.1, -0.1, -0.001], "even 1,000 seeds might not establish that"),
        ([-0.03, 0.0, -0.02, 0.0, 0.01], "more seeds would establish that, if it is real"),
        ([-0.51, -0.5, -0.49, -0.5, -0.5], "which the tests establish"),
    ],
    ids=["equal", "better", "hopeless", "open", "worse"],
)
def test_the_rival_is_held_against_the_best(offsets: list[float], said_of_it: str) -> None:
    sketch = Sketch(
        description=small(batch_sizes=(8, 64)),
        accuracy=lambda batch, _rate, _epochs: 0.9 - batch / 1000,
        diverges=lambda *_: False,
    )
    results = make_results(sketch)
    trials = results.trials
    for seed, offset in zip(range(100, 105), offsets, strict=True):
        for batch, value in ((8, 0.875), (64, 0.875 + offset)):
            rows = (trials["seed"] == seed) & (trials["batch_size"] == batch)
            trials.loc[rows, "test_metric"] = value
    assert said_of_it in said(numbers(results))["separation"]


def test_a_pair_apart_by_its_own_interval_but_not_among_all_is_explained() -> None:
    sketch = Sketch(
        description=small(batch_sizes=(8, 64, 128, 256, 512)),
        accuracy=lambda batch, _rate, _epochs: 0.9 - batch / 10_000,
        diverges=lambda *_: False,
    )
    results = make_results(sketch)
    trials = results.trials
    for seed, offset in zip(range(100, 105), (-0.004, -0.02, -0.006, -0.02, -0.005), strict=True):
        for batch in (8, 64, 128, 256, 512):
            rows = (trials["seed"] == seed) & (trials["batch_size"] == batch)
            trials.loc[rows, "test_metric"] = 0.875 + (0 if batch == 8 else offset)
    text = said(numbers(results))["separation"]
    assert text.endswith("of so many, one may be by chance.")


def test_without_times_nothing_is_called_fastest(digits: StudyResults) -> None:
    texts = said(numbers(without_timing(digits)))
    assert "the timing pass has not run" in texts["recommendation"]
    assert "time" not in texts
    assert "tensor" not in texts


def test_one_seed_tells_nothing_apart(digits: StudyResults) -> None:
    texts = said(numbers(of_seeds(digits, 0, 100)))
    assert texts["recommendation"].startswith("With one seed nothing can be told apart")
    assert "separation" not in texts


def test_one_batch_size_is_compared_with_nothing() -> None:
    texts = said(numbers(make_results(Sketch(description=small(batch_sizes=(8,))))))
    assert "Only batch size 8" in texts["recommendation"]
    assert "batch size 8 at learning rate 1" in texts["accuracy"]
    assert " to " not in texts["tensor"]
    assert "budget" not in texts


def test_a_study_that_has_not_begun_says_nothing(digits: StudyResults) -> None:
    texts = said(numbers(nothing_run(digits)))
    assert [*texts] == ["recommendation"]
    assert "No trial has run" in texts["recommendation"]


def test_all_diverged_says_nothing() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: True, rounds=0))
    texts = said(numbers(results))
    assert [*texts] == ["recommendation", "outcomes"]
    assert "None of the 45 trials" in texts["recommendation"]
    assert "45 diverged and 0 failed" in texts["outcomes"]


def test_rates_that_all_lost_a_seed_rank_nothing() -> None:
    sketch = Sketch(description=small(), diverges=lambda _batch, _rate, seed: seed == 0)
    text = said(numbers(make_results(sketch)))["recommendation"]
    assert "none can be ranked" in text


def test_a_tensor_engine_that_does_not_win_everywhere_is_said_not_to() -> None:
    results = make_results(Sketch(description=small()))
    slow = (results.timing["engine"] == "tensor") & (results.timing["batch_size"] == 8)
    results.timing.loc[slow, "wall_seconds"] *= 50
    assert "not faster in every timing round at batch size 8" in said(numbers(results))["tensor"]


def test_the_validation_part_is_named_where_it_is_shown(digits: StudyResults) -> None:
    explored = keep(digits, digits.trials["stage"] == EXPLORE)
    assert "validation accuracy" in said(numbers(explored))["recommendation"]


def test_cards_show_what_is_known(digits: StudyResults) -> None:
    analysis = numbers(digits)
    shown = {card.label: card.value for card in cards(analysis)}
    assert shown["Batch size to use"] == str(analysis.recommended)
    assert list(shown) == [
        "Batch size to use",
        "Fastest to a target",
        "Best on validation",
        "Shortest training",
        "Tensor speed-up",
    ]
    assert [card.label for card in cards(numbers(without_timing(digits)))] == ["Best on validation"]
    assert cards(numbers(nothing_run(digits))) == []


@pytest.mark.parametrize("metric", ["accuracy", "<b>", "x" * 300])
def test_the_metric_has_the_name_of_the_description(metric: str) -> None:
    analysis = numbers(make_results(Sketch(description=small(metric=metric))))
    assert f"test {metric[:40]}" in said(analysis)["accuracy"]


def test_the_budget_rules_are_compared_where_there_are_curves(digits: StudyResults) -> None:
    analysis = numbers(digits)
    assert said(analysis)["rules"].startswith("Another budget rule changes the order")
    assert said(analysis)["budget"].endswith(shared_sentence(analysis))


@pytest.mark.parametrize(
    ("updates", "end"),
    [
        ("same", "equal epochs would favour small"),
        ("fewer", "equal updates would favour large"),
    ],
)
def test_the_budget_rule_says_whom_it_favours(updates: str, end: str) -> None:
    plan = small(epochs=None, budget="some budget")
    made = make_results(Sketch(description=plan, diverges=lambda *_: False))
    results = replace(made, curves=empty_table(CURVE_COLUMNS))
    if updates == "same":
        results.trials["updates"] = 500
    text = said(analyse(results)[0])["budget"]
    assert text.startswith("Every trial has the same budget, some budget: ")
    assert end in text


def test_trials_that_stopped_early_are_counted() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    results.trials.loc[:2, "stopped_at_update"] = 40
    assert "3 trials stopped" in said(numbers(results))["outcomes"]


def test_failures_are_told_apart_in_the_verdict() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    results.trials.loc[0, "status"] = "crashed"
    results.trials.loc[1, "status"] = "timeout"
    results.trials.loc[2, "stopped_at_update"] = 40
    text = said(numbers(results))["outcomes"]
    for part in ("60 trials", "2 failed (1 crashed and 1 ran out of time)", "1 trial stopped"):
        assert part in text
