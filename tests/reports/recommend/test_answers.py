"""What the three sources say of studies whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.recommend._answers import NO_TIMES, UNTESTED, run_around, seeds_needed
from reports.recommend.recommendation import (
    ACCURACY,
    AGREE,
    CLOSED_FORM,
    MEASUREMENT,
    NOISE_SCALE,
    SILENT,
    TARGET_TIME,
    TIMED_ACCURACY,
    Answer,
    Recommendation,
)
from reports.recommend.record import Analysis
from reports.schema.results import EXPLORE, StudyResults
from reports.stats.bounds import Ends
from reports.stats.power import separate
from tests.helpers.claim_studies import FAST, FRESH, SEEDS, Truth, study
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, hyperbola, noisy
from tests.reports.conftest import keep, nothing_run, numbers, of_seeds, without_timing

pytestmark = pytest.mark.slow

BEST = math.sqrt(25 * 40)
"""Of 12 (1 + 25/B) updates of 40 + B microseconds."""


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B, and whose update takes 40 + B us."""
    truth = replace(HYPERBOLIC, noise=0.003)
    return noisy(study(truth, {"batch_sizes": SIZES}), squared_norm=2.0)


def of(results: StudyResults, goal: str) -> Recommendation:
    return next(advice for advice in numbers(results).recommendations if advice.goal == goal)


def asks_for(advice: Recommendation, data: str) -> bool:
    """Return whether more data of this kind would settle it."""
    return any(data in text for text in advice.more)


def said(results: StudyResults, goal: str, source: str) -> Answer:
    return of(results, goal).answer(source)


def test_every_goal_has_a_recommendation(results: StudyResults) -> None:
    goals = [advice.goal for advice in numbers(results).recommendations]
    assert goals == [ACCURACY, TARGET_TIME, TIMED_ACCURACY]


def test_the_three_agree_where_they_should(results: StudyResults) -> None:
    advice = of(results, TARGET_TIME)
    assert advice.agreement == AGREE
    assert advice.batch_size in {16, 64}
    closed = advice.answer(CLOSED_FORM)
    assert closed.best == pytest.approx(BEST, rel=0.1)
    # A noise scale of 50 / 2 is the critical batch size.
    noise = advice.answer(NOISE_SCALE)
    assert noise.best == pytest.approx(BEST, rel=0.05)


def test_accuracy_is_recommended_around_the_fastest_of_the_tied(results: StudyResults) -> None:
    analysis, advice = numbers(results), of(results, ACCURACY)
    assert analysis.comparison is not None
    assert advice.batch_size == analysis.recommended
    tied = [*analysis.comparison.tied]
    assert tied == [*SIZES]
    assert advice.interval == Ends(1, 256)
    assert "test accuracy for 4 epochs" in advice.sought
    assert asks_for(advice, "batch size beyond 256")


def test_a_budget_limits_batch_sizes_to_those_that_reach_the_target(results: StudyResults) -> None:
    limit = said(results, ACCURACY, CLOSED_FORM)
    main = numbers(results).scaling.main
    assert main is not None
    fit = main.fit
    assert fit.min_examples is not None
    assert fit.min_updates is not None
    assert limit.only_limits
    assert limit.interval is not None
    # The study's own largest batch size is below the limit of about 4 x 1077 / 12.
    assert limit.interval == Ends(1, 256)
    long = numbers(results).plan
    assert (4 * long.train_items - fit.min_examples) / fit.min_updates > 256
    short = replace(
        results, description=replace(results.description, groups=(replace(long, epochs=0.5),))
    )
    ends = said(short, ACCURACY, CLOSED_FORM).interval
    assert ends is not None
    assert ends.high == pytest.approx((538.5 - fit.min_examples) / fit.min_updates, rel=0.4)
    none = replace(
        results, description=replace(results.description, groups=(replace(long, epochs=0.01),))
    )
    unreached = said(none, ACCURACY, CLOSED_FORM)
    assert unreached.interval is None
    assert "no batch size" in unreached.reason


def test_other_budgets_than_epochs_limit_nothing(results: StudyResults) -> None:
    (plan,) = results.description.groups
    other = replace(plan, epochs=None, budget="100 updates")
    changed = replace(results, description=replace(results.description, groups=(other,)))
    answer = said(changed, ACCURACY, CLOSED_FORM)
    assert answer.interval is None
    assert "budget" in answer.reason


