"""Sentences about training to a target follow from its numbers, and name what is missing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from reports.stats.bounds import Ends
from reports.stats.models.steps_to_target import NOT_IN_RANGE
from reports.text.reaching_target import (
    cost_caption,
    level,
    no_plateau,
    not_reached,
    poor_fit,
    range_text,
    scaling_sentence,
    unsaid,
)
from tests.helpers.claim_studies import study
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, main, noisy
from tests.reports.conftest import nothing_run, numbers, without_timing


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B."""
    return study(HYPERBOLIC, {"batch_sizes": SIZES})


@pytest.fixture(scope="module")
def analysis(results: StudyResults) -> Analysis:
    """Its only group's numbers."""
    return numbers(results)


def changed(analysis: Analysis, **fit: Any) -> Analysis:
    """Return the numbers with another fit of the main target."""
    record = main(analysis.scaling)
    other = replace(record, fit=replace(record.fit, **fit))
    return replace(analysis, scaling=replace(analysis.scaling, targets=(other,)))


def test_the_target_has_its_rule(analysis: Analysis) -> None:
    text = level(analysis, main(analysis.scaling))
    record = main(analysis.scaling)
    assert analysis.target_measure.text(record.target.level) in text
    assert f"{record.target.share:.0%} of the way" in text


def test_the_critical_batch_size_has_its_interval(analysis: Analysis) -> None:
    known = changed(
        analysis, critical_batch_size=24.0, critical_batch_size_interval=Ends(20, math.inf)
    )
    text = scaling_sentence(known)
    for part in ("about 24", "critical batch size, 95% CI at least 20"):
        assert part in text


def test_without_a_critical_batch_size_there_is_a_reason(analysis: Analysis) -> None:
    unknown = changed(analysis, critical_batch_size=None, reason="There are no runs.")
    assert scaling_sentence(unknown).endswith("there are no runs.")


def test_a_study_that_has_not_begun_says_why(results: StudyResults) -> None:
    empty = numbers(nothing_run(results))
    assert scaling_sentence(empty) == ""
    assert unsaid(empty) == [empty.scaling.reason]


def test_what_is_missing_is_stated(results: StudyResults, analysis: Analysis) -> None:
    (noise,) = unsaid(analysis)
    assert "`noise_examples`" in noise
    untimed = numbers(without_timing(noisy(results, 1.0)))
    reasons = [text.removesuffix(untimed.scaling.update_time.reason) for text in unsaid(untimed)]
    assert [len(reasons), *("many workers" in reason for reason in reasons)] == [2, False, True]


def test_noise_that_nothing_resolves_is_stated(results: StudyResults) -> None:
    (text,) = unsaid(numbers(noisy(results, -1.0)))
    assert "don't resolve the gradient noise scale" in text


def test_a_good_fit_in_range_that_all_reach_has_no_caution(analysis: Analysis) -> None:
    record = main(changed(analysis, poor_fit=False).scaling)
    assert (poor_fit(record.fit, ""), no_plateau(record.fit), not_reached(record)) == ("", "", "")


def test_a_poor_fit_is_a_rough_estimate(analysis: Analysis) -> None:
    poor = changed(analysis, poor_fit=True, max_log_residual=0.2)
    text = poor_fit(main(poor.scaling).fit, "The curve")
    assert "22%" in text
    assert "rough estimate" in scaling_sentence(poor)


@pytest.mark.parametrize(
    ("low", "where"),
    [
        (2_000.0, "lies beyond it"),
        (90.0, "at least 90 (95% CI)"),
        (0.0, "may lie beyond it"),
    ],
)
def test_a_curve_that_still_falls_is_named(analysis: Analysis, low: float, where: str) -> None:
    falling = changed(
        analysis,
        plateau=NOT_IN_RANGE,
        reason="Updates still fall at batch size 512.",
        critical_batch_size_interval=Ends(low, math.inf),
    )
    text = no_plateau(main(falling.scaling).fit)
    assert text.startswith("Updates still fall at batch size 512.")
    assert where in text


def test_runs_that_missed_the_target_are_counted(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(reached=record.batch_sizes["runs"] - [2, 0, 0, 0, 0])
    assert "2 of 8 at batch size 1." in not_reached(replace(record, batch_sizes=table))


def test_a_poor_fit_of_seconds_is_a_rough_estimate(analysis: Analysis) -> None:
    poor = replace(analysis.scaling.update_time, poor_fit=True, max_log_residual=0.3)
    assert poor_fit(poor, "The line") == "The line misses one batch size by 35%."


def test_the_caption_of_costs_has_both_and_where_they_are_equal(analysis: Analysis) -> None:
    fit = analysis.scaling.update_time
    text = cost_caption(fit).replace("\N{NO-BREAK SPACE}", " ")
    assert "alpha 40 µs, beta 1.0 µs, twice the fixed cost at alpha/beta" in text
    flat = replace(fit, seconds_per_example=None, reason="Times don't grow.")
    assert cost_caption(flat).endswith("Times don't grow.")
    assert cost_caption(replace(fit, curve=None)) == ""


def test_ends_of_an_interval_may_be_open() -> None:
    assert [range_text(*ends, "{:g}".format) for ends in ((1, 2), (0, 2), (1, math.inf))] == [
        "1 to 2",
        "at most 2",
        "at least 1",
    ]
