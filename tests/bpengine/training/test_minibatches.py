"""Segments cover every epoch in whole batches and stop where an evaluation is due."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refused import refused

from bpengine import BatchGrowth
from bpengine.passes.backprop import shard_slices
from bpengine.training.minibatches import (
    BLOCK,
    Budget,
    Segment,
    batches,
    epoch_order,
    evaluation_points,
    segments,
    updates_per_epoch,
)

BatchSize = Callable[[int], int]


def always(size: int) -> BatchSize:
    return lambda _epoch: size


def growing(first: int, limit: int) -> BatchSize:
    growth = BatchGrowth.repeated(first, 2, 1, limit)
    return lambda epoch: growth.batch_size(first, epoch) if growth else first


def update_by_update(
    items: int, batch_size: BatchSize, budget: Budget
) -> list[tuple[int, int, int, int]]:
    """Return epoch, start, stop and batch size of every update: one loop, one rule at a time."""
    actual: list[tuple[int, int, int, int]] = []
    seen = 0
    for epoch in itertools.count():
        size = batch_size(epoch)
        for start in range(0, items, size):
            if (
                epoch == budget.epochs
                or len(actual) == budget.updates
                or (budget.examples is not None and seen >= budget.examples)
            ):
                return actual
            stop = min(start + size, items)
            actual.append((epoch, start, stop, size))
            seen += stop - start
    raise AssertionError


budgets = st.builds(
    Budget,
    epochs=st.integers(1, 4),
    updates=st.none() | st.integers(1, 200),
    examples=st.none() | st.integers(1, 300),
)


@given(
    items=st.integers(1, 3000),
    batch_share=st.floats(0, 1),
    epochs=st.integers(1, 3),
    points=st.sets(st.integers(1, 9000), max_size=8),
    together=st.integers(1, 4),
)
def test_segments_cover_the_epochs_in_whole_batches(
    items: int, batch_share: float, epochs: int, points: set[int], together: int
) -> None:
    batch_size = max(1, round(items * batch_share))
    unit = batch_size * together
    budget = Budget(epochs=epochs)
    actual = list(segments(items, always(batch_size), budget, sorted(points), together=together))
    for epoch in range(epochs):
        in_epoch = [segment for segment in actual if segment.epoch == epoch]
        starts, stops = [s.start for s in in_epoch], [s.stop for s in in_epoch]
        assert starts == [0, *stops[:-1]]
        assert stops[-1] == items
        assert all(start % unit == 0 for start in starts)
        assert all(s.stop - s.start <= max(BLOCK, unit) for s in in_epoch)


@given(
    items=st.integers(1, 60),
    batch_share=st.floats(0, 1),
    budget=budgets,
    points=st.sets(st.integers(1, 250), max_size=8),
    grows=st.booleans(),
)
def test_segments_hold_the_updates_that_a_loop_over_them_makes(
    items: int, batch_share: float, budget: Budget, points: set[int], *, grows: bool
) -> None:
    first = max(1, round(items * batch_share))
    batch_size = growing(first, items) if grows else always(first)
    actual = [
        (s.epoch, start, min(start + s.batch_size, s.stop), s.batch_size)
        for s in segments(items, batch_size, budget, sorted(points))
        for start in range(s.start, s.stop, s.batch_size)
    ]
    assert actual == update_by_update(items, batch_size, budget)


@given(
    items=st.integers(1, 300),
    batch_size=st.integers(1, 300),
    points=st.sets(st.integers(1, 900), max_size=8),
    together=st.integers(1, 4),
)
def test_each_point_is_evaluated_after_the_first_update_at_or_past_it(
    items: int, batch_size: int, points: set[int], together: int
) -> None:
    # Updates that belong together count as one here.
    batch_size = min(batch_size, items)
    unit = batch_size * together
    boundaries = [
        epoch * items + min(update * unit, items)
        for epoch in range(3)
        for update in range(1, updates_per_epoch(items, unit) + 1)
    ]
    wanted = {min((b for b in boundaries if b >= point), default=None) for point in points} - {None}
    actual = [
        s.epoch * items + s.stop
        for s in segments(
            items, always(batch_size), Budget(epochs=3), sorted(points), together=together
        )
        if s.evaluate
    ]
    assert actual == sorted(wanted)


@given(items=st.integers(1, 60), first=st.integers(1, 60), budget=budgets, grows=st.booleans())
def test_batches_count_the_examples_of_each_epoch(
    items: int, first: int, budget: Budget, *, grows: bool
) -> None:
    first = min(first, items)
    batch_size = growing(first, items) if grows else always(first)
    updates = update_by_update(items, batch_size, budget)
    expected = [
        (epoch, batch_size(epoch), range(max(stop for _, _, stop, _ in in_epoch)))
        for epoch, in_epoch in itertools.groupby(updates, key=lambda update: update[0])
    ]
    assert list(batches(items, batch_size, budget)) == expected


def test_a_budget_in_seconds_alone_never_runs_out_of_batches() -> None:
    endless = batches(10, always(4), Budget(seconds=1e-9))
    assert [epoch for epoch, _, _ in itertools.islice(endless, 1000)] == list(range(1000))


def test_without_points_a_segment_is_a_block() -> None:
    assert list(segments(1500, always(1000), Budget(epochs=1), ())) == [
        Segment(0, 0, 1000, 1000, evaluate=False),
        Segment(0, 1000, 1500, 1000, evaluate=False),
    ]


@given(rows=st.integers(1, 500), shards=st.integers(1, 600))
def test_shards_cover_the_rows_and_differ_by_at_most_one(rows: int, shards: int) -> None:
    slices = shard_slices(rows, shards)
    assert len(slices) == min(shards, rows)
    assert slices[0].start == 0
    assert slices[-1].stop == rows
    assert all(below.stop == above.start for below, above in itertools.pairwise(slices))
    sizes = [piece.stop - piece.start for piece in slices]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


def test_points_of_tiny_data_are_not_repeated() -> None:
    assert evaluation_points(3, 2) == (0, 1, 3, 6)


@given(items=st.integers(1, 5000), epochs=st.integers(1, 20))
def test_points_are_ascending_and_end_with_training(items: int, epochs: int) -> None:
    points = evaluation_points(items, epochs)
    assert list(points) == sorted(set(points))
    assert points[0] == 0
    assert points[-1] == items * epochs
    assert {items * epoch for epoch in range(epochs + 1)} <= set(points)


def test_every_epoch_has_its_own_order() -> None:
    assert epoch_order(1, 0, 50).tolist() != epoch_order(1, 1, 50).tolist()
    assert sorted(epoch_order(1, 1, 50)) == list(range(50))


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ({}, "{}"),
        ({"epochs": 0}, "{'epochs': 0}"),
        ({"epochs": 3, "updates": -1}, "{'epochs': 3, 'updates': -1}"),
        ({"examples": 0}, "{'examples': 0}"),
        ({"seconds": 0.0}, "{'seconds': 0.0}"),
        ({"seconds": float("nan")}, "{'seconds': nan}"),
    ],
)
def test_a_budget_without_an_end_is_refused(limits: dict[str, Any], shown: str) -> None:
    refused(lambda: Budget(**limits), "above 0", f"but got {shown}")
