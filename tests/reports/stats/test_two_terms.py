"""Curves are the most likely ones, and their intervals hold what is nearly as likely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from reports.stats import _likelihood as likelihood
from reports.stats._likelihood import LEAST_NOISE, Observations
from reports.stats._two_terms import (
    Curve,
    Intervals,
    bootstrap_intervals,
    fit_curves,
    likelihood_intervals,
    max_log_residual,
)

SIZES = 2.0 ** np.arange(2, 11)


def fit_curve(data: Observations, *, free_power: bool = False) -> Curve:
    return fit_curves([data], free_power=free_power)[0]


def intervals(data: Observations, confidence: float = 0.95) -> Intervals:
    return likelihood_intervals([data], confidence)[0]


def points(
    y: np.ndarray, z: np.ndarray, most: float = math.inf, spread: float = 0.0
) -> Observations:
    """Return points of which those above `most` are known to be above it only."""
    return Observations(z, np.minimum(y, most), y > most, np.full(y.size, spread))


def noisy(seed: int, noise: float = 0.1, repeats: int = 1) -> tuple[np.ndarray, np.ndarray]:
    z = np.tile(1 / SIZES, repeats)
    errors = np.random.default_rng(seed).normal(0, noise, z.size)
    return (100 + 5_000 * z) * np.exp(errors), z


def negative_log_likelihood(logs: np.ndarray, data: Observations) -> float:
    """Return it from the definition, by scipy's normal distribution."""
    a, b, sigma = np.exp(logs)
    expected = np.log(a + b * data.z)
    sd = np.sqrt(sigma**2 + data.spread**2)
    exact = stats.norm.logpdf(np.log(data.y), expected, sd)
    bound = stats.norm.logsf(np.log(data.y), expected, sd)
    return -float(np.where(data.censored, bound, exact).sum())


@pytest.mark.parametrize("seed", range(3))
def test_without_bounds_the_curve_is_that_of_least_squares_of_logarithms(seed: int) -> None:
    y, z = noisy(seed)
    curve = fit_curve(points(y, z))
    oracle = optimize.least_squares(
        lambda logs: np.log(y) - np.logaddexp(logs[0], logs[1] + np.log(z)), [1.0, 1.0]
    )
    assert (curve.intercept, curve.slope) == pytest.approx(np.exp(oracle.x), rel=1e-5)
    assert curve.noise == pytest.approx(np.sqrt(np.mean(oracle.fun**2)), rel=1e-5)


@pytest.mark.parametrize(("most", "spread"), [(900, 0.0), (math.inf, 0.1), (600, 0.05)])
def test_with_bounds_and_spreads_the_curve_is_the_most_likely_one(
    most: float, spread: float
) -> None:
    y, z = noisy(4, noise=0.2, repeats=3)
    data = points(y, z, most, spread)
    oracle = optimize.minimize(
        negative_log_likelihood,
        np.log([90.0, 4_000.0, 0.3]),
        data,
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 5_000},
    )
    curve = fit_curve(data)
    assert (curve.intercept, curve.slope, curve.noise) == pytest.approx(np.exp(oracle.x), rel=1e-4)


def test_lower_bounds_remove_the_bias_of_leaving_runs_out() -> None:
    y, z = noisy(5, noise=0.3, repeats=200)
    data = points(y, z, most=800)
    kept = ~data.censored
    left_out = fit_curve(points(y[kept], z[kept]))
    assert fit_curve(data).slope == pytest.approx(5_000, rel=0.05)
    assert left_out.slope < 4_700


def test_an_uncertain_point_counts_less() -> None:
    y, z = 100 + 5_000 / SIZES, 1 / SIZES
    y[0] *= 2
    spread = np.where(SIZES[0] == SIZES, 1.0, 0.0)
    curve = fit_curve(Observations(z, y, y < 0, spread))
    assert curve.slope == pytest.approx(5_000, rel=1e-3)
    assert fit_curve(points(y, z)).slope > 6_000


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_the_power_is_found(power: float) -> None:
    z = 1 / SIZES
    y = (100**power + (5_000 * z) ** power) ** (1 / power)
    curve = fit_curve(points(y, z), free_power=True)
    assert (curve.power, curve.intercept) == pytest.approx((power, 100), rel=1e-3)
    np.testing.assert_allclose(curve.at(z), y, rtol=1e-4)


def test_every_step_of_the_search_is_an_improvement(monkeypatch: pytest.MonkeyPatch) -> None:
    data, costs = points(*noisy(4, noise=0.3)), []
    for steps in range(8):
        monkeypatch.setattr(likelihood, "ITERATIONS", steps)
        curve = fit_curve(data)
        logs = np.log([curve.intercept, curve.slope, curve.noise])
        costs.append(negative_log_likelihood(logs, data))
    assert costs == sorted(costs, reverse=True)
    assert costs[7] < costs[0] - 10


def test_perfect_data_have_the_least_noise() -> None:
    z = 1 / SIZES
    assert fit_curve(points(100 + 5_000 * z, z)).noise == pytest.approx(LEAST_NOISE)


