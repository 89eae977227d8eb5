"""What the three sources say to the goals in time of studies whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reports.recommend.recommendation import CLOSED_FORM, MEASUREMENT, TARGET_TIME, TIMED_ACCURACY
from reports.schema.results import EXPLORE
from reports.stats.bounds import Ends
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, hyperbola
from tests.reports.claim_studies import study
from tests.reports.recommend.test_answers import of


def test_batch_sizes_that_miss_the_target_are_not_measured() -> None:
    def late(size: int, stage: str) -> float:
        return 1e3 if size == 256 else hyperbola(size, stage)

    truth = replace(HYPERBOLIC, noise=0.003, epochs_needed=late)
    one = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    assert "a lower target or a larger budget for batch size 256" in one.more
    assert one.interval is not None
    assert one.interval.high <= 64


def test_a_target_nobody_reaches_is_said() -> None:
    def late(_size: int, stage: str) -> float:
        return 2.0 if stage == EXPLORE else 1e3

    truth = replace(HYPERBOLIC, epochs_needed=late)
    one = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    reason = one.answer(MEASUREMENT).reason
    assert reason == "No batch size reaches the target with every seed."


def test_learning_rates_at_the_edge_are_asked_to_be_extended() -> None:
    truth = replace(
        HYPERBOLIC,
        accuracy=lambda _plan, size, rate: 0.9 if rate == (10 if size == 4 else 1) else 0.8,
    )
    one = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    assert "learning rates beyond those tried at batch size 4" in one.more


def test_a_time_too_short_for_any_target_is_said() -> None:
    def slow(size: int, stage: str) -> float:
        return 10 * hyperbola(size, stage)

    truth = replace(HYPERBOLIC, noise=0.003, epochs_needed=slow)
    one = of(study(truth, {"batch_sizes": SIZES}), TIMED_ACCURACY)
    assert one.answer(CLOSED_FORM).reason == (
        "By the closed form, no batch size reaches a target in that time."
    )


@pytest.mark.parametrize(("noise", "asked"), [(0.03, True), (0.003, False)])
def test_seeds_are_asked_for_if_the_two_fastest_are_not_told_apart(
    noise: float, asked: bool
) -> None:
    # At either noise the second is within 5% of the fastest, so both are recommended.
    def close(size: int, stage: str) -> float:
        return (0.95 if size == 16 else 1) * hyperbola(size, stage)

    truth = replace(HYPERBOLIC, noise=noise, epochs_needed=close)
    one = of(study(truth, {"batch_sizes": SIZES}), TARGET_TIME)
    assert one.answer(MEASUREMENT).interval == Ends(16, 64)
    told = [text.endswith("more seeds to tell batch size 16 from 64") for text in one.more]
    assert any(told) == asked
    assert asked or not one.more
