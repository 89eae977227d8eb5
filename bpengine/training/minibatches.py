"""Batches: their order, where they are cut, how long training goes on, and when it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from bpengine.network import IntArray, permutation

BLOCK = 1024
"""Examples copied into order at once, so that batches are slices: at least one batch."""


@dataclass(frozen=True)
class Budget:
    """How long a network is trained. Training ends at the first limit that is reached.

    Attributes:
        epochs: Passes over the training examples.
        updates: Changes of the weights.
        examples: Examples processed; the update that reaches it is the last.
        seconds: Wall time, looked at between segments. Results then depend on the machine.

    Raises:
        ValueError: No limit is given, or one is not above 0.
    """

    epochs: int | None = None
    updates: int | None = None
    examples: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        limits = {name: value for name, value in vars(self).items() if value is not None}
        if not limits or not all(value > 0 for value in limits.values()):
            raise ValueError(f"A budget must have a limit, each above 0, but got {limits}.")


@dataclass(frozen=True)
class Segment:
    """Consecutive batches of one epoch, examples `start` to `stop` of its order."""

    epoch: int
    start: int
    stop: int
    batch_size: int  # a ragged last one is smaller
    evaluate: bool  # whether the networks are, after it


def epoch_order(seed: int, epoch: int, examples: int) -> Annotated[IntArray, "example"]:
    """Return the order in which an epoch, counted from 0, visits the training examples."""
    return permutation(seed, "order", examples, part=epoch)


def updates_per_epoch(examples: int, batch_size: int) -> int:
    """Return how many batches an epoch has; the last one holds what is left."""
    return -(-examples // batch_size)


def evaluation_points(examples: int, epochs: int) -> tuple[int, ...]:
    """Return a cadence in examples, the same for every batch size and dense early.

    The start, an eighth, a quarter and a half of the first epoch, and the end of every epoch.

    Args:
        examples: Training examples.
        epochs: Epochs of the budget.

    Example:
        >>> evaluation_points(80, 3)
        (0, 10, 20, 40, 80, 160, 240)
    """
    early = (0, examples // 8, examples // 4, examples // 2)
    return tuple(sorted({*early, *(examples * epoch for epoch in range(1, epochs + 1))}))


def batches(
    examples: int, batch_size: Callable[[int], int], budget: Budget, seen: int = 0
) -> Iterator[tuple[int, int, range]]:
    """Yield for each epoch its number, its batch size and which examples of its order it visits.

    Some examples may have been `seen` before; the budget's updates are those after them.
    """
    # A limit in seconds is not looked at.
    updates = 0
    while True:
        epoch, start = divmod(seen, examples)
        size = batch_size(epoch)
        visited = examples - start
        if budget.updates is not None:
            visited = min(visited, (budget.updates - updates) * size)
        if budget.examples is not None:
            visited = min(visited, updates_per_epoch(budget.examples - seen, size) * size)
        if visited <= 0 or epoch == budget.epochs:
            return
        yield epoch, size, range(start, start + visited)
        updates += updates_per_epoch(visited, size)
        seen += visited


def segments(
    examples: int,
    batch_size: Callable[[int], int],
    budget: Budget,
    points: Sequence[int],
    *,
    together: int = 1,
    seen: int = 0,
) -> Iterator[Segment]:
    """Cut a training run into segments, leaving `together` batches of an epoch in one.

    It begins where some examples have been `seen`.
    """
    # A network is evaluated after the first update at or past each point (in examples, ascending,
    # beyond those seen): no batch is cut.
    remaining = list(reversed(points))
    for epoch, size, visited in batches(examples, batch_size, budget, seen):
        unit = size * together
        block = max(1, BLOCK // unit) * unit
        start = visited.start
        while start < visited.stop:
            stop = min(start + block, visited.stop)
            if remaining:
                ahead = remaining[-1] - epoch * examples - visited.start
                boundary = visited.start + updates_per_epoch(ahead, unit) * unit
                stop = min(stop, max(boundary, start + unit))
            passed = epoch * examples + stop
            evaluate = bool(remaining) and passed >= remaining[-1]
            while remaining and passed >= remaining[-1]:
                remaining.pop()
            yield Segment(epoch, start, stop, size, evaluate)
            start = stop
