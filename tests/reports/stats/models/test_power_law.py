"""Power laws: exact ones come out, the unit of error is one value of the scale."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reports.stats.models.power_law import fit_power_law


def test_slope_and_interval_are_those_of_a_line_through_the_means() -> None:
    random = np.random.default_rng(0)
    x = np.repeat([1.0, 3.0, 10.0, 50.0], 3)
    y = 5 * x**0.6 * np.exp(random.normal(0, 0.2, x.size))
    law = fit_power_law(x, y)
    means = np.log(y).reshape(4, 3).mean(1)
    line = stats.linregress(np.log(x[::3]), means)
    assert law.exponent == pytest.approx(line.slope)
    assert law.exponent_interval is not None
    half = stats.t.ppf(0.975, 2) * line.stderr
    assert law.exponent_interval.high - law.exponent == pytest.approx(half)
    assert law.prefactor == pytest.approx(np.exp(line.intercept))
    assert law.prefactor_interval is not None
    half = stats.t.ppf(0.975, 2) * line.intercept_stderr
    assert np.log(law.prefactor_interval.high / law.prefactor) == pytest.approx(half)
    assert law.left_out is not None
    others = [
        stats.linregress(*np.delete([np.log(x[::3]), means], n, axis=1)).slope for n in range(4)
    ]
    assert law.left_out == pytest.approx((min(others), max(others)))


def test_values_that_are_all_the_same_have_no_slope() -> None:
    law = fit_power_law([5, 10, 20, 40], [70.4044806500102] * 4)
    assert (law.exponent, law.exponent_interval, law.left_out) == (0, (0, 0), (0, 0))


def test_interval_covers_with_errors_that_configurations_share() -> None:
    random, covered = np.random.default_rng(1), 0
    x = np.repeat([1.0, 2.0, 4.0, 8.0, 16.0], 4)
    for _ in range(500):
        shared, single = np.repeat(random.normal(0, 0.2, 5), 4), random.normal(0, 0.1, 20)
        interval = fit_power_law(x, 3 * x**0.5 * np.exp(shared + single)).exponent_interval
        assert interval is not None
        covered += interval.low <= 0.5 <= interval.high
    assert 0.92 <= covered / 500 <= 0.98


def test_two_values_are_no_law() -> None:
    law = fit_power_law([1, 1, 2], [3, 4, 5])
    assert law.reason
    assert law.exponent_interval is None
    assert law.levels == 2


def test_a_prefactor_beyond_all_numbers_is_no_crash() -> None:
    law = fit_power_law([1e20, 1.001e20, 1.002e20], [1e30, 1, 1e-30])
    assert law.exponent < 0
    assert law.prefactor > 1e300
