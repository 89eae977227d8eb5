"""Segments cover every epoch in whole batches and stop where an evaluation is due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpengine.minibatches import (
    BLOCK,
    Segment,
    epoch_order,
    evaluation_points,
    segments,
    updates_per_epoch,
)


@given(
    items=st.integers(1, 3000),
    batch_share=st.floats(0, 1),
    epochs=st.integers(1, 3),
    points=st.sets(st.integers(1, 9000), max_size=8),
)
def test_segments_cover_the_epochs_in_whole_batches(
    items: int, batch_share: float, epochs: int, points: set[int]
) -> None:
    batch_size = max(1, round(items * batch_share))
    found = list(segments(items, batch_size, epochs, sorted(points)))
    for epoch in range(epochs):
        own = [segment for segment in found if segment.epoch == epoch]
        starts, stops = [s.start for s in own], [s.stop for s in own]
        assert starts == [0, *stops[:-1]]
        assert stops[-1] == items
        assert all(start % batch_size == 0 for start in starts)
        assert all(s.stop - s.start <= max(BLOCK, batch_size) for s in own)


@given(
    items=st.integers(1, 300),
    batch_size=st.integers(1, 300),
    points=st.sets(st.integers(1, 900), max_size=8),
)
def test_each_point_is_evaluated_after_the_first_update_at_or_past_it(
    items: int, batch_size: int, points: set[int]
) -> None:
    batch_size = min(batch_size, items)
    boundaries = [
        epoch * items + min(update * batch_size, items)
        for epoch in range(3)
        for update in range(1, updates_per_epoch(items, batch_size) + 1)
    ]
    wanted = {min((b for b in boundaries if b >= point), default=None) for point in points} - {None}
    found = {
        s.epoch * items + s.stop
        for s in segments(items, batch_size, 3, sorted(points))
        if s.evaluate
    }
    assert found == wanted


def test_without_points_a_segment_is_a_block() -> None:
    assert list(segments(1500, 1000, 1, ())) == [
        Segment(0, 0, 1000, evaluate=False),
        Segment(0, 1000, 1500, evaluate=False),
    ]


@pytest.mark.parametrize(("batch_size", "updates"), [(1, 10), (3, 4), (5, 2), (10, 1)])
def test_the_ragged_batch_counts_as_an_update(batch_size: int, updates: int) -> None:
    assert updates_per_epoch(10, batch_size) == updates


def test_points_of_tiny_data_are_not_repeated() -> None:
    assert evaluation_points(3, 2) == (0, 1, 3, 6)


def test_every_epoch_has_its_own_order() -> None:
    assert epoch_order(1, 0, 50).tolist() != epoch_order(1, 1, 50).tolist()
