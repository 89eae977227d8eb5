"""C1, C2 and C4 to C7: what is compared, that it can support or contradict, no seed by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.equal_budgets import guess_level
from reports.claims._samples import (
    _slower,
    cross_fitted,
    explored,
    fall,
    round_seconds,
    tuned_values,
)
from reports.claims.evidence import NOT_STUDIED, NOT_SUPPORTED, SUPPORTED, UNDECIDED
from reports.recommend.analysis import analyse
from reports.recommend.record import Analysis
from reports.schema.results import CONFIRM, EXPLORE, REGRESSION, GroupDescription, StudyResults
from tests.helpers.claim_studies import FAST, FRESH, SEEDS, Truth, study
from tests.helpers.judged import FALLING, FLAT, MEAN, PAIR, SUM, by_size, verdicts
from tests.reports.conftest import DIGITS_GROUP, small

pytestmark = pytest.mark.slow


def test_vectorized_updates_that_are_faster_support_c1() -> None:
    judged = verdicts(study(FALLING))["C1"]
    at = {size: 4e-5 * size / (4e-5 + 1e-6 * size) for size in (32, 1024)}
    assert judged.verdict == SUPPORTED
    assert judged.finding.effect == pytest.approx(math.sqrt(at[32] * at[1024]), rel=0.02)
    assert judged.finding.low < math.sqrt(at[32] * at[1024]) < judged.finding.high


def test_vectorized_updates_that_are_slower_do_not_support_c1() -> None:
    slow = {"tensor": lambda size: 8e-5 * size, "per-item": lambda size: 4e-5 * size}
    judged = verdicts(study(replace(FALLING, seconds=slow)))["C1"]
    assert judged.verdict == NOT_SUPPORTED
    assert judged.finding.effect == pytest.approx(0.5, rel=0.02)


def test_benchmark_rounds_that_disagree_leave_c1_open() -> None:
    same = {"tensor": lambda size: 4e-5 * size, "per-item": lambda size: 4e-5 * size}
    judged = verdicts(study(replace(FALLING, seconds=same, jitter=0.3)))["C1"]
    assert judged.verdict == UNDECIDED
    assert "too wide" in judged.why


def test_measurements_that_groups_share_are_counted_once() -> None:
    results = study(FALLING, SUM, MEAN)
    first = results.timing[results.timing["group"] == "summed"].reset_index(drop=True)
    timing = results.timing.copy()
    shared = timing["group"] == "averaged"
    timing.loc[shared, "wall_seconds"] = first["wall_seconds"].to_numpy()
    judged = verdicts(replace(results, timing=timing))["C1"]
    assert [evidence.group for evidence in judged.evidence] == ["summed"]


SHARDED = {"group": "sharded", "shards": 4}


def shards_apart(by: float, *, spread: float = 0.0) -> Truth:
    def loss(plan: GroupDescription, seed: int) -> float:
        return by * 10 ** (spread * (seed % 3 - 1)) if plan.shards > 1 else 0.0

    return replace(FALLING, loss=loss)


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [
        (shards_apart(1e-7), SUPPORTED),
        (shards_apart(0.1), NOT_SUPPORTED),
        (shards_apart(1e-4, spread=4), UNDECIDED),
    ],
    ids=["rounding", "apart", "wild"],
)
def test_shards_with_the_loss_of_whole_batches_support_c2(truth: Truth, verdict: str) -> None:
    judged = verdicts(study(truth, {}, SHARDED))["C2"]
    assert judged.verdict == verdict
    assert judged.evidence[0].group == "sharded against digits"


def test_shards_that_differ_by_nothing_have_the_smallest_difference_there_is() -> None:
    judged = verdicts(study(FALLING, {}, SHARDED))["C2"]
    assert judged.verdict == SUPPORTED
    assert judged.finding.effect == pytest.approx(2**-52)


def test_local_updates_are_shown_and_do_not_judge_c2() -> None:
    local = {"group": "local", "shards": 4, "local_updates": 2}
    truth = replace(FALLING, loss=lambda plan, _seed: 0.3 * (plan.local_updates > 1))
    judged = verdicts(study(truth, {}, SHARDED, local))["C2"]
    assert judged.verdict == SUPPORTED
    assert [e.verdict for e in judged.evidence] == [SUPPORTED, NOT_SUPPORTED]
    assert "30%" in judged.sentence


def test_shards_without_whole_batches_under_the_same_settings_say_nothing_of_c2() -> None:
    other = {**SHARDED, "reduction": "sum"}
    assert verdicts(study(FALLING, {}, other))["C2"].verdict == NOT_STUDIED


def against(plain: float, adam: float, noise: float = 0.001) -> Truth:
    def accuracy(plan: GroupDescription, size: int, _rate: float) -> float:
        return 0.9 - math.log2(size) / 10 * (adam if plan.optimizer == "adam" else plain)

    return Truth(accuracy=accuracy, noise=noise)


@pytest.mark.parametrize(
    ("truth", "verdict", "why"),
    [
        (against(0.3, 0.1), SUPPORTED, ""),
        (against(0.1, 0.1), NOT_SUPPORTED, "mitigation"),
        (against(0.3, 0.0), NOT_SUPPORTED, "adaptive fall"),
        (against(0.1, 0.1, noise=0.2), UNDECIDED, ""),
    ],
    ids=["both", "no remedy", "no fall", "noise"],
)
def test_c4_needs_both_a_smaller_fall_and_a_fall(truth: Truth, verdict: str, why: str) -> None:
    judged = verdicts(study(truth, *PAIR))["C4"]
    assert judged.verdict == verdict
    assert why in judged.why


def test_c4_shows_the_effort_of_tuning() -> None:
    judged = verdicts(study(against(0.3, 0.1), *PAIR))["C4"]
    assert judged.budget == "equal epochs: 4 epochs; 3 rates each"
    assert judged.finding.effect == pytest.approx(0.2, abs=0.005)
    more = {**PAIR[1], "learning_rates": (0.01, 0.1, 1.0, 10.0)}
    unequal = verdicts(study(against(0.3, 0.1), PAIR[0], more))["C4"]
    assert unequal.budget == "equal epochs: 4 epochs; 4 rates against 3"


def test_adam_without_sgd_under_the_same_settings_says_nothing_of_c4() -> None:
    other = {"group": "plain", "reduction": "sum"}
    assert verdicts(study(against(0.3, 0.1), other, PAIR[1]))["C4"].verdict == NOT_STUDIED


def test_c4_measures_each_fall_from_the_best_size_of_its_optimizer() -> None:
    peak = {"sgd": {1: 0.8, 32: 0.9, 1024: 0.7}, "adam": {1: 0.9, 32: 0.6, 1024: 0.85}}
    truth = Truth(accuracy=lambda plan, size, _rate: peak[plan.optimizer][size])
    judged = verdicts(study(truth, *PAIR))["C4"]
    assert judged.verdict == SUPPORTED
    effects = {e.comparison: e.finding.effect for e in judged.evidence}
    assert effects == pytest.approx({"mitigation": 0.15, "adaptive fall": -0.05}, abs=0.003)


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [
        (by_size({1: 0.8, 32: 0.9, 1024: 0.8}), SUPPORTED),
        (by_size({1: 0.9, 32: 0.898, 1024: 0.8}), SUPPORTED),
        (by_size({1: 0.95, 32: 0.9, 1024: 0.8}), NOT_SUPPORTED),
        (replace(FLAT, noise=0.1), UNDECIDED),
    ],
    ids=["the best", "near-optimal", "worse", "noise"],
)
def test_c5_holds_if_the_common_batch_sizes_are_near_optimal(truth: Truth, verdict: str) -> None:
    assert verdicts(study(truth))["C5"].verdict == verdict


def test_c5_is_judged_by_the_worst_of_the_common_batch_sizes() -> None:
    truth = by_size({1: 0.9, 16: 0.92, 32: 0.9, 64: 0.87})
    judged = verdicts(study(truth, {"batch_sizes": (1, 16, 32, 64)}))["C5"]
    assert judged.verdict == NOT_SUPPORTED
    assert judged.finding.effect == pytest.approx(-0.05, abs=0.003)
    assert "batch size 16 to 64" in judged.sentence


def test_c5_and_c6_are_judged_on_seeds_that_chose_nothing() -> None:
    answers = verdicts(study(FALLING, fresh=()))
    assert {answers[name].verdict for name in ("C5", "C6", "C7")} == {NOT_STUDIED}


def test_batch_sizes_on_one_side_only_say_nothing_of_c5() -> None:
    inside = {"batch_sizes": (16, 32)}
    assert verdicts(study(Truth(), inside))["C5"].verdict == NOT_STUDIED


SLIGHTLY = {"tensor": lambda size: 4e-5 * size**0.8}
"""Seconds of an update: the largest batch trains four times as fast as the smallest."""


@pytest.mark.parametrize(
    ("truth", "verdict", "why"),
    [
        (FLAT, SUPPORTED, ""),
        (replace(FLAT, seconds=SLIGHTLY), NOT_SUPPORTED, "speed"),
        (by_size({1: 0.95, 32: 0.9, 1024: 0.8}), NOT_SUPPORTED, "accuracy"),
        (replace(FLAT, noise=0.1), UNDECIDED, ""),
    ],
    ids=["fast and good", "hardly faster", "fast and bad", "noise"],
)
def test_c6_needs_a_large_gain_at_a_small_loss(truth: Truth, verdict: str, why: str) -> None:
    judged = verdicts(study(truth))["C6"]
    assert judged.verdict == verdict
    assert why in judged.why


def test_the_baseline_of_c6_is_the_faster_engine() -> None:
    seconds = {"tensor": lambda size: 4e-5 + 1e-9 * size, "per-item": lambda size: 1e-5 * size}
    judged = verdicts(study(replace(FLAT, seconds=seconds)))["C6"]
    per_item, tensor = 1077 * 1e-5, 2 * 4.1e-5
    assert judged.finding.effect == pytest.approx(per_item / tensor, rel=0.05)


def test_c6_names_batch_size_1_or_the_smallest_run() -> None:
    first = verdicts(study(FLAT))["C6"]
    other = verdicts(study(by_size({8: 0.9, 32: 0.9, 1024: 0.9}), {"batch_sizes": (8, 32, 1024)}))
    for judged, smallest in ((first, "batch size 1"), (other["C6"], "the smallest")):
        names = [e.comparison for e in judged.evidence]
        assert names == [f"speed against {smallest}", f"accuracy against {smallest}"]
    assert "batch size 1 to 1024" in first.sentence
    assert "batch size 8 to 1024" in other["C6"].sentence
    assert "1 was not run" in other["C6"].sentence


def needed(critical: float, slow: Mapping[tuple[int, str], float] | None = None) -> Truth:
    """Updates to the target follow 4 (1 + critical / B), times a factor for some."""

    def epochs(size: int, stage: str) -> float:
        updates = 4 * (1 + critical / size) * (slow or {}).get((size, stage), 1.0)
        return updates / -(-1077 // size)

    best = replace(FLAT, accuracy=lambda _plan, _size, rate: 0.9 if rate == 1 else 0.8)
    return replace(best, epochs_needed=epochs)


def test_c7_is_not_supported_if_a_rule_names_a_batch_size_that_is_as_fast() -> None:
    # sqrt(25 * 4e-5 / 1e-6) = 31.6
    judged = verdicts(study(needed(25)))["C7"]
    assert [e.comparison for e in judged.evidence] == ["fitted model"]
    assert judged.verdict == NOT_SUPPORTED
    assert judged.finding.effect == pytest.approx(_slowness(1), rel=0.05)
    assert judged.budget.startswith("time to a validation accuracy of ")
    assert judged.why == ""


@pytest.mark.parametrize(("slowness", "verdict"), [(10.0, SUPPORTED), (1e6, SUPPORTED)])
def test_c7_is_supported_if_the_rule_misses_on_fresh_seeds(slowness: float, verdict: str) -> None:
    # On fresh seeds batch size 32 takes that many times the updates of the tuning seeds.
    judged = verdicts(study(needed(25, {(32, CONFIRM): slowness})))["C7"]
    assert judged.verdict == verdict
    assert judged.why == judged.claim.upheld
    if slowness > 100:
        assert "8 of 8 runs miss the target" in judged.sentence
        return
    assert judged.finding.effect == pytest.approx(_slowness(slowness), rel=0.2)


def _slowness(factor: float) -> float:
    """How many times as long batch size 32 takes as the fastest other."""
    times = {size: 4 * (1 + 25 / size) * (4e-5 + 1e-6 * size) for size in (1, 32, 1024)}
    return factor * times[32] / min(times[1], times[1024])


def test_two_batch_sizes_are_too_few_for_a_fitted_model() -> None:
    judged = verdicts(study(needed(25), {"batch_sizes": (1, 32)}))["C7"]
    assert judged.verdict == NOT_STUDIED


def test_the_noise_scale_is_a_rule_of_its_own_made_on_the_tuning_seeds() -> None:
    results = study(needed(25))
    # At the tuning seeds' fastest size: sqrt(25 * 4e-5 / 1e-6) = 31.6; fresh seeds measure else.
    tuning = results.curves["trial"].str.contains(EXPLORE)
    trace = np.where(tuning, 25.0, 25e6)
    curves = results.curves.assign(gradient_trace=trace, gradient_squared_norm=1.0)
    judged = verdicts(replace(results, curves=curves))["C7"]
    effects = {e.comparison: e.finding.effect for e in judged.evidence}
    expected = pytest.approx(_slowness(1), rel=0.05)
    assert effects == {"fitted model": expected, "noise scale": expected}


def test_a_target_that_every_batch_size_misses_on_fresh_seeds_says_nothing() -> None:
    never = {(size, CONFIRM): 1e6 for size in (1, 32, 1024)}
    assert verdicts(study(needed(25, never)))["C7"].verdict == NOT_STUDIED


def test_comparisons_without_a_value_are_counted_but_not_averaged() -> None:
    results = study(needed(25), {"group": "a"}, {"group": "b"})
    judged = verdicts(_late(results, "b"))["C7"]
    assert "mean of 2 comparisons, 1 of them without a value: 0 for" in judged.sentence
    assert judged.finding.effect == pytest.approx(_slowness(1), rel=0.05)
    assert judged.verdict == UNDECIDED


def _late(results: StudyResults, group: str) -> StudyResults:
    """The study with one fresh trial of batch size 32 that never learns."""
    trial = f"{group} {CONFIRM} 32 "
    curves = results.curves
    late = curves["trial"].str.startswith(trial) & curves["trial"].str.endswith(" 101")
    metric = curves["validation_metric"].mask(late, 0.1)
    return replace(results, curves=curves.assign(validation_metric=metric))


def test_trials_without_a_curve_never_reach_a_target() -> None:
    results = study(needed(25))
    assert verdicts(replace(results, curves=results.curves[:0]))["C7"].verdict == NOT_STUDIED


def numbers(truth: Truth) -> Analysis:
    (analysis,) = analyse(study(truth))
    return analysis


def values(table: dict[tuple[int, float], list[float]]) -> pd.DataFrame:
    cells = pd.MultiIndex.from_tuples(table, names=["batch_size", "learning_rate"])
    return pd.DataFrame([*table.values()], cells).T.rename_axis("seed")


def test_a_seed_never_chooses_the_rate_it_judges() -> None:
    # Each seed is best at another rate: chosen by itself it would be 1, by the others 0.
    fitted = cross_fitted(values({(8, 0.1): [1.0, 0.0], (8, 1.0): [0.0, 1.0]}))
    assert fitted[8].tolist() == [0.0, 0.0]


def test_the_best_of_equal_cells_is_no_better_than_they_are() -> None:
    rng = np.random.default_rng(0)
    means = [
        cross_fitted(values({(8, float(rate)): rng.normal(size=4).tolist() for rate in range(6)}))[
            8
        ].mean()
        for _ in range(100)
    ]
    # Chosen by itself, the best of six means of four would be 0.63 on average.
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(100) < 0.35


def test_each_batch_size_has_its_own_rate_unless_one_is_kept() -> None:
    table = values(
        {(1, 0.1): [0.9, 0.9], (1, 1.0): [0.5, 0.5], (8, 0.1): [0.2, 0.2], (8, 1.0): [0.8, 0.8]}
    )
    assert cross_fitted(table).loc[0].to_dict() == {1: 0.9, 8: 0.8}
    assert cross_fitted(table, fixed=True).loc[0].to_dict() == {1: 0.9, 8: 0.2}


def test_a_fixed_rate_is_one_that_every_batch_size_tried() -> None:
    table = values({(1, 0.1): [0.9, 0.9], (1, 1.0): [0.5, 0.5], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(table, fixed=True).loc[1].to_dict() == {1: 0.5, 8: 0.8}
    assert cross_fitted(values({(1, 0.1): [0.9, 0.9]}), fixed=True).columns.tolist() == [1]
    apart = values({(1, 0.1): [0.9, 0.9], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(apart, fixed=True).empty


def test_a_rate_with_a_missing_seed_is_not_chosen() -> None:
    table = values({(8, 0.1): [0.9, 0.9, np.nan], (8, 1.0): [0.5, 0.5, 0.5]})
    assert cross_fitted(table)[8].tolist() == [0.5] * 3


def test_one_seed_can_not_judge_what_it_chose() -> None:
    assert cross_fitted(values({(8, 0.1): [0.9]})).empty


def test_equal_rates_are_the_smaller_one_whatever_rounding_does() -> None:
    third = 0.1 + 0.2
    table = values({(8, 0.1): [0.3, 0.3, 0.5], (8, 1.0): [third, third, 0.7]})
    assert cross_fitted(table)[8].tolist()[2] == 0.5


def test_a_diverged_trial_counts_as_a_guess() -> None:
    group = numbers(Truth(diverges=lambda _, size, rate: (size, rate) == (1024, 10.0)))
    values = explored(group)
    assert values[1024, 10.0].tolist() == [0.1] * len(SEEDS)
    assert values[1024, 1.0].min() > 0.8


def test_guessing_is_one_class_of_several_and_explains_no_variance() -> None:
    assert guess_level(DIGITS_GROUP) == 0.1
    (regression,) = small(task=REGRESSION).groups
    assert guess_level(regression) == 0.0
    (single,) = small(outputs=1).groups
    assert guess_level(single) == 0.5


def test_the_tuned_values_are_those_of_fresh_seeds() -> None:
    fitted = tuned_values(numbers(Truth()))
    assert fitted.index.tolist() == [*FRESH]
    assert fitted.columns.tolist() == [1, 32, 1024]


def test_rounds_are_kept_separate_by_engine() -> None:
    fitted = round_seconds(numbers(Truth(seconds=FAST, jitter=0)))
    assert fitted["per-item"][32].tolist() == pytest.approx([32 * 4e-5] * 7)
    assert fitted["tensor"][32].tolist() == pytest.approx([7.2e-5] * 7)
    assert round_seconds(numbers(Truth())) == {}


def test_a_fall_is_from_the_best_smaller_batch_size_to_the_largest() -> None:
    table = pd.DataFrame({1: [0.8, 0.8], 8: [0.9, 0.95], 64: [0.7, 0.7]}, index=[1, 2])
    assert fall(table).to_dict() == pytest.approx({1: -0.2, 2: -0.25})
    assert fall(table, 1).to_dict() == pytest.approx({1: -0.1, 2: -0.1})
    # The largest may be the best.
    assert fall(table[[1, 8]]).to_dict() == pytest.approx({1: 0.1, 2: 0.15})


def test_no_seed_chooses_the_best_size_that_it_judges() -> None:
    table = pd.DataFrame({1: [0.9, 0.5], 8: [0.5, 0.9], 64: [0.7, 0.7]}, index=[1, 2])
    assert fall(table).to_dict() == pytest.approx({1: 0.2, 2: 0.2})


def test_seeds_that_lack_a_batch_size_and_single_batch_sizes_have_no_fall() -> None:
    table = pd.DataFrame({1: [0.9, 0.9, 0.9], 8: [0.8, np.nan, 0.8]}, index=[1, 2, 3])
    assert fall(table).index.tolist() == [1, 3]
    assert fall(table[:1]).empty
    assert fall(table[[1]]).empty
    assert fall(table[:0]).empty


@pytest.mark.parametrize(("wanted", "slower"), [(0.0, 1.0), (8.0, 1.0), (math.inf, 3.0)])
def test_a_predicted_size_beyond_those_measured_is_the_nearest(
    wanted: float, slower: float
) -> None:
    times = pd.DataFrame({8: [1.0] * 3, 32: [1.0] * 3, 128: [3.0] * 3})
    assert np.exp(_slower(times, wanted)).tolist() == pytest.approx([slower] * 3)
