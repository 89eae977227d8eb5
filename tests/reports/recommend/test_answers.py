"""What the three sources say of studies whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.recommend.answers import run_around, seeds_needed
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
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, noisy
from tests.reports.claim_studies import FAST, FRESH, SEEDS, Truth, study
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
    return next(one for one in numbers(results).recommendations if one.goal == goal)


def said(results: StudyResults, goal: str, source: str) -> Answer:
    return of(results, goal).answer(source)


def test_every_goal_has_a_recommendation(results: StudyResults) -> None:
    goals = [one.goal for one in numbers(results).recommendations]
    assert goals == [ACCURACY, TARGET_TIME, TIMED_ACCURACY]


def test_the_three_agree_where_they_should(results: StudyResults) -> None:
    one = of(results, TARGET_TIME)
    assert one.agreement == AGREE
    assert one.batch_size in {16, 64}
    closed = one.answer(CLOSED_FORM)
    assert closed.best == pytest.approx(BEST, rel=0.1)
    # A noise scale of 50 / 2 is the critical batch size.
    noise = one.answer(NOISE_SCALE)
    assert noise.best == pytest.approx(BEST, rel=0.05)


def test_accuracy_is_recommended_around_the_fastest_of_the_tied(results: StudyResults) -> None:
    analysis, one = numbers(results), of(results, ACCURACY)
    assert analysis.comparison is not None
    assert one.batch_size == analysis.recommended
    tied = [*analysis.comparison.tied]
    assert tied == [*SIZES]
    assert one.interval == Ends(1, 256)
    assert one.sought == "the highest test accuracy for 4 epochs"
    assert "a batch size beyond 256" in one.more


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
    assert said(none, ACCURACY, CLOSED_FORM).reason == (
        "By the fit, no batch size reaches the target."
    )


def test_other_budgets_than_epochs_limit_nothing(results: StudyResults) -> None:
    (plan,) = results.description.groups
    other = replace(plan, epochs=None, budget="100 updates")
    changed = replace(results, description=replace(results.description, groups=(other,)))
    reason = said(changed, ACCURACY, CLOSED_FORM).reason
    assert reason == "The budget is not one of examples."


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
        assert reason == "Gradients were not measured (`noise_examples`)."


def test_an_unresolved_noise_scale_names_nothing(results: StudyResults) -> None:
    rng = np.random.default_rng(1)
    lengths = rng.normal(0, 1, len(results.curves))
    lost = replace(results, curves=results.curves.assign(gradient_squared_norm=lengths))
    for goal in (ACCURACY, TARGET_TIME):
        reason = said(lost, goal, NOISE_SCALE).reason
        assert reason.startswith("Unresolved at every batch size: at least ")


def test_without_times_only_accuracy_is_recommended(results: StudyResults) -> None:
    untimed = without_timing(results)
    assert of(untimed, ACCURACY).interval is not None
    assert "the timing pass (`bpsweep time`)" in of(untimed, ACCURACY).more
    for goal in (TARGET_TIME, TIMED_ACCURACY):
        one = of(untimed, goal)
        assert (one.agreement, one.batch_size) == (SILENT, None)
        assert one.answer(MEASUREMENT).reason == "The timing pass has not run."


def test_a_study_that_has_not_run_recommends_nothing(results: StudyResults) -> None:
    for one in numbers(nothing_run(results)).recommendations:
        assert (one.agreement, one.interval, one.batch_size) == (SILENT, None, None)


def test_one_seed_names_a_best_but_no_range(results: StudyResults) -> None:
    one_seed = of_seeds(results, SEEDS[0], FRESH[0])
    for goal in (ACCURACY, TARGET_TIME):
        answer = said(one_seed, goal, MEASUREMENT)
        assert answer.interval is None
        assert answer.best is not None
        assert answer.reason == "With one seed, or one batch size, nothing can be told apart."
        assert "results of two or more seeds" in of(one_seed, goal).more


def test_the_seeds_that_chose_are_weak_judges(results: StudyResults) -> None:
    explored = keep(results, results.trials["stage"] == EXPLORE)
    answer = said(explored, ACCURACY, MEASUREMENT)
    assert answer.weakness == "the seeds that chose the rates also judge them"
    assert said(explored, TARGET_TIME, MEASUREMENT).weakness == ""


def test_few_seeds_and_a_busy_machine_are_weaknesses(results: StudyResults) -> None:
    few = of_seeds(results, *SEEDS, *FRESH[:4])
    few = replace(few, timing=few.timing.assign(cpu_seconds=0.5 * few.timing["wall_seconds"]))
    weakness = said(few, TARGET_TIME, MEASUREMENT).weakness
    assert weakness == (
        "there are only 4 seeds and the machine was not quiet when updates were timed"
    )
    assert "not quiet" in said(few, TARGET_TIME, CLOSED_FORM).weakness
    for goal in (TARGET_TIME, TIMED_ACCURACY):
        assert "timing on a quiet machine (`bpsweep time`)" in of(few, goal).more


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
    one = planted(0.05).recommendations[0]
    assert one.interval == Ends(1, 1)
    assert one.batch_size == 1
    assert one.more == ()


def test_how_many_seeds_would_separate_is_said() -> None:
    texts = " ".join(planted(0.001, noise=0.01).recommendations[0].more)
    assert "seed" in texts
    assert "to tell batch size" in texts


def test_equal_batch_sizes_are_separated_by_no_number_of_seeds() -> None:
    one = planted(1e-6, noise=0.01).recommendations[0]
    assert one.interval == Ends(1, 256)


def test_within_a_time_the_best_is_measured_and_the_closed_form_is_of_a_reachable_target(
    results: StudyResults,
) -> None:
    one = of(results, TIMED_ACCURACY)
    assert one.sought.startswith("the highest validation accuracy within ")
    assert one.answer(MEASUREMENT).interval is not None
    assert one.answer(CLOSED_FORM).best == pytest.approx(BEST, rel=0.15)
    assert one.interval is not None
    assert one.interval.low <= 64
    assert one.interval.high >= 16


def test_a_gap_ends_a_range() -> None:
    assert run_around([1, 2, 4, 8], {1, 2, 8}, 2) == Ends(1, 2)
    assert run_around([1, 2, 4, 8], {8}, 8) == Ends(8, 8)


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
