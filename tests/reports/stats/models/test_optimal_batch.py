"""The best batch size for wall time is where the fitted curves say, and none where they don't."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

from reports.stats.models.optimal_batch import best_batch_for_time
from reports.stats.models.steps_to_target import fit_steps_to_target
from reports.stats.models.update_cost import UpdateTimeFit, fit_update_time
from tests.reports.stats.models.test_steps_to_target import SIZES, updates_at


def line(fixed: float = 20e-6, each: float = 0.5e-6, sizes: np.ndarray = SIZES) -> UpdateTimeFit:
    return fit_update_time(sizes, fixed + each * sizes)


def test_the_best_batch_size_is_where_the_time_is_shortest() -> None:
    best = best_batch_for_time(fit_steps_to_target(SIZES, updates_at(SIZES)), line())

    def seconds(log_size: float) -> float:
        size = math.exp(log_size)
        return float(50 * (1 + 100 / size) * (20e-6 + 0.5e-6 * size))

    oracle = optimize.minimize_scalar(seconds, bounds=(0, 8), method="bounded")
    assert best.batch_size == pytest.approx(math.exp(oracle.x), rel=1e-3)
    assert best.batch_size == pytest.approx(math.sqrt(100 * 20 / 0.5), rel=1e-3)
    closed = 50 * (math.sqrt(20e-6) + math.sqrt(0.5e-6 * 100)) ** 2
    assert best.seconds == pytest.approx(closed, rel=1e-5)
    assert best.seconds == pytest.approx(oracle.fun, rel=1e-5)
    assert best.batch_size not in best.measured
    assert best.near is not None
    ends = [seconds(math.log(end)) for end in best.near]
    assert ends == pytest.approx([1.05 * oracle.fun] * 2, rel=0.01)


def test_the_interval_holds_both_errors() -> None:
    sizes = SIZES[::2]  # few enough for a hyperbola, whose best goes by the root of B_crit
    rng = np.random.default_rng(3)
    fit = fit_steps_to_target(sizes, updates_at(sizes) * np.exp(rng.normal(0, 0.02, sizes.size)))
    times = 20e-6 + 0.5e-6 * sizes
    rough = fit_update_time(sizes, times * np.exp(rng.normal(0, 0.02, sizes.size)))
    widths = []
    for timing in (line(sizes=sizes), rough):
        interval = best_batch_for_time(fit, timing).interval
        assert interval is not None
        assert interval.low < math.sqrt(100 * 40) < interval.high
        widths.append(math.log(interval.high / interval.low))
    critical, half = fit.critical_batch_size_interval, rough.doubling_batch_size_interval
    assert critical is not None
    assert half is not None
    alone = [math.log(bounds.high / bounds.low) for bounds in (critical, half)]
    assert widths[0] == pytest.approx(alone[0] / 2, rel=0.1)
    # Lower and upper parts add in quadrature one by one, so the sum is a little more.
    assert widths[1] == pytest.approx(math.hypot(*alone) / 2, rel=0.1)


@pytest.mark.parametrize(
    ("critical", "fixed", "edge"), [(2_000, 2e-3, SIZES[-1]), (5, 0.5e-7, SIZES[0])]
)
def test_outside_the_measured_range_its_nearer_end_is_best(
    critical: float, fixed: float, edge: float
) -> None:
    fit = fit_steps_to_target(SIZES, updates_at(SIZES, critical))
    best = best_batch_for_time(fit, line(fixed))
    assert best.batch_size == edge in best.measured
    assert best.near is not None
    assert edge in best.near
    assert best.interval == (edge, edge)
    expected = 50 * (1 + critical / edge) * (fixed + 0.5e-6 * edge)
    assert best.seconds == pytest.approx(expected, rel=1e-4)


def test_without_a_plateau_the_largest_batch_is_best() -> None:
    best = best_batch_for_time(fit_steps_to_target(SIZES, 1e5 / SIZES), line())
    assert best.batch_size == SIZES[-1] in best.measured
    assert best.interval == (SIZES[-1], SIZES[-1])


def test_open_ends_of_either_factor_stay_open() -> None:
    errors = np.exp(np.random.default_rng(2).normal(0, 0.03, SIZES.size))
    level = fit_steps_to_target(SIZES, 50 * errors)
    best = best_batch_for_time(level, line())
    assert best.interval is not None
    assert best.interval.low == SIZES[0]


def test_only_what_was_measured_twice_is_in_range() -> None:
    fit = fit_steps_to_target(SIZES, updates_at(SIZES))
    best = best_batch_for_time(fit, line(sizes=SIZES[:4] / 2))
    assert best.measured == (SIZES[0], SIZES[3] / 2)
    apart = best_batch_for_time(fit, line(sizes=SIZES[:4] / 64))
    assert "in range" in apart.reason
    assert (apart.batch_size, apart.measured) == (None, None)


@pytest.mark.parametrize(
    ("sizes", "timing", "reason"),
    [
        (SIZES, fit_update_time([8], [1e-6]), "three batch sizes are timed: 1"),
        (SIZES[:0], line(), "There are no runs."),
    ],
    ids=["no timings", "no fit"],
)
def test_without_either_fit_there_is_no_best(
    sizes: np.ndarray, timing: UpdateTimeFit, reason: str
) -> None:
    best = best_batch_for_time(fit_steps_to_target(sizes, updates_at(sizes)), timing)
    assert reason in best.reason
    assert best.batch_size is None