def test_the_residual_is_that_of_the_mean_of_a_place() -> None:
    z = np.array([1.0, 1.0, 2.0, 2.0])
    y = np.exp([0.3, -0.1, 0.0, 0.05])
    curve = Curve(intercept=1.0, slope=1e-12, power=1.0, noise=0.1)
    assert max_log_residual(points(y, z), curve) == pytest.approx(0.1)


@pytest.mark.parametrize(("bound", "residual"), [(2.0, math.log(2)), (0.5, 0.0)])
def test_a_lower_bound_disagrees_with_a_curve_below_it_only(bound: float, residual: float) -> None:
    data = Observations(
        np.array([1.0, 2.0]), np.array([bound, 1.0]), np.array([True, False]), np.zeros(2)
    )
    curve = Curve(intercept=1.0, slope=1e-12, power=1.0, noise=0.1)
    assert max_log_residual(data, curve) == pytest.approx(residual, abs=1e-9)


def least_squares_at(y: np.ndarray, z: np.ndarray, name: str, value: float) -> float:
    """Return the smallest sum of squares with one quantity held at a value."""

    def squares(log_free: float) -> float:
        free = math.exp(log_free)
        a, b = {
            "intercept": (value, free),
            "slope": (free, value),
            "ratio": (free, value * free),
        }[name]
        return float(np.square(np.log(y) - np.log(a + b * z)).sum())

    return float(optimize.minimize_scalar(squares, bounds=(-5, 15), method="bounded").fun)


@pytest.mark.parametrize("name", ["intercept", "slope", "ratio"])
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_an_interval_ends_where_the_f_test_does(name: str, confidence: float) -> None:
    y, z = noisy(6)
    curve = fit_curve(points(y, z))
    ends = getattr(intervals(points(y, z), confidence), name)
    least = float(np.square(np.log(y) - np.log(curve.at(z))).sum())
    critical = stats.f.ppf(confidence, 1, y.size - 2)
    for end in ends:
        excess = least_squares_at(y, z, name, end) / least - 1
        assert excess * (y.size - 2) == pytest.approx(critical, rel=1e-3)


def test_without_a_plateau_the_ratio_has_no_upper_end() -> None:
    y, z = noisy(7)
    ends = intervals(points(y / (100 + 5_000 * z) * 5_000 * z, z))
    assert ends.intercept.low == 0
    assert ends.ratio.high == math.inf
    assert ends.slope.low > 0
    assert ends.ratio.low > 0


def test_without_a_slope_the_ratio_has_no_lower_end() -> None:
    errors = np.random.default_rng(8).normal(0, 0.1, SIZES.size)
    ends = intervals(points(100 * np.exp(errors), 1 / SIZES))
    assert (ends.slope.low, ends.ratio.low) == (0, 0)
    assert ends.intercept.low < 100 < ends.intercept.high


def test_three_points_leave_ends_open_rather_than_guess() -> None:
    z = np.array([1.0, 0.1, 0.01])
    ends = intervals(points((1 + z) * np.array([1.1, 0.9, 1.1]), z))
    assert (ends.slope.low, ends.ratio.low) == (0, 0)
    assert ends.intercept.high > 20 * ends.intercept.low


def grouped(noise: float, seeds: int = 6) -> tuple[Observations, np.ndarray]:
    y, z = noisy(9, noise, repeats=seeds)
    return points(y, z), np.repeat(np.arange(seeds), SIZES.size)


def test_the_bootstrap_is_that_of_resampled_seeds_fitted_one_by_one() -> None:
    data, seeds = grouped(0.1, seeds=5)
    bootstrap = bootstrap_intervals(data, seeds, 0.95, np.random.default_rng(0))
    rng, slopes = np.random.default_rng(1), []
    for _ in range(600):
        drawn = np.concatenate([np.flatnonzero(seeds == s) for s in rng.integers(0, 5, 5)])
        slopes.append(fit_curve(points(data.y[drawn], data.z[drawn])).slope)
    share = stats.norm.cdf(math.sqrt(5 / 4) * stats.t.ppf(0.025, 4))
    assert bootstrap.slope == pytest.approx(np.quantile(slopes, [share, 1 - share]), rel=0.05)


def test_the_bootstrap_repeats_with_its_generator_and_shrinks_with_the_noise() -> None:
    data, seeds = grouped(0.1)
    first, again = (
        bootstrap_intervals(data, seeds, 0.95, np.random.default_rng(0)) for _ in range(2)
    )
    assert first == again
    quiet, _ = grouped(0.01)
    narrow = bootstrap_intervals(quiet, seeds, 0.95, np.random.default_rng(0))
    width = math.log(first.ratio.high / first.ratio.low)
    assert math.log(narrow.ratio.high / narrow.ratio.low) == pytest.approx(width / 10, rel=0.1)


def test_the_bootstrap_leaves_ends_open_too() -> None:
    data, seeds = grouped(0.3)
    errors = data.y / (100 + 5_000 * data.z)
    falling = points(5_000 * data.z * errors, data.z)
    ends = bootstrap_intervals(falling, seeds, 0.95, np.random.default_rng(0))
    assert (ends.intercept.low, ends.ratio.high) == (0, math.inf)
    level = points(100 * errors, data.z)
    ends = bootstrap_intervals(level, seeds, 0.95, np.random.default_rng(0))
    assert (ends.slope.low, ends.ratio.low) == (0, 0)
