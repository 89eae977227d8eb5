"""The critical batch size: published figures come out, and no number where the data have none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from reports.stats.models.optimal_batch import fit_steps_to_target
from reports.stats.models.steps_to_target import IN_RANGE, NOT_IN_RANGE

# Steps to the goal loss of language models of 85 million to 1.2 billion parameters, at batch sizes
# 64 to 16384. Source: Zhang et al. 2024, How does critical batch size scale in pre-training?; the
# MIT-licensed repository hlzhang109/critical-batch-size, plots/chinchilla.ipynb, cell 5. Cell 2
# has the same steps before some were edited.
PUBLISHED_SIZES = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384]
PUBLISHED = {
    "85M": [46000, 23000, 13282, 7000, 3840, 2528, 1917, 1600, 1600],
    "151M": [96000, 49000, 24000, 12000, 7128, 4350, 2940, 2400, 2300],
    "302M": [196000, 90000, 46000, 23400, 13300, 7224, 4980, 3400, 2879],
    "604M": [311000, 166000, 81000, 37440, 21320, 11400, 7199, 4700, 3800],
    "1.2B": [642000, 331000, 176000, 94000, 46500, 25000, 15360, 8900, 6500],
}
UNEDITED = {
    "85M": [46000, 23000, 13282, 7000, 3840, 2500, 1800, 1600, 1600],
    "151M": [96000, 49000, 24000, 11951, 7128, 4200, 2760, 2400, 2300],
    "302M": PUBLISHED["302M"],
    "604M": PUBLISHED["604M"],
    "1.2B": [643000, *PUBLISHED["1.2B"][1:]],
}
# S_min, E_min, B_crit = E_min / S_min, and the batch size of 20% overhead.
FIGURES = {
    "85M": (1293.827, 2834258, 2190.6, 745.320),
    "151M": (1752.422, 5677478, 3239.8, 955.158),
    "302M": (2095.350, 11383270, 5432.6, 1393.727),
    "604M": (2459.928, 19449688, 7906.6, 1888.522),
    "1.2B": (3897.306, 43381130, 11131, 2533.411),
}

SIZES = 2.0 ** np.arange(2, 12)


def updates_at(sizes: np.ndarray, critical: float = 100) -> np.ndarray:
    return 50 * (1 + critical / sizes)


def noisy_runs(seeds: int, noise: float = 0.05) -> dict[str, Any]:
    sizes, labels = np.tile(SIZES, seeds), np.repeat(np.arange(seeds), SIZES.size)
    errors = np.exp(np.random.default_rng(seeds).normal(0, noise, sizes.size))
    return {"batch_sizes": sizes, "updates": updates_at(sizes) * errors, "groups": labels}


@pytest.mark.parametrize("model", PUBLISHED)
def test_published_figures_come_out(model: str) -> None:
    fit = fit_steps_to_target(PUBLISHED_SIZES, PUBLISHED[model])
    figures = (
        fit.min_updates,
        fit.min_examples,
        fit.critical_batch_size,
        fit.overhead_batch_size(),
    )
    assert figures == pytest.approx(FIGURES[model], rel=1e-4)
    assert (fit.plateau, fit.poor_fit, fit.reason) == (IN_RANGE, False, "")


@pytest.mark.parametrize(
    ("model", "change", "poor"),
    [("85M", 0.0204, True), ("151M", 0.0196, True), ("302M", 0, False), ("1.2B", 0.00078, False)],
)
def test_the_published_data_before_editing_say_something_else(
    model: str, change: float, poor: bool
) -> None:
    edited = fit_steps_to_target(PUBLISHED_SIZES, PUBLISHED[model])
    unedited = fit_steps_to_target(PUBLISHED_SIZES, UNEDITED[model])
    assert edited.critical_batch_size is not None
    assert unedited.critical_batch_size is not None
    ratio = unedited.critical_batch_size / edited.critical_batch_size
    assert ratio - 1 == pytest.approx(change, abs=1e-4)
    assert (edited.poor_fit, unedited.poor_fit) == (False, poor)


def test_the_overhead_is_the_one_asked_for() -> None:
    fit = fit_steps_to_target(SIZES, updates_at(SIZES))
    size = fit.overhead_batch_size(overhead=0.5, reference=16)
    assert size is not None
    perfect = updates_at(np.array([16.0]))[0] * 16 / size
    assert updates_at(np.array([size]))[0] == pytest.approx(1.5 * perfect, rel=1e-6)


def test_the_critical_batch_size_lies_in_its_interval_which_five_seeds_resample() -> None:
    fit = fit_steps_to_target(**noisy_runs(5))
    ends = fit.critical_batch_size_interval
    assert ends is not None
    assert ends.low < 100 < ends.high
    assert fit.interval_method == "bootstrap over 5 seeds"
    assert fit == fit_steps_to_target(**noisy_runs(5))
    assert ends != fit_steps_to_target(**noisy_runs(5), seed=1).critical_batch_size_interval


def test_fewer_seeds_have_the_intervals_of_the_fit() -> None:
    runs = noisy_runs(4)
    fit = fit_steps_to_target(**runs)
    assert fit.interval_method == "profile likelihood"
    ungrouped = fit_steps_to_target(runs["batch_sizes"], runs["updates"])
    assert fit.critical_batch_size_interval == ungrouped.critical_batch_size_interval


def test_a_higher_confidence_has_wider_intervals() -> None:
    widths = []
    for confidence in (0.5, 0.95):
        ends = fit_steps_to_target(
            **noisy_runs(5), confidence=confidence
        ).critical_batch_size_interval
        assert ends is not None
        widths.append(ends.high - ends.low)
    assert widths[0] < widths[1]


def test_runs_that_did_not_arrive_count_as_lower_bounds() -> None:
    updates, most = updates_at(SIZES), 600
    fit = fit_steps_to_target(SIZES, np.minimum(updates, most), censored=updates > most)
    assert fit.critical_batch_size == pytest.approx(100, rel=1e-3)
    assert (fit.runs, fit.censored, fit.batch_sizes[0]) == (10, 2, 16)
    naive = fit_steps_to_target(SIZES, np.minimum(updates, most))
    assert naive.critical_batch_size != pytest.approx(100, rel=0.1)


def test_a_bound_above_the_curve_makes_a_poor_fit() -> None:
    fit = fit_steps_to_target(
        [4, *SIZES], [9_000, *updates_at(SIZES)], censored=[True] + [False] * 10
    )
    assert fit.poor_fit
    assert (
        fit_steps_to_target(
            [4, *SIZES], [9, *updates_at(SIZES)], censored=[True] + [False] * 10
        ).poor_fit
        is False
    )


def test_a_wide_bracket_counts_less_than_a_narrow_one() -> None:
    updates = updates_at(SIZES)
    updates[-1] *= 1.5
    half = np.where(SIZES[-1] == SIZES, updates / 2, 0.0)
    fit = fit_steps_to_target(SIZES, updates, half_widths=half)
    assert fit.min_updates == pytest.approx(50, rel=0.01)
    assert fit_steps_to_target(SIZES, updates).min_updates != pytest.approx(50, rel=0.05)


def test_a_curve_that_is_no_hyperbola_is_flagged_and_has_a_power() -> None:
    updates = 50 * (1 + (100 / SIZES) ** 3) ** (1 / 3)
    fit = fit_steps_to_target(SIZES, updates)
    assert fit.poor_fit
    assert fit.alternative is not None
    assert fit.alternative.power == pytest.approx(3, rel=1e-3)
    assert fit.alternative.critical_batch_size == pytest.approx(100, rel=1e-3)
    assert fit.alternative.max_log_residual < 1e-3


def test_three_batch_sizes_have_no_power() -> None:
    assert fit_steps_to_target(SIZES[3:6], updates_at(SIZES[3:6])).alternative is None


def test_a_curve_that_still_falls_has_no_critical_batch_size() -> None:
    errors = np.exp(np.random.default_rng(1).normal(0, 0.03, SIZES.size))
    fit = fit_steps_to_target(SIZES, 1e5 / SIZES * errors)
    assert fit.plateau == NOT_IN_RANGE
    assert (fit.min_updates, fit.critical_batch_size, fit.overhead_batch_size()) == (None,) * 3
    assert fit.min_examples == pytest.approx(1e5, rel=0.05)
    assert fit.critical_batch_size_interval is not None
    assert fit.critical_batch_size_interval.low > 1_000
    assert fit.critical_batch_size_interval.high == math.inf
    assert fit.alternative is not None
    assert (fit.alternative.min_updates, fit.alternative.critical_batch_size) == (None, None)
    assert "batch size 2048" in fit.reason


def test_an_extrapolated_plateau_is_none() -> None:
    fit = fit_steps_to_target(SIZES, updates_at(SIZES, critical=4 * SIZES[-1]))
    assert (fit.plateau, fit.min_updates, fit.critical_batch_size) == (NOT_IN_RANGE, None, None)


def test_a_curve_that_does_not_fall_has_no_critical_batch_size() -> None:
    errors = np.exp(np.random.default_rng(2).normal(0, 0.03, SIZES.size))
    fit = fit_steps_to_target(SIZES, 50 * errors)
    assert fit.plateau == IN_RANGE
    assert fit.min_updates == pytest.approx(50, rel=0.05)
    assert (fit.min_examples, fit.critical_batch_size) == (None, None)
    assert fit.critical_batch_size_interval is not None
    assert fit.critical_batch_size_interval.low == 0
    assert "don't fall" in fit.reason


@pytest.mark.parametrize(
    ("sizes", "updates", "censored", "reason"),
    [
        ([], [], None, "no runs"),
        ([8, 16, 32], [9, 9, 9], [True] * 3, "of 3"),
        ([8, 8, 16, 32], [9, 8, 5, 9], [False, False, False, True], "Fewer than three"),
        ([8, 16, 32, 64], [9, 9, 9, 5], [False, False, False, True], "equal at all batch sizes"),
    ],
)
def test_bad_data_give_a_reason_and_no_number(
    sizes: list[float], updates: list[float], censored: list[bool] | None, reason: str
) -> None:
    fit = fit_steps_to_target(sizes, updates, censored=censored)
    assert reason in fit.reason
    numbers = (
        fit.min_updates,
        fit.min_examples,
        fit.critical_batch_size,
        fit.critical_batch_size_interval,
        fit.plateau,
        fit.curve,
        fit.overhead_batch_size(),
    )
    assert numbers == (None,) * 7


def test_equal_updates_with_a_higher_bound_are_fitted() -> None:
    fit = fit_steps_to_target([4, 8, 16, 32], [99, 9, 9, 9], censored=[True, False, False, False])
    assert fit.curve is not None


def test_batch_sizes_near_all_items_are_named() -> None:
    fit = fit_steps_to_target(SIZES, updates_at(SIZES), items=2_048)
    assert fit.near_all == (1024, 2048)
    assert fit_steps_to_target(SIZES, updates_at(SIZES)).near_all == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_sizes": [1, 2, -1]}, "`batch_sizes` must be finite and above 0, but holds -1.0."),
        ({"updates": [3, 2, math.nan]}, "`updates` must be finite and above 0, but holds nan."),
        (
            {"updates": [3, 2]},
            "`updates` must have one value for each of `batch_sizes`, but has 2 for 3.",
        ),
        (
            {"censored": [True]},
            "`censored` must have one value for each of `batch_sizes`, but has 1 for 3.",
        ),
        (
            {"groups": [1]},
            "`groups` must have one value for each of `batch_sizes`, but has 1 for 3.",
        ),
        (
            {"half_widths": [0, 0, -1]},
            "`half_widths` must be finite and at least 0, but holds -1.0.",
        ),
    ],
)
def test_impossible_values_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        fit_steps_to_target(**{"batch_sizes": [1, 2, 3], "updates": [3, 2, 1], **options})
    assert str(refusal.value) == message


@pytest.mark.parametrize(("power", "plateau"), [(-1.3, NOT_IN_RANGE), (0.3, IN_RANGE)])
def test_an_end_that_no_resample_shows_is_bounded_by_the_likelihood(
    power: float, plateau: str
) -> None:
    sizes, groups = np.repeat(2.0 ** np.arange(8), 5), np.tile(np.arange(5), 8)
    noise = np.random.default_rng(8).normal(0, 0.05, sizes.size)
    fit = fit_steps_to_target(sizes, 1e4 * sizes**power * np.exp(noise), groups=groups)
    assert (fit.plateau, fit.interval_method) == (plateau, "profile likelihood")
    ends = fit.critical_batch_size_interval
    assert ends is not None
    assert ends.low < math.inf
    assert ends.high > 0