def test_the_noise_scale_limits_accuracy(results: StudyResults) -> None:
    limit = said(results, ACCURACY, NOISE_SCALE).interval
    assert limit is not None
    assert limit.low == 1
    assert limit.high == pytest.approx(25, rel=0.1)
    small = noisy(results, squared_norm=200.0)
    assert said(small, ACCURACY, NOISE_SCALE).interval == Ends(1, 1)


def test_what_was_not_measured_is_said() -> None:
    plain = study(replace(HYPERBOLIC, noise=0.003), {"batch_sizes": SIZES})
    for goal in (ACCURACY, TARGET_TIME):
        reason = said(plain, goal, NOISE_SCALE).reason
        assert "`noise_examples`" in reason


def test_an_unresolved_noise_scale_names_nothing(results: StudyResults) -> None:
    rng = np.random.default_rng(1)
    lengths = rng.normal(0, 1, len(results.curves))
    lost = replace(results, curves=results.curves.assign(gradient_squared_norm=lengths))
    for goal in (ACCURACY, TARGET_TIME):
        reason = said(lost, goal, NOISE_SCALE).reason
        assert "Unresolved" in reason


def test_without_times_only_accuracy_is_recommended(results: StudyResults) -> None:
    untimed = without_timing(results)
    assert of(untimed, ACCURACY).interval is not None
    assert asks_for(of(untimed, ACCURACY), "`bpsweep time`")
    for goal in (TARGET_TIME, TIMED_ACCURACY):
        advice = of(untimed, goal)
        assert (advice.agreement, advice.batch_size) == (SILENT, None)
        assert advice.answer(MEASUREMENT).reason == NO_TIMES


def test_a_study_that_has_not_run_recommends_nothing(results: StudyResults) -> None:
    for advice in numbers(nothing_run(results)).recommendations:
        assert (advice.agreement, advice.interval, advice.batch_size) == (SILENT, None, None)


def test_one_seed_names_a_best_but_no_range(results: StudyResults) -> None:
    one_seed = of_seeds(results, SEEDS[0], FRESH[0])
    for goal in (ACCURACY, TARGET_TIME):
        answer = said(one_seed, goal, MEASUREMENT)
        assert answer.interval is None
        assert answer.best is not None
        assert answer.reason == UNTESTED
        assert asks_for(of(one_seed, goal), "two or more seeds")


def test_the_seeds_that_chose_are_weak_judges(results: StudyResults) -> None:
    explored = keep(results, results.trials["stage"] == EXPLORE)
    answer = said(explored, ACCURACY, MEASUREMENT)
    assert "seeds that chose" in answer.weakness
    assert said(explored, TARGET_TIME, MEASUREMENT).weakness == ""


def test_few_seeds_and_a_busy_machine_are_weaknesses(results: StudyResults) -> None:
    few = of_seeds(results, *SEEDS, *FRESH[:4])
    few = replace(few, timing=few.timing.assign(cpu_seconds=0.5 * few.timing["wall_seconds"]))
    weakness = said(few, TARGET_TIME, MEASUREMENT).weakness
    assert "4 seeds" in weakness
    assert "not quiet" in weakness
    assert "not quiet" in said(few, TARGET_TIME, CLOSED_FORM).weakness
    for goal in (TARGET_TIME, TIMED_ACCURACY):
        assert asks_for(of(few, goal), "quiet machine (`bpsweep time`)")


def planted(gap: float, noise: float = 0.004) -> Analysis:
    """A study whose batch sizes lose accuracy with every quadrupling."""
    truth = Truth(
        accuracy=lambda _plan, size, rate: (
            0.9 - gap * math.log(size, 4) - 0.1 * abs(math.log10(rate))
        ),
        noise=noise,
        seconds=FAST,
    )
    return numbers(study(truth, {"batch_sizes": SIZES}))


def test_a_planted_best_is_recommended_alone() -> None:
    advice = planted(0.05).recommendations[0]
    assert advice.interval == Ends(1, 1)
    assert advice.batch_size == 1
    assert advice.more == ()


