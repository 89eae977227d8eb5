"""Non-inferiority in a fixed order: closed forms, the order, what few seeds and ties allow."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.schema import FEWEST_TO_SHOW
from reports.stats.non_inferiority import (
    NEAR_OPTIMAL,
    REFERENCE,
    UNDECIDED,
    WORSE,
    compare_in_order,
    possible_best,
    seeds_by_spread,
    seeds_to_show,
    shortfall,
)


def drawn(
    losses: dict[int, float], seeds: int, spread: float = 0.01, seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.1, seeds)  # a seed is easy or hard for all sizes
    return pd.DataFrame(
        {size: common - loss + rng.normal(0, spread, seeds) for size, loss in losses.items()}
    )


def verdicts(values: pd.DataFrame, order: list[int], margin: float, step: float = 0) -> list[str]:
    return [each.verdict for each in compare_in_order(values, order, margin, step)]


def test_limits_are_those_of_a_paired_t_test() -> None:
    values = drawn({8: 0.0, 16: 0.003}, seeds=7)
    each, differences = shortfall(values, 8, 16, 0.01), values[8] - values[16]
    for alternative, limit in (("less", each.upper), ("greater", each.lower)):
        test = stats.ttest_1samp(differences, limit, alternative=alternative)
        assert test.pvalue == pytest.approx(0.05)
    wanted = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert each.interval == pytest.approx((wanted.low, wanted.high))
    assert (each.mean, each.seeds) == (pytest.approx(differences.mean()), 7)


def test_the_last_that_passes_comes_before_the_first_that_fails() -> None:
    values = drawn({8: 0.0, 16: 0.0, 32: 0.1, 64: 0.0}, seeds=20)
    wanted = [REFERENCE, NEAR_OPTIMAL, WORSE, UNDECIDED]
    assert verdicts(values, [8, 16, 32, 64], 0.02) == wanted
    # By itself the last is as good: the order is what keeps the level.
    assert shortfall(values, 8, 64, 0.02).verdict == NEAR_OPTIMAL
    assert verdicts(values, [8, 64, 16, 32], 0.02) == [REFERENCE, *[NEAR_OPTIMAL] * 2, WORSE]


def test_limits_keep_the_spread_that_decided_how_many_seeds_run() -> None:
    values = drawn({8: 0.0, 16: 0.0}, seeds=30)
    differences = values[8] - values[16]
    each = shortfall(values, 8, 16, 0.01, pilot=range(10))
    half = stats.t.ppf(0.95, 9) * differences[:10].std() / math.sqrt(30)
    assert (each.mean, each.seeds) == (pytest.approx(differences.mean()), 30)
    assert each.upper - each.mean == pytest.approx(half)
    wide = stats.t.ppf(0.975, 9) / stats.t.ppf(0.95, 9) * half
    assert each.interval.high - each.mean == pytest.approx(wide)
    # Too few show no spread: all seeds do.
    assert shortfall(values, 8, 16, 0.01, pilot=range(4)) == shortfall(values, 8, 16, 0.01)


def test_nothing_is_undecided_once_it_is_shown_to_be_worse() -> None:
    values = drawn({8: 0.0, 16: 0.1, 32: 0.2}, seeds=20)
    assert verdicts(values, [8, 16, 32], 0.02) == [REFERENCE, WORSE, WORSE]


def test_no_spread_is_below_half_a_test_example() -> None:
    values, step = pd.DataFrame({8: [0.9] * 5, 16: [0.9] * 5}), 1 / 30
    each = shortfall(values, 8, 16, 0.01, step)
    half = stats.t.ppf(0.95, 4) * step / 2 / math.sqrt(5)
    assert (each.lower, each.upper) == pytest.approx((-half, half))
    assert each.verdict == UNDECIDED
    assert shortfall(values, 8, 16, 0.02, step).verdict == NEAR_OPTIMAL
    assert shortfall(values, 8, 16, 0.01).verdict == NEAR_OPTIMAL
    assert shortfall(values, 8, 8, 0.01, step).verdict == REFERENCE


@pytest.mark.parametrize("seeds", range(FEWEST_TO_SHOW))
def test_fewer_than_five_seeds_show_nothing_near_optimal(seeds: int) -> None:
    values = pd.DataFrame({8: [0.9] * seeds, 16: [0.9] * seeds}, dtype="float64")
    assert verdicts(values, [8, 16], 0.1) == [REFERENCE, UNDECIDED]
    each = shortfall(values, 8, 16, 0.1)
    assert math.isfinite(each.upper) == math.isfinite(each.interval.high) == (seeds >= 2)


def test_seeds_that_one_of_them_lacks_do_not_count() -> None:
    values = pd.DataFrame({8: [0.9] * 6, 16: [0.9] * 5 + [math.nan]})
    assert shortfall(values, 8, 16, 0.1).seeds == 5
    assert verdicts(values[1:], [8, 16], 0.1) == [REFERENCE, UNDECIDED]


@pytest.mark.parametrize("most", [math.inf, 4])
@pytest.mark.parametrize(("spread", "distance"), [(1.4, 1.0), (0.3, 1.0), (2.0, 1.0), (1.0, 0.5)])
def test_as_many_seeds_show_it_as_the_noncentral_t_says(
    spread: float, distance: float, most: float
) -> None:
    def power(seeds: int) -> float:
        centre, degrees = distance / spread * math.sqrt(seeds), min(seeds - 1, most)
        return float(stats.nct.sf(stats.t.ppf(0.95, degrees), degrees, centre))

    needed = seeds_to_show(spread, distance, 1_000, degrees=most)
    assert power(needed) >= 0.8
    assert needed == FEWEST_TO_SHOW or power(needed - 1) < 0.8
    assert seeds_to_show(spread, distance, 3) == 3


def test_where_nothing_varies_the_fewest_seeds_do() -> None:
    assert seeds_to_show(0.0, 0.01, 100) == FEWEST_TO_SHOW
    assert seeds_to_show(1.0, 1e-9, 100) == 100


def test_the_second_stage_looks_at_the_median_spread_of_what_may_pass() -> None:
    values = drawn({8: 0.0, 16: 0.0, 32: 0.0, 64: 0.0, 128: 5.0}, seeds=10)
    values[64] += np.random.default_rng(1).normal(0, 0.5, 10)
    compared = compare_in_order(values, [*values], 0.01)
    middle = sorted(each.spread for each in compared[1:4])[1]
    assert seeds_by_spread(compared, 0.01, 1_000) == seeds_to_show(middle, 0.01, 1_000, degrees=9)
    assert seeds_by_spread([compared[0], compared[4]], 0.01, 1_000) == 0


def test_the_true_best_is_possible_with_the_confidence_stated() -> None:
    truth = {8: 0.005, 16: 0.0, 32: 0.001, 64: 0.03}
    sets = [possible_best(drawn(truth, seeds=8, seed=seed)) for seed in range(500)]
    kept = sum(16 in sizes for sizes in sets)
    # At least 95%: by the binomial law this bounds the misses of 500.
    assert 500 - kept <= stats.binom.ppf(0.999, 500, 0.05)
    assert np.mean([64 in sizes for sizes in sets]) < 0.2
    assert all(sizes == tuple(sorted(sizes)) for sizes in sets)


def test_all_sizes_may_be_best_if_none_is_beaten() -> None:
    ties = pd.DataFrame({8: [0.9] * 5, 16: [0.9] * 5})
    assert possible_best(ties) == possible_best(ties[:1]) == (8, 16)
    assert possible_best(ties.assign(**{"16": 0.0}).rename(columns={"16": 32})) == (8, 16)
