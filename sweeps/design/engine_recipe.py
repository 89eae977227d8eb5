"""How long a trial is trained and when it is evaluated; the recipe of the engine.

Imports nothing heavy: workers use it.
"""

from __future__ import annotations

import functools

from bpengine import Budget, Recipe, evaluation_points
from bpengine.training.minibatches import batches, updates_per_epoch
from sweeps.design.trials import Configuration, EngineConfiguration, fields_from

EARLIEST = 64  # where a budget does not count epochs, evaluation begins at this fraction of one

ENDLESS = 2**60  # examples of an epoch that stand for unknown ones: none ever ends
RUNGS = 4  # evaluations between a number of examples and its double where epochs are unknown

DENSE, DOUBLINGS = 32, 20
"""Where a budget does not count epochs, that many are evaluated each at its end; from there on as
many points lie between an epoch and its double, about 2% apart, for that many doublings."""


def recipe_of(configuration: EngineConfiguration) -> Recipe:
    """Return the engine's recipe; a value error if the configuration contradicts itself."""
    cadence = evaluation_cadence(configuration)
    return Recipe(**fields_from(Recipe, configuration), evaluate_at=cadence)


@functools.lru_cache
def evaluation_cadence(configuration: Configuration) -> tuple[int, ...]:
    """Return where trials are evaluated, in examples: the same for every batch size, dense early.

    The end of training is a point, too, but under a budget in seconds alone. A run that branches
    leave is evaluated where they do.
    """
    examples, budget = configuration.train_items, configuration.budget
    if configuration.branching:
        return configuration.branching.at
    if not examples:
        return _rungs(configuration.batch_size, totals_of(configuration)[1])
    points = evaluation_points(examples, budget.epochs) if budget.epochs else _open_ended(examples)
    if not is_countable(budget):
        return points
    _, last = totals_of(configuration)
    return (*(point for point in points if point < last), last)


def is_countable(budget: Budget) -> bool:
    """Return whether it is known beforehand how much is done within a budget."""
    return bool(budget.epochs or budget.updates or budget.examples)


@functools.lru_cache
def totals_of(configuration: Configuration) -> tuple[int, int]:
    """Return how many updates a trial makes under a countable budget, and on how many examples."""
    # Long trainings have many epochs to be counted.
    updates = examples = 0
    of_epoch, budget = configuration.batch_size_of, configuration.budget
    for _, size, visited in batches(configuration.train_items or ENDLESS, of_epoch, budget):
        updates += updates_per_epoch(len(visited), size)
        examples += len(visited)
    return updates, examples


def _rungs(first: int, last: int) -> tuple[int, ...]:
    """Return powers of the fourth root of 2 within a budget, and its end."""
    powers = (round(2 ** (step / RUNGS)) for step in range(RUNGS * last.bit_length()))
    return (*(point for point in dict.fromkeys(powers) if first <= point < last), last)


def _open_ended(examples: int) -> tuple[int, ...]:
    """Return the start, parts of an epoch, every epoch, and from `DENSE` on ever farther points."""
    early = {0, *(examples // 2**power for power in range(EARLIEST.bit_length()))}
    dense = {examples * epoch for epoch in range(1, DENSE + 1)}
    late = {examples * round(DENSE * 2 ** (step / DENSE)) for step in range(DENSE * DOUBLINGS + 1)}
    return tuple(sorted(early | dense | late))
