"""The cost of an update: what is fixed, what each example adds, and when the data can't show it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.stats.models.update_cost import fit_update_time

SIZES = 2.0 ** np.arange(11)


def test_an_exact_line_is_found_with_its_doubling_batch_size() -> None:
    fit = fit_update_time(SIZES, 20e-6 + 0.5e-6 * SIZES)
    assert fit.fixed_seconds == pytest.approx(20e-6, rel=1e-4)
    assert fit.seconds_per_example == pytest.approx(0.5e-6, rel=1e-4)
    assert fit.doubling_batch_size == pytest.approx(40, rel=1e-4)
    assert fit.batch_sizes == tuple(SIZES)
    assert (fit.reason, fit.poor_fit) == ("", False)


def test_rounds_of_a_batch_size_count_as_their_median() -> None:
    sizes = np.repeat(SIZES, 3)
    seconds = 20e-6 + 0.5e-6 * sizes
    disturbed = seconds * np.tile([1.0, 1.0, 9.0], SIZES.size)
    assert fit_update_time(sizes, disturbed) == fit_update_time(SIZES, 20e-6 + 0.5e-6 * SIZES)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng, covered = np.random.default_rng(0), []
    for _ in range(60):
        seconds = (20e-6 + 0.5e-6 * SIZES) * np.exp(rng.normal(0, 0.05, SIZES.size))
        ends = fit_update_time(SIZES, seconds).doubling_batch_size_interval
        assert ends is not None
        covered.append(ends.low <= 40 <= ends.high)
    # 57 are expected; 51 or fewer have a probability of 1%.
    assert sum(covered) > 51


@pytest.mark.parametrize(
    ("power", "shown", "missing", "open_end", "reason"),
    [
        (1, "seconds_per_example", "fixed_seconds", 0, "no fixed cost"),
        (0, "fixed_seconds", "seconds_per_example", math.inf, "no cost of an example"),
    ],
    ids=["in proportion", "constant"],
)
def test_times_that_show_one_cost_have_no_other(
    power: int, shown: str, missing: str, open_end: float, reason: str
) -> None:
    errors = np.exp(np.random.default_rng(1).normal(0, 0.05, SIZES.size))
    fit = fit_update_time(SIZES, 1e-6 * SIZES**power * errors)
    assert (getattr(fit, missing), fit.doubling_batch_size) == (None, None)
    assert getattr(fit, shown) == pytest.approx(1e-6, rel=0.1)
    assert fit.doubling_batch_size_interval is not None
    assert open_end in fit.doubling_batch_size_interval
    assert reason in fit.reason


def test_a_bent_line_is_called_a_poor_fit() -> None:
    fit = fit_update_time(SIZES, 1e-6 * SIZES**0.5)
    assert fit.poor_fit
    assert fit.max_log_residual is not None
    assert fit.max_log_residual > 0.1


def test_two_batch_sizes_are_too_few() -> None:
    fit = fit_update_time([8, 8, 16], [1e-6, 1e-6, 2e-6])
    assert fit.reason == "Fewer than three batch sizes are timed: 2."
    assert (fit.fixed_seconds, fit.doubling_batch_size, fit.curve) == (None, None, None)


@pytest.mark.parametrize(
    ("sizes", "seconds", "message"),
    [
        ([1, 2, 0], [1, 1, 1], "`batch_sizes` .* above 0, but holds 0.0"),
        ([1, 2, 3], [1, 1, math.nan], "`seconds` .* above 0, but holds nan"),
        ([1, 2, 3], [1, 1], "`batch_sizes` and `seconds` .* 3 and 2 values"),
    ],
)
def test_impossible_values_are_refused(
    sizes: list[float], seconds: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_update_time(sizes, seconds)
