"""The timing pass: what an update costs, measured on a machine that does nothing else of ours.

A sweep in parallel distorts the shape of time against batch size, so its clock is never used for
that. Here everything runs in one process with one BLAS thread, warmed up, the batch sizes and both
engines taking turns in every round.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bpengine import Architecture, Budget, Recipe, Split, sequential
from bpengine.lockstep import Lockstep
from bpengine.minibatches import segments
from bpengine.network import initial_parameters

TENSOR, PER_ITEM = "tensor", "per-item"
ROUNDS = 7
LEAST_SECONDS = 0.02


@dataclass(frozen=True)
class Round:
    """One measurement.

    Attributes:
        engine: The cohort engine with one lane, or the per-item reference.
        batch_size: Examples of an update.
        number: Number of the round, from 0.
        updates: Updates made while the clocks ran.
        wall_seconds: Wall time of them.
        cpu_seconds: Processor time of them.
    """

    engine: str
    batch_size: int
    number: int
    updates: int
    wall_seconds: float
    cpu_seconds: float


def time_updates(
    architecture: Architecture, split: Split, batch_sizes: Sequence[int], reduction: str
) -> Iterator[Round]:
    """Measure every batch size with both engines, `ROUNDS` times in turn.

    Whole batches only: the ragged last one of an epoch is left out.

    Args:
        architecture: The network.
        split: The examples it is trained on.
        batch_sizes: Batch sizes, none larger than the training part.
        reduction: How a batch's losses become its error.

    Yields:
        A round as soon as it is measured.
    """
    epochs = {
        (engine, batch_size): make(architecture, split, batch_size, reduction)
        for batch_size in batch_sizes
        for engine, make in ((TENSOR, _tensor_epoch), (PER_ITEM, _per_item_epoch))
    }
    for epoch in epochs.values():
        epoch()
    for number in range(ROUNDS):
        for (engine, batch_size), epoch in epochs.items():
            yield Round(engine, batch_size, number, *_measure(epoch))


def _measure(epoch: Callable[[], int]) -> tuple[int, float, float]:
    wall, cpu, updates, elapsed = time.perf_counter(), time.process_time(), 0, 0.0
    while elapsed < LEAST_SECONDS:
        updates += epoch()
        elapsed = time.perf_counter() - wall
    return updates, elapsed, time.process_time() - cpu


def _tensor_epoch(
    architecture: Architecture, split: Split, batch_size: int, reduction: str
) -> Callable[[], int]:
    budget = Budget(epochs=1)
    recipe = Recipe(batch_size=batch_size, budget=budget, reduction=reduction)
    network = Lockstep(architecture, [split], [{"learning_rate": _RATE}], recipe)
    whole = len(split.train.inputs) // batch_size
    parts = list(segments(whole * batch_size, recipe.batch_size_of, budget, ()))

    def epoch() -> int:
        for part in parts:
            network.run(part)
        return whole

    return epoch


def _per_item_epoch(
    architecture: Architecture, split: Split, batch_size: int, reduction: str
) -> Callable[[], int]:
    # The same dtype as the cohort engine's.
    W = architecture.layers(initial_parameters(architecture, split.seed, "float32"))
    inputs, targets = (part.astype("float32") for part in (split.train.inputs, split.train.targets))
    places = list(pairwise(range(0, len(inputs) + 1, batch_size)))
    batches = [(inputs[start:stop], targets[start:stop]) for start, stop in places]

    def epoch() -> int:
        sequential.train(W, batches, _RATE, reduction=reduction)
        return len(batches)

    return epoch


_RATE = 0.1
"""The time of an update does not depend on the learning rate."""
