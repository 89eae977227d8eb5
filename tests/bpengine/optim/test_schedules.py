"""Schedules by numbers worked out by hand, alone and in training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refused import refused

from bpengine import Architecture, BatchGrowth, Budget, Recipe, Schedule, Split, Training, train
from bpengine.network.architecture import initial_parameters
from bpengine.optim.schedules import SCHEDULES
from bpengine.passes import sequential
from bpengine.training.minibatches import epoch_order
from tests.bpengine.problems import make_splits

HALF = math.sqrt(0.5)

# What each schedule gives at t = 0, 1, 2, 3, 4, of 4.
BY_HAND = {
    "constant": (Schedule(), [1, 1, 1, 1, 1]),
    "step": (Schedule("step", decay=0.5, every=2), [1, 1, 0.5, 0.5, 0.25]),
    "exponential": (Schedule("exponential", decay=0.1), [1, 0.1, 0.01, 0.001, 0.0001]),
    "cosine": (Schedule("cosine"), [1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 0]),
    "inverse": (Schedule("inverse", decay=0.5), [1, 2 / 3, 1 / 2, 2 / 5, 1 / 3]),
}

schedules = pytest.mark.parametrize(("schedule", "expected"), BY_HAND.values(), ids=BY_HAND)


def with_warmup(schedule: Schedule, warmup: int) -> Schedule:
    return Schedule(schedule.kind, warmup=warmup, decay=schedule.decay, every=schedule.every)


def test_every_schedule_is_tested_by_hand() -> None:
    assert BY_HAND.keys() == SCHEDULES.keys()


@schedules
def test_a_schedule_gives_the_numbers_worked_out_by_hand(
    schedule: Schedule, expected: list[float]
) -> None:
    assert [schedule.factor(t, 4) for t in range(5)] == pytest.approx(
        expected, rel=1e-14, abs=1e-16
    )


@schedules
def test_warm_up_multiplies_what_the_schedule_gives(
    schedule: Schedule, expected: list[float]
) -> None:
    actual = [with_warmup(schedule, 4).factor(t, 4) for t in range(5)]
    warm = [0.25, 0.5, 0.75, 1, 1]
    by_hand = [w * e for w, e in zip(warm, expected, strict=True)]
    assert actual == pytest.approx(by_hand, rel=1e-14, abs=1e-16)


@schedules
@given(t=st.integers(0, 10_000), total=st.integers(1, 10_000), warmup=st.integers(0, 100))
def test_a_factor_is_at_least_0_and_at_most_1(
    schedule: Schedule, expected: list[float], t: int, total: int, warmup: int
) -> None:
    assert expected[0] == 1
    assert 0 <= with_warmup(schedule, warmup).factor(t, total) <= 1


COUNTS = "`0 <= warmup`", "`1 <= every`"
DECAYS = "above 0 and at most 1", "'inverse' finite and at least 0"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"kind": "cosinus"}, ("`kind`", sorted(SCHEDULES), "'cosinus'")),
        ({"per": "iteration"}, ("`per`", ["epoch", "update"], "'iteration'")),
        ({"warmup": -1}, (*COUNTS, "warmup=-1, every=1")),
        ({"every": 0}, (*COUNTS, "warmup=0, every=0")),
        ({"kind": "step", "decay": 0.0}, (*DECAYS, "but got 0.0")),
        ({"kind": "step", "decay": 1.1}, (*DECAYS, "but got 1.1")),
        ({"kind": "exponential", "decay": math.nan}, (*DECAYS, "but got nan")),
        ({"kind": "inverse", "decay": -0.1}, (*DECAYS, "but got -0.1")),
        ({"kind": "inverse", "decay": math.inf}, (*DECAYS, "but got inf")),
    ],
)
def test_what_is_no_schedule_is_refused(options: dict[str, Any], parts: tuple[object, ...]) -> None:
    refused(lambda: Schedule(**options), *parts)


def test_the_ends_of_the_ranges_are_accepted() -> None:
    assert Schedule("cosine").factor(9, 4) == 0
    assert Schedule("step", decay=1.0).factor(7, 9) == 1
    assert Schedule("inverse", decay=0.0).factor(7, 9) == 1
    assert Schedule("inverse", decay=3.0).factor(1, 9) == 0.25


# Growing batches


@pytest.mark.parametrize(
    ("factor", "every", "limit", "sizes"),
    [(2, 3, 50, [10] * 3 + [20] * 3 + [40] * 7), (3, 1, 90, [10, 30, 90, 90])],
    ids=["never past the limit", "up to it"],
)
def test_batches_grow_up_to_the_limit(
    factor: int, every: int, limit: int, sizes: list[int]
) -> None:
    growth = BatchGrowth.repeated(10, factor, every, limit)
    assert growth is not None
    assert [growth.batch_size(10, epoch) for epoch in range(len(sizes))] == sizes


def test_a_limit_below_the_first_growth_allows_none() -> None:
    assert BatchGrowth.repeated(10, 2, 1, 19) is None


@pytest.mark.parametrize(("rule", "factor"), [("none", 1.0), ("linear", 4.0), ("sqrt", 2.0)])
def test_the_rate_follows_the_batch_size(rule: str, factor: float) -> None:
    growth = BatchGrowth(((2, 40),), rule)
    assert [growth.rate_factor(10, epoch) for epoch in (1, 2)] == [1.0, factor]


@pytest.mark.parametrize("steps", [(), ((0, 8),), ((1, 0),), ((2, 8), (1, 16)), ((1, 8), (1, 16))])
def test_growth_out_of_range_is_refused(steps: tuple[tuple[int, int], ...]) -> None:
    refused(lambda: BatchGrowth(steps), "ascending epochs", "at least 1", repr(steps))
    refused(lambda: BatchGrowth(((1, 8),), "cubic"), "`rate_rule`", "'cubic'")


# Schedules in training, against a loop of updates of the per-item reference

ARCHITECTURE = Architecture((4, 2))
ITEMS = 10
RATES = [0.5, 2.0]


def by_loop(
    split: Split,
    rate: float,
    batch_sizes: list[int],
    factor: Callable[[int, int], float],
    updates: int | None = None,
) -> np.ndarray:
    """Return the weights after epochs with these batch sizes; `factor(update, epoch)`."""
    (W,) = ARCHITECTURE.layers(initial_parameters(ARCHITECTURE, split.seed, np.float64))
    made = 0
    for epoch, size in enumerate(batch_sizes):
        order = epoch_order(split.seed, epoch, ITEMS)
        for start in range(0, ITEMS, size):
            if made == updates:
                return W.mT.ravel()
            chosen = order[start : start + size]
            batch = [(split.train.inputs[chosen], split.train.targets[chosen])]
            (W,) = sequential.train([W], batch, rate * factor(made, epoch))
            made += 1
    return W.mT.ravel()


def by_engine(splits: list[Split], schedule: Schedule, **options: Any) -> Training:
    settings = [{"learning_rate": rate} for rate in RATES]
    defaults: dict[str, Any] = {"batch_size": 4, "budget": Budget(epochs=3), "dtype": np.float64}
    return train(ARCHITECTURE, splits, settings, Recipe(schedule=schedule, **defaults | options))


# Ten examples in batches of 4: 3 updates per epoch, 9 in all.
IN_TRAINING: list[tuple[Schedule, Callable[[int, int], float]]] = [
    (Schedule("constant", warmup=5), lambda update, _epoch: min(1, (update + 1) / 5)),
    (Schedule("constant", per="epoch", warmup=2), lambda _update, epoch: 1 if epoch else 0.5),
    (Schedule("step", decay=0.5, every=2), lambda update, _epoch: 0.5 ** (update // 2)),
    (Schedule("step", per="epoch", decay=0.5), lambda _update, epoch: 0.5**epoch),
    (Schedule("exponential", decay=0.9), lambda update, _epoch: 0.9**update),
    (Schedule("exponential", per="epoch", decay=0.9), lambda _update, epoch: 0.9**epoch),
    (Schedule("cosine"), lambda update, _epoch: (1 + math.cos(math.pi * update / 9)) / 2),
    (Schedule("cosine", per="epoch"), lambda _update, epoch: [1, 0.75, 0.25][epoch]),
    (Schedule("inverse", decay=0.5), lambda update, _epoch: 1 / (1 + 0.5 * update)),
    (Schedule("inverse", per="epoch", decay=0.5), lambda _update, epoch: 1 / (1 + 0.5 * epoch)),
    (
        Schedule("cosine", warmup=3),
        lambda update, _epoch: min(1, (update + 1) / 3) * (1 + math.cos(math.pi * update / 9)) / 2,
    ),
]


@pytest.mark.parametrize(
    ("schedule", "factor"),
    IN_TRAINING,
    ids=[f"{s.kind}-{s.per}-{s.warmup}" for s, _ in IN_TRAINING],
)
def test_every_lanes_own_rate_follows_the_schedule(
    schedule: Schedule, factor: Callable[[int, int], float]
) -> None:
    splits = make_splits(ARCHITECTURE, [1, 2], ITEMS)
    actual = by_engine(splits, schedule).parameters
    for seed, setting in np.ndindex(2, 2):
        expected = by_loop(splits[seed], RATES[setting], [4, 4, 4], factor)
        np.testing.assert_allclose(actual[seed, setting], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("budget", "updates"),
    [(Budget(updates=7), 7), (Budget(examples=21), 6), (Budget(epochs=9, updates=4), 4)],
    ids=["updates", "examples", "the first of two"],
)
def test_the_cosine_ends_with_the_budget(budget: Budget, updates: int) -> None:
    # 21 examples: 4, 4, 2, 4, 4, 2 are 20, and the seventh update reaches them.
    updates += budget.examples is not None
    (split,) = make_splits(ARCHITECTURE, [1], ITEMS)
    trained = by_engine([split], Schedule("cosine"), budget=budget)
    expected = by_loop(
        split,
        RATES[0],
        [4, 4, 4],
        lambda update, _epoch: (1 + math.cos(math.pi * update / updates)) / 2,
        updates,
    )
    assert (trained.updates == updates).all()
    np.testing.assert_allclose(trained.parameters[0, 0], expected, rtol=1e-12, atol=1e-14)


def test_a_begun_epoch_counts_as_one_of_the_budget() -> None:
    # Seven updates begin a third epoch, so that the cosine per epoch is 1, 0.75, 0.25.
    (split,) = make_splits(ARCHITECTURE, [1], ITEMS)
    trained = by_engine([split], Schedule("cosine", per="epoch"), budget=Budget(updates=7))
    expected = by_loop(split, RATES[0], [4, 4, 4], lambda _update, epoch: [1, 0.75, 0.25][epoch], 7)
    np.testing.assert_allclose(trained.parameters[0, 0], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_training_on_growing_batches_is_a_loop_over_them(kind: str) -> None:
    # Batches of 2, 4 and 8 of ten examples: 5, 3 and 2 updates.
    (split,) = make_splits(ARCHITECTURE, [1], ITEMS)
    growth = BatchGrowth(((1, 4), (2, 8)))
    trained = by_engine([split], Schedule(kind), growth=growth, batch_size=2)
    factors: dict[str, Callable[[int, int], float]] = {
        "constant": lambda _update, _epoch: 1,
        "cosine": lambda update, _epoch: (1 + math.cos(math.pi * update / 10)) / 2,
    }
    assert (trained.updates == 10).all()
    assert (trained.examples == 30).all()
    for setting, rate in enumerate(RATES):
        expected = by_loop(split, rate, [2, 4, 8], factors[kind])
        np.testing.assert_allclose(trained.parameters[0, setting], expected, rtol=1e-12, atol=1e-14)


def test_a_schedule_does_not_notice_where_training_is_evaluated() -> None:
    splits = make_splits(ARCHITECTURE, [1, 2], ITEMS)
    schedule = Schedule("cosine", warmup=2)
    often = by_engine(splits, schedule, evaluate_at=tuple(range(31)))
    np.testing.assert_allclose(
        often.parameters, by_engine(splits, schedule).parameters, rtol=1e-12, atol=1e-14
    )