def test_how_many_seeds_would_separate_is_said() -> None:
    assert asks_for(planted(0.001, noise=0.01).recommendations[0], "to tell batch size")


def test_equal_batch_sizes_are_separated_by_no_number_of_seeds() -> None:
    advice = planted(1e-6, noise=0.01).recommendations[0]
    assert advice.interval == Ends(1, 256)


def test_within_a_time_the_best_is_measured_and_the_closed_form_is_of_a_reachable_target(
    results: StudyResults,
) -> None:
    advice = of(results, TIMED_ACCURACY)
    assert "validation accuracy within " in advice.sought
    assert advice.answer(MEASUREMENT).interval is not None
    assert advice.answer(CLOSED_FORM).best == pytest.approx(BEST, rel=0.15)
    assert advice.interval is not None
    assert advice.interval.low <= 64
    assert advice.interval.high >= 16


def test_a_gap_ends_a_range() -> None:
    assert run_around([1, 2, 4, 8], {1, 2, 8}, 2) == Ends(1, 2)
    assert run_around([1, 2, 4, 8], {8}, 8) == Ends(8, 8)
    assert run_around([1, 2, 4, 8, 16], {1, 4, 8}, 4) == Ends(4, 8)


@pytest.mark.parametrize(
    ("differences", "text"),
    [
        ([0.2, 1.1, 0.4, -0.6, 1.4], "about 17 more seeds to be sure"),
        ([1.001, -1.0], "more than 1,000 seeds to be sure"),
        ([1.0, 1.1], "about 1 more seed to be sure"),
    ],
)
def test_the_seeds_it_takes_are_counted_or_too_many(differences: list[float], text: str) -> None:
    apart = separate(pd.DataFrame({8: 0.0, 16: differences}), 8, 16, tail=0.025)
    assert apart is not None
    assert seeds_needed(apart, "to be sure") == text


def test_batch_sizes_that_miss_the_target_are_not_measured() -> None:
    def late(size: int, stage: str) -> float:
        return 1e3 if size == 256 else hyperbola(size, stage)

    truth = replace(HYPERBOLIC, noise=0.003, epochs_needed=late)
    advice = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    assert asks_for(advice, "larger budget for batch size 256")
    assert advice.interval is not None
    assert advice.interval.high <= 64


def test_a_target_nobody_reaches_is_said() -> None:
    def late(_size: int, stage: str) -> float:
        return 2.0 if stage == EXPLORE else 1e3

    truth = replace(HYPERBOLIC, epochs_needed=late)
    advice = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    answer = advice.answer(MEASUREMENT)
    assert (answer.interval, answer.best) == (None, None)
    assert "every seed" in answer.reason


def test_learning_rates_at_the_edge_are_asked_to_be_extended() -> None:
    truth = replace(
        HYPERBOLIC,
        accuracy=lambda _plan, size, rate: 0.9 if rate == (10 if size == 4 else 1) else 0.8,
    )
    advice = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    assert asks_for(advice, "learning rates beyond those tried at batch size 4")


def test_a_time_too_short_for_any_target_is_said() -> None:
    def slow(size: int, stage: str) -> float:
        return 10 * hyperbola(size, stage)

    truth = replace(HYPERBOLIC, noise=0.003, epochs_needed=slow)
    advice = of(study(truth, {"batch_sizes": SIZES}), TIMED_ACCURACY)
    answer = advice.answer(CLOSED_FORM)
    assert answer.interval is None
    assert "in that time" in answer.reason


@pytest.mark.parametrize(("noise", "asked"), [(0.03, True), (0.003, False)])
def test_seeds_are_asked_for_if_the_two_fastest_are_not_told_apart(
    noise: float, asked: bool
) -> None:
    # At either noise the second is within 5% of the fastest, so both are recommended.
    def close(size: int, stage: str) -> float:
        return (0.95 if size == 16 else 1) * hyperbola(size, stage)

    truth = replace(HYPERBOLIC, noise=noise, epochs_needed=close)
    advice = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    assert advice.answer(MEASUREMENT).interval == Ends(16, 64)
    assert asks_for(advice, "batch size 16 from 64") == asked
    assert asked or not advice.more
