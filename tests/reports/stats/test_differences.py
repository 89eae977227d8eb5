"""Differences of means: paired where seeds are common, else Welch's, against SciPy's own tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.stats._differences import PAIRED, UNPAIRED, difference


def values(seeds: range, shift: float = 0.0) -> pd.Series[float]:
    rng = np.random.default_rng(seeds.start)
    return pd.Series(shift + rng.normal(size=len(seeds)), index=list(seeds))


def test_common_seeds_are_paired_and_the_others_left_out() -> None:
    first, second = values(range(8)), values(range(3, 12), 1.0)
    result = difference(first, second)
    assert result is not None
    expected = stats.ttest_rel(second.loc[3:7], first.loc[3:7])
    span = expected.confidence_interval()
    assert result.interval.method == PAIRED
    assert result.interval.count == 5
    np.testing.assert_allclose([result.interval.low, result.interval.high], [span.low, span.high])
    assert result.p_value == pytest.approx(expected.pvalue)


def test_samples_without_a_common_seed_are_welch_s() -> None:
    first, second = values(range(6)), 3 * values(range(50, 59), 1.0)
    result = difference(first, second)
    assert result is not None
    expected = stats.ttest_ind(second, first, equal_var=False)
    span = expected.confidence_interval()
    assert (result.interval.method, result.interval.count) == (UNPAIRED, 15)
    np.testing.assert_allclose([result.interval.low, result.interval.high], [span.low, span.high])
    assert result.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(("first", "second"), [(range(3), range(2, 5)), (range(1), range(5, 9))])
def test_too_few_say_nothing(first: range, second: range) -> None:
    assert difference(values(first), values(second)) is None


@pytest.mark.parametrize(("seeds", "significant"), [(2, False), (5, True)])
def test_a_few_seeds_that_differ_by_as_much_prove_nothing(seeds: int, significant: bool) -> None:
    first = pd.Series(0.5, index=range(seeds))
    result = difference(first, first + 1 / 36)
    assert result is not None
    assert (result.p_value < 0.05) == (result.interval.low > 0) == significant
    assert result.interval.low < result.interval.mean < result.interval.high


@pytest.mark.parametrize(
    ("shift", "p_value", "start"), [(0.0, 1.0, 0), (0.0, 1.0, 50), (0.25, 0.0, 50)]
)
def test_without_spread_a_difference_is_certain(shift: float, p_value: float, start: int) -> None:
    first = pd.Series(0.5, index=range(4))
    result = difference(first, pd.Series(0.5 + shift, index=range(start, start + 4)))
    assert result is not None
    assert (result.interval.low, result.interval.mean, result.interval.high) == (shift,) * 3
    assert result.p_value == p_value
