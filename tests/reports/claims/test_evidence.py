"""A comparison is decided by its interval, a kind of comparison by all of them together."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.claims.evidence import (
    CONTRADICTED,
    DIFFERENCE,
    LEVEL,
    MIXED,
    RATIO,
    SHARE,
    SUPPORTED,
    UNDECIDED,
    Kind,
    Sample,
    finding_of,
    judged,
    overall,
    p_above,
    pooled,
)
from reports.schema.measures import measure_of
from tests.reports.conftest import DIGITS_GROUP

MEASURE = measure_of(DIGITS_GROUP)


def sample(
    values: pd.Series[float],
    kind: Kind | None = None,
    *,
    comparison: str = "higher",
    metric: str = "test accuracy",
) -> Sample:
    used = kind or Kind(DIFFERENCE, 0.0, 0.01)
    return Sample(comparison, "a group", "digits", "equal epochs", metric, MEASURE, values, used)


def around(mean: float, spread: float = 0.001, seeds: int = 10) -> pd.Series[float]:
    """Values with exactly this mean, in a regular spread."""
    return pd.Series(mean + spread * np.linspace(-1, 1, seeds), index=range(1, seeds + 1))


def test_p_values_are_those_of_a_t_test() -> None:
    assert p_above(pd.Series([1.0]), 0.0) == 1.0
    values = pd.Series([0.3, 0.1, 0.4, 0.15])
    expected = stats.ttest_1samp(values, 0.05, alternative="greater").pvalue
    assert p_above(values, 0.05) == pytest.approx(expected)


@pytest.mark.parametrize(("bound", "p"), [(0.4, 0.0), (0.5, 1.0), (0.6, 1.0)])
def test_equal_values_decide_by_themselves(bound: float, p: float) -> None:
    assert p_above(pd.Series([0.5, 0.5]), bound) == p


def test_nothing_is_decided_by_infinite_values() -> None:
    assert p_above(pd.Series([1.0, np.inf, 2.0]), 0.0) == 1.0


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (around(0.1), SUPPORTED),
        (around(0.004), SUPPORTED),
        (around(0.0), CONTRADICTED),
        (around(-0.1), CONTRADICTED),
        (around(0.0, spread=0.1), UNDECIDED),
        (around(0.1, seeds=1), UNDECIDED),
    ],
    ids=["more", "too little to count", "nothing", "less", "noise", "one seed"],
)
def test_an_effect_is_there_or_too_small_or_open(values: pd.Series[float], verdict: str) -> None:
    (evidence,) = judged([sample(values)])
    assert evidence.verdict == verdict
    (mirrored,) = judged([sample(-values, Kind(DIFFERENCE, 0.0, -0.01, below=True))])
    assert mirrored.verdict == verdict


def test_comparisons_of_a_kind_are_adjusted_for_each_other_and_those_of_others_are_not() -> None:
    rng = np.random.default_rng(3)
    values = pd.Series(rng.normal(size=8))
    t = stats.t(7).ppf(1 - LEVEL / 2)
    barely = (values - values.mean()) / values.std() * math.sqrt(8) / t * 0.01 + 0.01
    (alone,) = judged([sample(barely)])
    assert alone.verdict == SUPPORTED
    noise = sample(around(0.0, spread=0.5))
    assert judged([sample(barely), noise])[0].verdict == SUPPORTED
    assert judged([sample(barely), noise, noise])[0].verdict == UNDECIDED
    other = sample(around(0.0, spread=0.5), comparison="another")
    assert judged([other, sample(barely), other])[2].verdict == SUPPORTED


def test_no_effect_is_called_one_as_rarely_as_promised() -> None:
    rng = np.random.default_rng(1)
    studies = [
        judged([sample(pd.Series(rng.normal(size=8))) for _ in range(3)]) for _ in range(400)
    ]
    wrong = sum(any(evidence.verdict == SUPPORTED for evidence in study) for study in studies)
    # 400 times 2.5% is 10, with a standard deviation of 3.
    assert 1 <= wrong <= 19


def test_ratios_and_shares_are_averaged_as_logarithms() -> None:
    values = pd.Series(np.log([1.0, 4.0]))
    for unit in (RATIO, SHARE):
        finding = finding_of(values, unit)
        assert finding.effect == pytest.approx(2)
        assert finding.low * finding.high == pytest.approx(4)
        assert (finding.unit, finding.count) == (unit, 2)


def test_one_value_has_no_interval() -> None:
    finding = finding_of(pd.Series([0.1]), DIFFERENCE)
    assert (finding.effect, finding.count) == (0.1, 1)
    assert math.isnan(finding.low)
    assert math.isnan(finding.high)


def test_several_comparisons_are_averaged_within_a_seed() -> None:
    first = pd.Series([0.1, 0.3, 0.2], index=[1, 2, 3])
    second = pd.Series([0.3, 0.1, 0.9], index=[1, 2, 4])
    finding = pooled(judged([sample(first), sample(second)]))
    assert (finding.effect, finding.low, finding.high) == pytest.approx((0.2, 0.2, 0.2))
    assert finding.count == 2


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        ((0.1, 0.2), SUPPORTED),
        ((-0.1, -0.2), CONTRADICTED),
        ((0.1, -0.1), MIXED),
    ],
)
def test_comparisons_that_differ_depend_on_the_data(means: tuple[float, ...], verdict: str) -> None:
    assert overall(judged([sample(around(mean)) for mean in means])) == verdict


def test_the_mean_may_tell_what_no_comparison_tells_alone() -> None:
    noise = pd.Series(np.random.default_rng(2).normal(0, 0.05, 10))
    opposed = [sample(0.02 + noise), sample(0.02 - noise)]
    evidence = judged(opposed)
    assert [judgement.verdict for judgement in evidence] == [UNDECIDED, UNDECIDED]
    assert overall(evidence) == SUPPORTED


def test_what_can_not_be_averaged_is_decided_by_most() -> None:
    def of(*means: float) -> str:
        spread = [0.2 if mean == 0 else 0.001 for mean in means]
        samples = [
            sample(around(mean, s), metric=f"metric {number}")
            for number, (mean, s) in enumerate(zip(means, spread, strict=True))
        ]
        return overall(judged(samples))

    assert of(0.1, 0.1, 0.0) == SUPPORTED
    assert of(0.1, 0.0) == UNDECIDED
    assert math.isnan(
        pooled(judged([sample(around(0.1)), sample(around(0.1), metric="loss")])).effect
    )


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (DIFFERENCE, -0.0123, "-1.23 points"),
        (RATIO, 12.34, "12.3\N{MULTIPLICATION SIGN}"),
        (SHARE, 0.0123, "1.23%"),
        (SHARE, 1e-9, "under 0.0001%"),
        (SHARE, math.nan, "none"),
    ],
)
def test_an_effect_is_written_in_its_unit(unit: str, value: float, text: str) -> None:
    assert sample(around(0.0), Kind(unit, 0.0)).text(value) == text


def test_an_interval_names_its_unit_once() -> None:
    differences = sample(around(0.0))
    assert differences.span(-0.01, 0.02) == "-1.00 to +2.00 points"
    assert differences.span(math.nan, math.nan) == "none"
