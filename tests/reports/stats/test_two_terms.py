"""Curves are those of least squares, and their intervals hold what fits nearly as well."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from reports.stats._two_terms import Curve, Points, TwoTerms, fit_two_terms, means_of, shapes_at

SIZES = 2.0 ** np.arange(2, 11)
Z = 1 / SIZES


def curve_at(z: np.ndarray, power: float = 1.0) -> np.ndarray:
    return (100**power + (5_000 * z) ** power) ** (1 / power)


def fitted(z: np.ndarray, y: np.ndarray, confidence: float = 0.95, bend: bool = False) -> TwoTerms:
    return fit_two_terms(means_of(z, y), confidence, bend=bend)


def noisy(seed: int, noise: float = 0.1) -> np.ndarray:
    return curve_at(Z) * np.exp(np.random.default_rng(seed).normal(0, noise, Z.size))


@pytest.mark.parametrize("power", [0.5, 0.7, 1.0, 1.4, 2.5])
def test_exact_curves_are_found_with_their_bend(power: float) -> None:
    curve = fitted(Z, curve_at(Z, power), bend=True).curve
    assert (curve.intercept, curve.slope) == pytest.approx((100, 5_000), rel=1e-3)
    assert curve.power == pytest.approx(power, rel=1e-3)
    np.testing.assert_allclose(curve.at(Z), curve_at(Z, power), rtol=1e-4)


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_the_ratio_is_where_y_is_twice_the_intercept(power: float) -> None:
    curve = Curve(intercept=100.0, slope=5_000.0, power=power)
    assert curve.at(1 / curve.ratio) == pytest.approx(200)


def test_below_six_points_the_bend_is_that_of_a_hyperbola() -> None:
    assert fitted(Z[:5], curve_at(Z[:5], 2.0), bend=True).curve.power == 1
    assert fitted(Z[:6], curve_at(Z[:6], 2.0), bend=True).curve.power == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_that_of_least_squares_of_logarithms(seed: int) -> None:
    y = noisy(seed)
    fit = fitted(Z, y)
    oracle = optimize.least_squares(
        lambda logs: np.log(y) - np.logaddexp(logs[0], logs[1] + np.log(Z)), [1.0, 1.0]
    )
    assert (fit.curve.intercept, fit.curve.slope) == pytest.approx(np.exp(oracle.x), rel=1e-4)
    assert fit.noise == pytest.approx(math.sqrt(2 * oracle.cost / (Z.size - 2)), rel=1e-5)
    assert fit.largest_residual == pytest.approx(np.abs(oracle.fun).max(), rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_with_a_bend_the_curve_is_that_of_least_squares_too(seed: int) -> None:
    y = noisy(seed)

    def residuals(logs: np.ndarray) -> np.ndarray:
        power = math.exp(logs[2])
        return np.log(y) - np.logaddexp(power * logs[0], power * (logs[1] + np.log(Z))) / power

    oracle = optimize.least_squares(residuals, [5.0, 8.0, 0.0])
    fit = fitted(Z, y, bend=True)
    squares = np.square(np.log(y) - np.log(fit.curve.at(Z))).sum()
    assert squares == pytest.approx(2 * oracle.cost, rel=0.01)


def least_squares_at(y: np.ndarray, name: str, value: float) -> float:
    """Return the smallest sum of squares with one quantity held at a value."""

    def squares(log_free: float) -> float:
        free = math.exp(log_free)
        a, b = {"intercept": (value, free), "slope": (free, value), "ratio": (free, value * free)}[
            name
        ]
        return float(np.square(np.log(y) - np.log(a + b * Z)).sum())

    return float(optimize.minimize_scalar(squares, bounds=(-5, 15), method="bounded").fun)


@pytest.mark.parametrize("name", ["intercept", "slope", "ratio"])
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_an_interval_ends_where_the_f_test_does(name: str, confidence: float) -> None:
    y = noisy(6)
    fit = fitted(Z, y, confidence)
    least = float(np.square(np.log(y) - np.log(fit.curve.at(Z))).sum())
    critical = stats.f.ppf(confidence, 1, Z.size - 2)
    for bound in getattr(fit, name):
        excess = least_squares_at(y, name, bound) / least - 1
        assert excess * (Z.size - 2) == pytest.approx(critical, rel=0.02)


def test_without_a_plateau_the_ratio_has_no_upper_bound() -> None:
    fit = fitted(Z, noisy(7) / curve_at(Z) * 5_000 * Z)
    assert (fit.intercept.low, fit.ratio.high) == (0, math.inf)
    assert min(fit.slope.low, fit.ratio.low) > 0


def test_without_a_slope_the_ratio_has_no_lower_bound() -> None:
    fit = fitted(Z, noisy(8) / curve_at(Z) * 100)
    assert (fit.slope.low, fit.ratio.low) == (0, 0)
    assert fit.intercept.low < 100 < fit.intercept.high


def test_three_points_leave_bounds_open_rather_than_guess() -> None:
    z = np.array([0.01, 0.1, 1.0])
    fit = fitted(z, (1 + z) * np.array([1.1, 0.9, 1.1]))
    assert (fit.slope.low, fit.ratio.low) == (0, 0)
    assert fit.intercept.high > 20 * fit.intercept.low


def test_runs_of_one_point_count_as_their_geometric_mean() -> None:
    z, y = np.array([2.0, 1.0, 1.0, 2.0]), np.array([9.0, 1.0, 4.0, 1.0])
    points = means_of(z, y)
    np.testing.assert_allclose(np.exp(points.log_y), [2.0, 3.0])
    # Squares about the means over 2 degrees of freedom; each mean is of two runs.
    squares = 2 * math.log(2) ** 2 + 2 * math.log(3) ** 2
    assert points.error == pytest.approx(math.sqrt(squares / 2 / 2))
    assert (points.degrees, points.known) == (2, 2)
    assert means_of(z[:2], y[:2]).error is None


def test_a_point_with_a_bound_is_a_bound_and_shows_nothing_of_scatter() -> None:
    points = means_of(
        np.array([1.0, 1.0, 2.0, 2.0]),
        np.array([1.0, 9.0, 4.0, 4.0]),
        np.array([True, False, False, False]),
    )
    assert points.bounded.tolist() == [True, False]
    assert (points.known, points.degrees, points.error) == (1, 1, 0)


def with_bound(value: float) -> TwoTerms:
    """An exact hyperbola, with a bound at the smallest batch size."""
    y = curve_at(Z)
    return fit_two_terms(
        means_of(Z, np.append(value, y[1:]), np.arange(Z.size) == 0), 0.95, bend=False
    )


def test_a_bound_that_the_curve_respects_changes_nothing() -> None:
    fit, without = with_bound(800.0), fitted(Z[1:], curve_at(Z[1:]))
    assert fit.curve.slope == pytest.approx(without.curve.slope, rel=1e-4)
    assert fit.largest_residual == pytest.approx(0, abs=1e-4)


def test_a_bound_above_the_curve_pulls_it_up() -> None:
    fit = with_bound(4_000.0)
    assert fit.curve.slope > 5_500
    assert fit.poor_fit


def repeated(bend: float, seeds: int = 5, noise: float = 0.05) -> Points:
    """Runs about a curve which is off by a factor at one point."""
    z = np.tile(Z, seeds)
    errors = np.random.default_rng(3).normal(0, noise, z.size)
    return means_of(z, curve_at(z) * np.exp(errors) * np.where(z == Z[4], bend, 1))


@pytest.mark.parametrize(
    ("bend", "noise", "lacks", "poor"),
    [(1.0, 0.05, False, False), (1.4, 0.05, True, True), (1.05, 0.002, True, False)],
    ids=["scatter", "a point is missed", "by little"],
)
def test_a_curve_that_misses_a_point_by_more_than_runs_scatter_lacks_fit(
    bend: float, noise: float, *, lacks: bool, poor: bool
) -> None:
    fit = fit_two_terms(repeated(bend, noise=noise), 0.95)
    assert fit.lack_of_fit is not None
    assert (fit.lack_of_fit < 0.05, fit.poor_fit) == (lacks, poor)


def test_wide_scatter_explains_a_large_residual() -> None:
    fit = fit_two_terms(repeated(1.0, seeds=3, noise=0.4), 0.95)
    assert fit.largest_residual > 0.1
    assert not fit.poor_fit


def test_the_lack_of_fit_is_the_f_test_of_a_regression() -> None:
    points = repeated(1.2)
    fit = fit_two_terms(points, 0.95, bend=False)
    assert points.error is not None
    ratio = fit.noise**2 / points.error**2
    assert fit.lack_of_fit == pytest.approx(stats.f.sf(ratio, Z.size - 2, 4 * Z.size))


def test_shapes_hold_the_best_curve() -> None:
    fit = fitted(Z, noisy(1), bend=True)
    shapes = shapes_at(Z, fit.shapes)
    best = fit.curve.at(Z) / fit.curve.intercept
    assert (shapes.min(axis=0) <= best).all()
    assert (best <= shapes.max(axis=0)).all()


STUDIES = 150


@pytest.mark.parametrize(
    ("power", "sizes", "seeds", "shared"),
    [(1.0, SIZES[::2], 3, 0.0), (1.0, SIZES, 5, 0.15), (1.4, SIZES, 5, 0.05)],
)
def test_intervals_cover_the_truth_as_often_as_they_say(
    power: float, sizes: np.ndarray, seeds: int, shared: float
) -> None:
    """Also where the seeds of a size share an error, and where the true curve is no hyperbola."""
    rng, z = np.random.default_rng(0), np.tile(1 / sizes, seeds)
    truth = Curve(100.0, 5_000.0, power)
    covered = np.zeros(3)
    for _ in range(STUDIES):
        errors = np.tile(rng.normal(0, shared, sizes.size), seeds) + rng.normal(0, 0.1, z.size)
        fit = fit_two_terms(means_of(z, truth.at(z) * np.exp(errors)), 0.95)
        pairs = ((fit.intercept, 100), (fit.slope, 5_000), (fit.ratio, truth.ratio))
        covered += [bounds.low <= value <= bounds.high for bounds, value in pairs]
    # Of 150 at 95%, fewer than 135 or all have a probability of 0.5% each at most.
    assert (covered >= stats.binom.ppf(0.005, STUDIES, 0.95)).all()
    assert covered.mean() < STUDIES
