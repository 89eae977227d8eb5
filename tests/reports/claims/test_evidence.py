"""A comparison is decided by its interval, a kind of comparison by all of them together."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.claims.evidence import (
    DIFFERENCE,
    LEVEL,
    MIXED,
    NOT_SUPPORTED,
    RATIO,
    SHARE,
    SUPPORTED,
    UNDECIDED,
    Kind,
    Sample,
    finding_of,
    judged,
    mean_of,
    overall,
    pooled,
)
from reports.schema.formats import MISSING
from reports.schema.measures import measure_of
from tests.reports.conftest import DIGITS_GROUP

MEASURE = measure_of(DIGITS_GROUP)


def sample(
    values: pd.Series[float],
    kind: Kind | None = None,
    *,
    comparison: str = "higher",
    metric: str = "test accuracy",
    dataset: str = "digits",
    step: float = 0.0,
) -> Sample:
    used = kind or Kind(DIFFERENCE, 0.0, 1.0, in_margins=True)
    return Sample(
        *(comparison, "a configuration", dataset, "equal epochs", metric, MEASURE, values, used),
        margin=0.01,
        step=step,
    )


def around(mean: float, spread: float = 0.001, seeds: int = 10) -> pd.Series[float]:
    """Values with exactly this mean, in a regular spread."""
    return pd.Series(mean + spread * np.linspace(-1, 1, seeds), index=range(1, seeds + 1))


def test_p_values_are_those_of_a_t_test() -> None:
    assert mean_of(pd.Series([1.0])).p_above(0.0) == 1.0
    values = pd.Series([0.3, 0.1, 0.4, 0.15])
    expected = stats.ttest_1samp(values, 0.05, alternative="greater").pvalue
    assert mean_of(values).p_above(0.05) == pytest.approx(expected)


@pytest.mark.parametrize(("bound", "p"), [(0.4, 0.0), (0.5, 1.0), (0.6, 1.0)])
def test_equal_values_decide_by_themselves(bound: float, p: float) -> None:
    assert mean_of(pd.Series([0.5, 0.5])).p_above(bound) == p


def test_nothing_is_decided_by_infinite_values() -> None:
    assert mean_of(pd.Series([1.0, np.inf, 2.0])).p_above(0.0) == 1.0


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (around(0.1), SUPPORTED),
        (around(0.004), SUPPORTED),
        (around(0.0), NOT_SUPPORTED),
        (around(-0.1), NOT_SUPPORTED),
        (around(0.0, spread=0.1), UNDECIDED),
        (around(0.1, seeds=1), UNDECIDED),
    ],
    ids=["more", "too little to count", "nothing", "less", "noise", "one seed"],
)
def test_an_effect_is_there_or_too_small_or_open(values: pd.Series[float], verdict: str) -> None:
    (evidence,) = judged([sample(values)])
    assert evidence.verdict == verdict
    (mirrored,) = judged(
        [sample(-values, Kind(DIFFERENCE, 0.0, -1.0, below=True, in_margins=True))]
    )
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
        finding = finding_of(mean_of(values), unit, 2)
        assert finding.effect == pytest.approx(2)
        assert finding.low * finding.high == pytest.approx(4)
        assert (finding.unit, finding.count) == (unit, 2)


def test_one_value_has_no_interval() -> None:
    finding = finding_of(mean_of(pd.Series([0.1])), DIFFERENCE, 1)
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
    [((0.1, 0.2), SUPPORTED), ((-0.1, -0.2), NOT_SUPPORTED), ((0.1, -0.1), MIXED)],
)
def test_comparisons_that_differ_depend_on_the_data(means: tuple[float, ...], verdict: str) -> None:
    assert overall(judged([sample(around(mean)) for mean in means])) == verdict


def test_the_mean_may_show_what_no_comparison_shows_alone() -> None:
    noise = pd.Series(np.random.default_rng(2).normal(0, 0.05, 10))
    opposed = [sample(0.02 + noise), sample(0.02 - noise)]
    evidence = judged(opposed)
    assert [judgement.verdict for judgement in evidence] == [UNDECIDED, UNDECIDED]
    assert overall(evidence) == SUPPORTED


def test_what_can_not_be_averaged_is_undecided_unless_all_agree() -> None:
    def of(*means: float) -> str:
        spread = [0.2 if mean == 0 else 0.001 for mean in means]
        samples = [
            sample(around(mean, s), metric=f"metric {number}")
            for number, (mean, s) in enumerate(zip(means, spread, strict=True))
        ]
        return overall(judged(samples))

    assert of(0.1, 0.1) == SUPPORTED
    assert of(0.1, 0.0) == UNDECIDED
    different = judged([sample(around(0.1)), sample(around(0.1), metric="loss")])
    assert math.isnan(pooled(different).effect)


def test_datasets_are_pooled_with_the_variance_between_them() -> None:
    effects = {"digits": 0.1, "wine": 0.2, "moons": 0.3}
    evidence = judged([sample(around(mean), dataset=name) for name, mean in effects.items()])
    finding = pooled(evidence)
    assert finding.effect == pytest.approx(0.2)
    # Each is known to a thousandth, but they differ by a tenth: t of 2 degrees, 0.1 / sqrt(3).
    assert finding.high - finding.effect == pytest.approx(4.303 * 0.1 / math.sqrt(3), rel=0.01)
    assert overall(evidence) == SUPPORTED
    same = pooled(judged([sample(around(mean)) for mean in effects.values()]))
    assert same.high - same.effect < 0.002


def test_values_that_all_agree_still_have_the_error_of_their_resolution() -> None:
    equal = pd.Series([0.0] * 5)
    (certain,) = judged([sample(equal)])
    (rounded,) = judged([sample(equal, step=0.05)])
    assert (certain.verdict, rounded.verdict) == (NOT_SUPPORTED, UNDECIDED)
    half = stats.t(4).ppf(0.975) * 0.025 / math.sqrt(5)
    assert rounded.finding.high == pytest.approx(half)


def test_a_target_that_is_missed_can_support_and_never_refute() -> None:
    slower = Kind(RATIO, math.log(1.1))
    for values, verdict in (([math.inf] * 7, SUPPORTED), ([math.inf] + [-1.0] * 6, UNDECIDED)):
        (evidence,) = judged([sample(pd.Series(values), slower)])
        assert evidence.verdict == verdict
        assert math.isnan(evidence.finding.effect)


@pytest.mark.slow
def test_pooled_intervals_cover_the_mean_of_datasets_that_differ() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        evidence = judged(
            [
                sample(pd.Series(0.02 * rng.normal() + 0.01 * rng.normal(size=10)), dataset=name)
                for name in "abcd"
            ]
        )
        finding = pooled(evidence)
        covered += finding.low <= 0 <= finding.high
    # 400 times 95% is 380, with a standard deviation of 4.4.
    assert 366 <= covered <= 394


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (DIFFERENCE, -0.0123, "-1.2 points"),
        (RATIO, 12.34, "12x"),
        (SHARE, 0.0123, "1.2%"),
        (SHARE, 1e-9, "under 0.0001%"),
        (SHARE, math.nan, MISSING),
    ],
)
def test_an_effect_is_written_in_its_unit(unit: str, value: float, text: str) -> None:
    assert sample(around(0.0), Kind(unit, 0.0)).text(value) == text


def test_an_interval_names_its_unit_once() -> None:
    differences = sample(around(0.0))
    assert differences.span(-0.01, 0.02) == "-1.0 to +2.0 points"
    assert differences.span(math.nan, math.nan) == MISSING
