"""Batches of an epoch, their order, and the points at which a network is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from bpengine.arrays import IntArray
from bpengine.streams import permutation

BLOCK = 1024
"""Examples copied into order at once, so that batches are slices: at least one batch."""


@dataclass(frozen=True)
class Segment:
    """Consecutive batches of one epoch, with no evaluation but at their end.

    Attributes:
        epoch: Number of the epoch, from 0.
        start: Place of the first example in the epoch's order.
        stop: Place after the last example.
        evaluate: Whether the networks are evaluated after the segment.
    """

    epoch: int
    start: int
    stop: int
    evaluate: bool


def epoch_order(seed: int, epoch: int, items: int) -> Annotated[IntArray, "item"]:
    """Return the order in which an epoch visits the training examples.

    Args:
        seed: Seed of the network's random streams.
        epoch: Number of the epoch, from 0; each has a stream of its own.
        items: Training examples.
    """
    return permutation(seed, "order", items, part=epoch)


def updates_per_epoch(items: int, batch_size: int) -> int:
    """Return how many batches an epoch has; the last one holds what is left.

    Args:
        items: Training examples.
        batch_size: Examples of every batch but the last.
    """
    return -(-items // batch_size)


def evaluation_points(items: int, epochs: int) -> tuple[int, ...]:
    """Return a cadence in examples, the same for every batch size and dense early.

    The start, an eighth, a quarter and a half of the first epoch, and the end of every epoch.

    Args:
        items: Training examples.
        epochs: Epochs of the budget.

    Example:
        >>> evaluation_points(80, 3)
        (0, 10, 20, 40, 80, 160, 240)
    """
    early = (0, items // 8, items // 4, items // 2)
    return tuple(sorted({*early, *(items * epoch for epoch in range(1, epochs + 1))}))


def segments(items: int, batch_size: int, epochs: int, points: Sequence[int]) -> Iterator[Segment]:
    """Cut a training run into segments.

    A network is evaluated after the first update at or past each point: no batch is cut.

    Args:
        items: Training examples.
        batch_size: Examples of every batch but each epoch's last.
        epochs: Passes over the training examples.
        points: Evaluation points in examples, ascending and above 0.
    """
    block = max(1, BLOCK // batch_size) * batch_size
    remaining = list(reversed(points))
    for epoch in range(epochs):
        start = 0
        while start < items:
            stop = min(start + block, items)
            if remaining:
                wanted = remaining[-1] - epoch * items
                boundary = -(-wanted // batch_size) * batch_size
                stop = min(stop, max(boundary, start + batch_size))
            seen = epoch * items + stop
            evaluate = bool(remaining) and seen >= remaining[-1]
            while remaining and seen >= remaining[-1]:
                remaining.pop()
            yield Segment(epoch, start, stop, evaluate)
            start = stop
