"""The batch size to use: reference, order, gatekeeping, and what is said where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.recommend.record import Analysis
from reports.schema.results import CONFIRM, EXPLORE, StudyResults
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE, SLOWER, UNDECIDED, WORSE
from tests.reports.conftest import (
    Sketch,
    keep,
    make_results,
    nothing_run,
    numbers,
    of_seeds,
    small,
    without_timing,
)

SIZES = (4, 8, 16, 32)
QUICKER = dict(zip(SIZES, (4.0, 3.0, 2.0, 1.0), strict=True))
"""Seconds to train."""


@pytest.fixture(scope="module")
def plain() -> StudyResults:
    """A study of four batch sizes, with 5 tuning and 5 fresh seeds."""
    return make_results(Sketch(small(batch_sizes=SIZES, learning_rates=(0.1, 0.3)), rounds=2))


def judged(
    results: StudyResults,
    losses: Mapping[int, float],
    best: int = 8,
    seconds: Mapping[int, float] = QUICKER,
    spread: float = 0.0,
) -> Analysis:
    """Return the numbers of a study where sizes lose that much, and one is best at tuning."""
    trials, timing = results.trials, results.timing
    rng = np.random.default_rng(3)
    size, ok = trials["batch_size"], trials["status"] == "ok"
    noise = spread * pd.Series(rng.normal(size=len(trials)), trials.index)
    fresh = 0.9 - size.map(losses).fillna(0.0) + 0.01 * (trials["seed"] % 5) + noise
    tuned = 0.8 + 0.1 * (size == best)
    timing = timing.assign(
        wall_seconds=timing["batch_size"].map(seconds)
        / (20 * np.ceil(1077 / timing["batch_size"]))
        * timing["updates"]
    )
    changed = trials.assign(
        validation_metric=tuned.where(ok),
        test_metric=fresh.where(ok & (trials["stage"] == CONFIRM)),
    )
    return numbers(replace(results, trials=changed, timing=timing))


def verdicts(analysis: Analysis) -> dict[int, str]:
    table = analysis.batch_sizes
    return dict(zip(table["batch_size"].tolist(), table["verdict"], strict=True))


def test_the_fastest_that_is_shown_near_optimal_is_named_with_its_rate(plain: StudyResults) -> None:
    analysis = judged(plain, {16: 0.002, 32: 0.1})
    answer = analysis.answer
    assert (answer.reference, answer.batch_size) == (8, 16)
    assert answer.learning_rate == analysis.row(16)["learning_rate"]
    assert answer.near_optimal == [8, 16]
    assert verdicts(analysis) == {4: SLOWER, 8: REFERENCE, 16: NEAR_OPTIMAL, 32: WORSE}
    assert answer.next is not None
    assert answer.next.batch_size == 32
    assert answer.more_seeds is None


def test_a_size_after_the_first_that_fails_is_undecided(plain: StudyResults) -> None:
    analysis = judged(plain, {16: 0.05})
    assert analysis.recommended == 8
    assert verdicts(analysis) == {4: SLOWER, 8: REFERENCE, 16: WORSE, 32: UNDECIDED}
    assert judged(plain, {16: 0.05, 32: 0.05}).answer.near_optimal == [8]


def test_what_is_undecided_is_never_named_and_its_seeds_are_counted(plain: StudyResults) -> None:
    analysis = judged(plain, {16: 0.0, 32: 0.0}, spread=0.02)
    answer = analysis.answer
    assert answer.next is not None
    assert answer.next.verdict == UNDECIDED
    assert answer.batch_size not in {each.batch_size for each in answer.compared[2:]}
    assert answer.more_seeds is None or answer.more_seeds > 0


def test_exact_ties_name_the_fastest(plain: StudyResults) -> None:
    assert judged(plain, {}).recommended == 32
    assert judged(plain, {}, best=32).answer.near_optimal == [32]


def test_the_margin_is_the_studys(plain: StudyResults) -> None:
    described = replace(plain.description, margin=0.2)
    generous = judged(replace(plain, description=described), {16: 0.05, 32: 0.1})
    assert (generous.margin, generous.recommended) == (0.2, 32)
    assert judged(plain, {16: 0.05, 32: 0.1}).margin == 0.01


def test_a_size_that_is_no_faster_than_a_nearer_one_is_left_out(plain: StudyResults) -> None:
    seconds = {4: 2.5, 8: 3.0, 16: 3.5, 32: 1.0}
    analysis = judged(plain, {16: 0.05}, seconds=seconds)
    assert [each.batch_size for each in analysis.answer.compared] == [8, 4, 32]
    # Not to be faster keeps 16 from standing in the way.
    assert analysis.recommended == 32
    assert verdicts(analysis)[16] == WORSE


def test_without_times_the_order_is_that_of_the_batch_sizes(plain: StudyResults) -> None:
    analysis = judged(without_timing(plain), {32: 0.1})
    assert [each.batch_size for each in analysis.answer.compared] == [8, 16, 32]
    assert analysis.recommended == 16


def test_of_given_rates_half_of_the_seeds_choose_and_half_judge() -> None:
    sketch = small(
        batch_sizes=SIZES, learning_rates=(0.1,), confirmation_seeds=tuple(range(100, 112))
    )
    results = make_results(Sketch(sketch, rounds=2))
    given = keep(results, results.trials["stage"] == CONFIRM)
    given = replace(given, description=replace(given.description, seeds=()))
    trials = given.trials
    earlier = trials["seed"] <= 105
    # 16 is ahead where it chooses, and behind where it is judged.
    gap = (trials["batch_size"] == 16) * np.where(earlier, 0.05, -0.05)
    analysis = numbers(replace(given, trials=trials.assign(test_metric=0.9 + gap)))
    assert analysis.reference == 16
    assert set(analysis.judged["seed"]) == {*range(106, 112)}
    assert analysis.answer.shortfall(32).mean == pytest.approx(-0.05)
    assert analysis.answer.shortfall(32).seeds == 6


def test_fewer_than_five_fresh_seeds_name_nothing(plain: StudyResults) -> None:
    few = of_seeds(plain, *plain.description.seeds, 100, 101, 102, 103)
    answer = judged(few, {}).answer
    assert (answer.batch_size, answer.learning_rate, answer.compared) == (None, None, ())
    assert "5" in answer.reason
    assert "4" in answer.reason


def test_tuning_seeds_alone_name_nothing(plain: StudyResults) -> None:
    analysis = numbers(keep(plain, plain.trials["stage"] == EXPLORE))
    assert analysis.reference is not None
    assert analysis.recommended is None
    assert analysis.answer.reason


def test_a_study_that_has_not_begun_has_no_reference(plain: StudyResults) -> None:
    analysis = numbers(nothing_run(plain))
    assert (analysis.reference, analysis.recommended, analysis.counts.run) == (None, None, 0)
    assert analysis.answer.reason


def test_a_size_with_a_failed_seed_is_neither_reference_nor_named(plain: StudyResults) -> None:
    rows = (plain.trials["stage"] == CONFIRM) & plain.trials["batch_size"].isin([8, 32])
    lost = rows & (plain.trials["seed"] == 100)
    trials = plain.trials.assign(status=plain.trials["status"].mask(lost, "error"))
    analysis = judged(replace(plain, trials=trials), {})
    assert analysis.reference not in {8, 32}
    assert analysis.recommended not in {8, 32}
