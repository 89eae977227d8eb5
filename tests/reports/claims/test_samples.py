"""C1, C2 and C4 to C7: what is compared, and that it can support or contradict the claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from reports.claims.evidence import (
    CONTRADICTED,
    NOT_STUDIED,
    SUPPORTED,
    UNDECIDED,
    Evidence,
)
from reports.schema.results import CONFIRM, GroupDescription, StudyResults
from tests.helpers.claim_studies import Truth, study
from tests.helpers.judged import FALLING, FLAT, MEAN, PAIR, SUM, by_size, verdicts

pytestmark = pytest.mark.slow


def test_tensor_operations_that_are_faster_support_c1() -> None:
    judged = verdicts(study(FALLING))["C1"]
    at = {size: 4e-5 * size / (4e-5 + 1e-6 * size) for size in (1, 32, 1024)}
    assert judged.verdict == SUPPORTED
    assert judged.finding.effect == pytest.approx(math.sqrt(at[32] * at[1024]), rel=0.02)
    assert judged.finding.low < math.sqrt(at[32] * at[1024]) < judged.finding.high
    beside = judged.evidence[1]
    assert beside.sample.comparison == "one item"
    assert beside.finding.effect == pytest.approx(at[1], rel=0.02)


def test_tensor_operations_that_are_slower_contradict_c1() -> None:
    slow = {"tensor": lambda size: 8e-5 * size, "per-item": lambda size: 4e-5 * size}
    judged = verdicts(study(replace(FALLING, seconds=slow)))["C1"]
    assert judged.verdict == CONTRADICTED
    assert judged.finding.effect == pytest.approx(0.5, rel=0.02)
    assert judged.why == judged.claim.against["tensor"]


def test_timing_rounds_that_disagree_leave_c1_open() -> None:
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
    assert [evidence.sample.group for evidence in judged.evidence] == ["summed", "summed"]


SHARDED = {"group": "sharded", "shards": 4}


def shards_apart(by: float, *, spread: float = 0.0) -> Truth:
    def loss(plan: GroupDescription, seed: int) -> float:
        return by * 10 ** (spread * (seed % 3 - 1)) if plan.shards > 1 else 0.0

    return replace(FALLING, loss=loss)


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [
        (shards_apart(1e-7), SUPPORTED),
        (shards_apart(0.1), CONTRADICTED),
        (shards_apart(1e-4, spread=4), UNDECIDED),
    ],
    ids=["rounding", "apart", "wild"],
)
def test_shards_with_the_loss_of_whole_batches_support_c2(truth: Truth, verdict: str) -> None:
    judged = verdicts(study(truth, {}, SHARDED))["C2"]
    assert judged.verdict == verdict
    assert judged.evidence[0].sample.group == "sharded against digits"


def test_shards_that_differ_by_nothing_have_the_smallest_difference_there_is() -> None:
    judged = verdicts(study(FALLING, {}, SHARDED))["C2"]
    assert judged.verdict == SUPPORTED
    assert judged.finding.effect == pytest.approx(2**-52)


def test_local_updates_stand_beside_c2_and_do_not_judge_it() -> None:
    local = {"group": "local", "shards": 4, "local_updates": 2}
    truth = replace(FALLING, loss=lambda plan, _seed: 0.3 * (plan.local_updates > 1))
    judged = verdicts(study(truth, {}, SHARDED, local))["C2"]
    assert judged.verdict == SUPPORTED
    assert [e.verdict for e in judged.evidence] == [SUPPORTED, CONTRADICTED]
    assert "30.0%" in judged.sentence


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
        (against(0.1, 0.1), CONTRADICTED, "mitigation"),
        (against(0.3, 0.0), CONTRADICTED, "own fall"),
        (against(0.1, 0.1, noise=0.2), UNDECIDED, ""),
    ],
    ids=["both", "no remedy", "no fall", "noise"],
)
def test_c4_needs_both_a_smaller_fall_and_a_fall(truth: Truth, verdict: str, why: str) -> None:
    judged = verdicts(study(truth, *PAIR))["C4"]
    assert judged.verdict == verdict
    assert judged.claim.against.get(why, "") in judged.why


def test_c4_tells_the_effort_of_tuning() -> None:
    judged = verdicts(study(against(0.3, 0.1), *PAIR))["C4"]
    assert judged.budget == "equal epochs: 4 epochs; 3 rates each"
    assert judged.finding.effect == pytest.approx(0.2, abs=0.005)
    more = {**PAIR[1], "learning_rates": (0.01, 0.1, 1.0, 10.0)}
    unequal = verdicts(study(against(0.3, 0.1), PAIR[0], more))["C4"]
    assert unequal.budget == "equal epochs: 4 epochs; 4 rates against 3"


def test_adam_without_plain_descent_under_the_same_settings_says_nothing_of_c4() -> None:
    other = {"group": "plain", "reduction": "sum"}
    assert verdicts(study(against(0.3, 0.1), other, PAIR[1]))["C4"].verdict == NOT_STUDIED


@pytest.mark.parametrize(
    ("truth", "verdict"),
    [
        (by_size({1: 0.8, 32: 0.9, 1024: 0.8}), SUPPORTED),
        (by_size({1: 0.9, 32: 0.9, 1024: 0.8}), CONTRADICTED),
        (by_size({1: 0.95, 32: 0.9, 1024: 0.8}), CONTRADICTED),
        (replace(FLAT, noise=0.1), UNDECIDED),
    ],
    ids=["inside", "as good outside", "better outside", "noise"],
)
def test_c5_holds_if_no_batch_size_outside_is_as_good(truth: Truth, verdict: str) -> None:
    answers = verdicts(study(truth))["C5"]
    assert answers.verdict == verdict
    assert bool(answers.why) == (verdict != SUPPORTED)


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
        (replace(FLAT, seconds=SLIGHTLY), CONTRADICTED, "speed"),
        (by_size({1: 0.95, 32: 0.9, 1024: 0.8}), CONTRADICTED, "accuracy"),
        (replace(FLAT, noise=0.1), UNDECIDED, ""),
    ],
    ids=["fast and good", "hardly faster", "fast and bad", "noise"],
)
def test_c6_needs_a_large_gain_at_a_small_loss(truth: Truth, verdict: str, why: str) -> None:
    judged = verdicts(study(truth))["C6"]
    assert judged.verdict == verdict
    assert judged.claim.against.get(why, "") in judged.why


def test_the_baseline_of_c6_is_the_faster_engine() -> None:
    seconds = {"tensor": lambda size: 4e-5 + 1e-9 * size, "per-item": lambda size: 1e-5 * size}
    judged = verdicts(study(replace(FLAT, seconds=seconds)))["C6"]
    per_item, tensor = 1077 * 1e-5, 2 * 4.1e-5
    assert judged.finding.effect == pytest.approx(per_item / tensor, rel=0.05)


def needed(critical: float, slow: Mapping[tuple[int, str], float] | None = None) -> Truth:
    """Updates to the target follow 4 (1 + critical / B), times a factor for some."""

    def epochs(size: int, stage: str) -> float:
        updates = 4 * (1 + critical / size) * (slow or {}).get((size, stage), 1.0)
        return updates / -(-1077 // size)

    best = replace(FLAT, accuracy=lambda _plan, _size, rate: 0.9 if rate == 1 else 0.8)
    return replace(best, epochs_needed=epochs)


def by_kind(results: StudyResults) -> dict[str, Evidence]:
    return {e.sample.comparison: e for e in verdicts(results)["C7"].evidence}


def test_a_number_that_names_the_best_batch_size_contradicts_c7() -> None:
    # sqrt(25 * 4e-5 / 1e-6) = 31.6
    results = study(needed(25))
    judged = verdicts(results)["C7"]
    assert judged.verdict == CONTRADICTED
    assert judged.finding.effect == pytest.approx(1)
    assert "15%" in judged.why
    assert judged.budget.startswith("time to a target: 90% of the tuning seeds' way")
    closed = by_kind(results)["closed form"]
    assert (closed.verdict, closed.finding.effect) == (CONTRADICTED, pytest.approx(1))


def test_the_closed_form_is_held_against_what_is_measured() -> None:
    # On fresh seeds batch size 32 takes ten times the updates that the tuning seeds tell.
    slow = {(32, CONFIRM): 10.0}
    answers = by_kind(study(needed(25, slow)))
    times = {size: 4 * (1 + 25 / size) * (4e-5 + 1e-6 * size) for size in (1, 32, 1024)}
    expected = 10 * times[32] / min(times[1], times[1024])
    assert answers["closed form"].finding.effect == pytest.approx(expected, rel=0.2)
    assert answers["closed form"].verdict == SUPPORTED
    assert answers["measured"].finding.effect == answers["closed form"].finding.effect


def test_a_batch_size_that_is_slow_on_fresh_seeds_supports_c7() -> None:
    judged = verdicts(study(needed(25, {(32, CONFIRM): 10.0})))["C7"]
    assert judged.verdict == SUPPORTED
    assert judged.finding.low > 1.15


def test_two_batch_sizes_are_too_few_for_a_closed_form() -> None:
    assert [*by_kind(study(needed(25), {"batch_sizes": (1, 32)}))] == ["measured"]


def test_a_named_batch_size_that_misses_the_target_has_no_time() -> None:
    judged = verdicts(study(needed(25, {(32, CONFIRM): 1e6})))["C7"]
    assert judged.verdict == UNDECIDED
    assert "an unknown amount" in judged.sentence
    assert "(no interval)" in judged.sentence


def test_a_target_that_every_batch_size_misses_on_fresh_seeds_says_nothing() -> None:
    never = {(size, CONFIRM): 1e6 for size in (1, 32, 1024)}
    assert verdicts(study(needed(25, never)))["C7"].verdict == UNDECIDED


def test_comparisons_without_a_value_are_counted_but_not_averaged() -> None:
    results = study(needed(25), {"group": "a"}, {"group": "b"})
    judged = verdicts(_late(results, "b"))["C7"]
    assert "mean of 2 comparisons, 1 of them without a value: 0 for" in judged.sentence
    assert judged.finding.effect == pytest.approx(1)
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
