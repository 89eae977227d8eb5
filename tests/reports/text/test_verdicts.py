"""Sentences follow from the numbers, and an answer has its learning rate, price and confidence."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reports.recommend.record import Analysis
from reports.schema.formats import MISSING, faster, rate, seconds, times
from reports.schema.results import EXPLORE, StudyResults
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE, UNDECIDED, WORSE
from reports.text.instruction import (
    HIGH,
    LOW,
    MODERATE,
    answer_lines,
    confidence,
    evidence,
    headline,
    near_optimal_sentence,
    price_sentence,
    surer,
)
from reports.text.verdicts import cards, verdict
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


def study(
    losses: dict[int, list[float]] | None = None, sketch: Sketch | None = None
) -> StudyResults:
    """Return a study of batch sizes 8, 64 and 512 with these losses on five fresh seeds.

    Batch size 8 does best on the tuning seeds, and its best learning rate is inside those tried.
    """
    made = make_results(
        sketch
        or Sketch(
            description=small(),
            accuracy=lambda batch, rate, _: (
                0.9 - batch / 10_000 - 0.1 * abs(math.log10(rate)) if batch else 0
            ),
            diverges=lambda *_: False,
            noise=0.001,
        )
    )
    trials = made.trials
    for size, values in ({8: [0.0] * 5} | (losses or {})).items():
        for seed, loss in zip(range(100, 105), values, strict=True):
            rows = (trials["seed"] == seed) & (trials["batch_size"] == size)
            trials.loc[rows, "test_metric"] = 0.875 - loss
    return made


ANSWER = ("recommendation", "range", "goal", "rules")
"""Kinds of statements that are the answer."""
EQUAL = [0.0, 0.001, 0.0, -0.001, 0.0]
WORSE_BY_10 = [0.1, 0.11, 0.1, 0.09, 0.1]
NOISY = [0.02, -0.02, 0.03, -0.01, 0.01]


def test_the_answer_comes_first(digits: StudyResults) -> None:
    kinds = [statement.kind for statement in verdict(numbers(digits))]
    assert tuple(kinds[: len(ANSWER)]) == ANSWER
    assert not {*kinds[len(ANSWER) :]} & {*ANSWER}


def test_the_answer_has_rate_time_factor_and_difference() -> None:
    analysis = numbers(study({64: EQUAL, 512: WORSE_BY_10}))
    use, reference = analysis.row(64), analysis.row(8)
    assert headline(analysis) == f"Use batch size 64 with learning rate {rate(1.0)}."
    text = evidence(analysis)
    for part in (
        seconds(use["seconds_to_train"]),
        f"{faster(reference['seconds_to_train'] / use['seconds_to_train'])} than batch size 8",
        "no measurable loss of test accuracy",
        f"{use['metric']:.1%}; difference +0.0 points",
        "95% CI",
        "5 seeds",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("loss", "words"), [(0.006, "a loss of 0.6 points"), (-0.03, "a gain of 3.0 points")]
)
def test_a_difference_beyond_its_interval_is_named(loss: float, words: str) -> None:
    shifted = [loss + each for each in EQUAL]
    assert words in evidence(numbers(study({64: shifted, 512: WORSE_BY_10})))


def test_an_interval_without_width_is_left_out() -> None:
    analysis = numbers(study({64: [0.005] * 5, 512: WORSE_BY_10}))
    narrow = replace(analysis.answer, compared=tuple(
        replace(each, spread=0.0, upper=each.mean) for each in analysis.answer.compared
    ))  # fmt: skip
    text = evidence(replace(analysis, answers=(narrow, analysis.target)))
    assert "-0.5 points, 5 seeds" in text
    assert "CI" not in text


def test_a_larger_batch_that_is_undecided_has_its_price_and_is_not_recommended() -> None:
    analysis = numbers(study({64: EQUAL, 512: NOISY}))
    following = analysis.answer.next
    assert following is not None
    assert (analysis.recommended, following.verdict) == (64, UNDECIDED)
    text = price_sentence(analysis)
    for part in ("Batch size 512 with learning rate", "faster", "at most", "undecided", "more"):
        assert part in text
    assert confidence(analysis)[0] in {MODERATE, LOW}
    (remedy,) = surer(analysis)
    assert (remedy.kind, remedy.amount) == ("seeds", analysis.answer.more_seeds)


def test_a_larger_batch_that_is_worse_is_shown_to_be() -> None:
    analysis = numbers(study({64: EQUAL, 512: WORSE_BY_10}))
    verdicts = [each.verdict for each in analysis.answer.compared]
    assert verdicts == [REFERENCE, NEAR_OPTIMAL, WORSE]
    text = price_sentence(analysis)
    for part in ("loses 10.0 points", "shown to lose more than 1 point"):
        assert part in text
    assert confidence(analysis)[0] == HIGH
    assert surer(analysis) == []


def test_the_reference_itself_may_be_the_answer() -> None:
    analysis = numbers(study({64: WORSE_BY_10, 512: WORSE_BY_10}))
    assert analysis.recommended == analysis.reference == 8
    assert "did best on the tuning seeds" in evidence(analysis)
    assert near_optimal_sentence(analysis) == ""
    assert confidence(analysis)[0] == HIGH


def test_the_largest_batch_has_nothing_faster() -> None:
    analysis = numbers(study({64: EQUAL, 512: EQUAL}))
    assert analysis.recommended == 512
    assert price_sentence(analysis) == ""
    level, reason = confidence(analysis)
    assert level == MODERATE
    assert "largest tried" in reason
    assert [(each.kind, each.amount) for each in surer(analysis)] == [("larger", 1024)]
    passed = [e.batch_size for e in analysis.answer.compared if e.verdict == NEAR_OPTIMAL]
    assert passed == [64, 512]
    assert "sizes 64 and 512 are shown to lose at most 1 point" in near_optimal_sentence(analysis)


def test_without_times_no_factor_is_stated() -> None:
    analysis = numbers(without_timing(study({64: EQUAL, 512: NOISY})))
    text = " ".join(said(analysis).values())
    assert "faster" not in text
    assert analysis.recommended == 64
    assert surer(analysis)[0].kind == "time"
    assert "vectorized" not in said(analysis)


def test_too_few_fresh_seeds_name_nothing(digits: StudyResults) -> None:
    for results in (
        of_seeds(digits, 0, 100),
        of_seeds(digits, 0, 1, 100, 101, 102, 103),
        keep(digits, digits.trials["stage"] == EXPLORE),
    ):
        analysis = numbers(results)
        assert analysis.recommended is None
        assert "No batch size" in headline(analysis)
        assert "5 fresh seeds" in evidence(analysis)
        assert "learning rate" in evidence(analysis)
        assert confidence(analysis)[0] == LOW
        assert [(e.kind, e.amount > 0) for e in surer(analysis)] == [("seeds", True)]


def test_one_batch_size_is_compared_with_nothing() -> None:
    analysis = numbers(make_results(Sketch(description=small(batch_sizes=(8,)))))
    texts = said(analysis)
    assert "batch size 8 with learning rate 1" in texts["recommendation"]
    assert " to " not in texts["vectorized"]
    assert not {"range", "rules"} & {*texts}
    assert confidence(analysis)[0] == MODERATE


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


def test_rates_of_which_a_seed_failed_rank_nothing() -> None:
    sketch = Sketch(description=small(), diverges=lambda _batch, _rate, seed: seed == 0)
    text = said(numbers(make_results(sketch)))["recommendation"]
    assert "No batch size has a learning rate with a result for every seed" in text


def test_an_engine_that_is_not_faster_everywhere_is_named() -> None:
    results = make_results(Sketch(description=small()))
    slow = (results.timing["engine"] == "tensor") & (results.timing["batch_size"] == 8)
    results.timing.loc[slow, "wall_seconds"] *= 50
    analysis = numbers(results)
    text = said(analysis)["vectorized"]
    assert "not in every round at batch size 8" in text
    assert times(analysis.batch_sizes["speedup"].max()) in text


def test_there_are_three_cards_whatever_is_known(digits: StudyResults) -> None:
    labels = ["Use", "Price of going faster", "Time to target"]
    for results in (digits, without_timing(digits), nothing_run(digits), study({64: EQUAL})):
        assert [card.label for card in cards(numbers(results))] == labels
    assert {card.value for card in cards(numbers(nothing_run(digits)))} == {MISSING}


def test_the_cards_have_the_numbers_of_the_answer() -> None:
    analysis = numbers(study({64: EQUAL, 512: WORSE_BY_10}))
    use, price, _ = cards(analysis)
    assert use.value == "Batch size 64 with learning rate 1"
    assert seconds(analysis.row(64)["seconds_to_train"]) in use.note
    assert price.value == "loses 10.0 points"
    assert "batch size 512 with learning rate" in price.note
    assert "worse" in price.note


def test_a_card_names_the_time_to_the_target_with_size_and_rate(digits: StudyResults) -> None:
    analysis = numbers(digits)
    target = analysis.target
    *_, card = cards(analysis)
    assert (target.batch_size is None) == (card.value == MISSING)
    if target.batch_size is not None and target.learning_rate is not None:
        named = f"batch size {target.batch_size} with learning rate {rate(target.learning_rate)}"
        assert named in card.note


def test_a_terminal_gets_at_most_four_lines(digits: StudyResults) -> None:
    for results in (digits, study({64: EQUAL, 512: NOISY}), nothing_run(digits)):
        lines = answer_lines(numbers(results))
        assert 1 <= len(lines) <= 4
        assert lines[0].startswith(headline(numbers(results)))


@pytest.mark.parametrize("metric", ["accuracy", "<b>", "x" * 300])
def test_the_metric_has_the_name_of_the_description(metric: str) -> None:
    analysis = numbers(make_results(Sketch(description=small(metric=metric))))
    assert f"test {metric[:40]}" in said(analysis)["recommendation"]


def test_failures_are_counted_by_cause() -> None:
    results = make_results(Sketch(description=small(), diverges=lambda *_: False))
    results.trials.loc[0, "status"] = "crashed"
    results.trials.loc[1, "status"] = "timeout"
    results.trials.loc[2:4, "stopped_at_update"] = 40
    text = said(numbers(results))["outcomes"]
    for part in ("60 trials", "2 failed (1 crashed and 1 ran out of time)", "3 trials stopped"):
        assert part in text
