"""Trials grouped into cohorts, the costliest first."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from bpengine.minibatches import updates_per_epoch
from sweeps.trials import Cohort, Configuration, DataFacts, Trial

T = TypeVar("T")

LANE_BYTES = 4 * 3
"""Bytes that a lane keeps for each parameter: weights, step and the weights before a segment."""

COHORT_BYTES = 2**20
"""What a cohort's lanes may take together: about a core's second-level cache. A constant, because
cohorts should not depend on the machine, though results don't depend on cohorts."""

CALL_COST, LANE_COST, EXAMPLE_COST = 25.0, 2.5, 0.00012
"""Predicted microseconds of an update: of its calls, of each lane, and of each example and
parameter of a lane. Only the order of cohorts and the predicted end depend on them."""


def plan(trials: Iterable[Trial], facts: DataFacts, jobs: int) -> list[Cohort]:
    """Group trials into cohorts, the costliest first.

    Args:
        trials: What is to run.
        facts: The data they run on.
        jobs: Worker processes; no cohort is larger than an equal share of the work.
    """
    grouped: defaultdict[Configuration, defaultdict[int, list[float]]]
    grouped = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        grouped[trial.configuration][trial.seed].append(trial.learning_rate)
    products = [
        (configuration, seeds, rates)
        for configuration, by_seed in grouped.items()
        for rates, seeds in _seeds_by_rates(by_seed).items()
    ]
    share = sum(_cost(c, facts, len(s) * len(r)) for c, s, r in products) / jobs
    cohorts = [
        cohort
        for configuration, seeds, rates in products
        for cohort in _pieces(configuration, facts, tuple(seeds), rates, share)
    ]
    return sorted(cohorts, key=lambda cohort: -cohort_cost(cohort, facts))


def cohort_cost(cohort: Cohort, facts: DataFacts) -> float:
    """Return the predicted microseconds of training a cohort on one core."""
    lanes = len(cohort.seeds) * len(cohort.learning_rates)
    return _cost(cohort.configuration, facts, lanes)


def _cost(configuration: Configuration, facts: DataFacts, lanes: int) -> float:
    updates = configuration.epochs * updates_per_epoch(facts.train_items, configuration.batch_size)
    examples = configuration.epochs * facts.train_items
    parameters = configuration.architecture.parameter_count
    per_lane = updates * LANE_COST + examples * parameters * EXAMPLE_COST
    return updates * CALL_COST + lanes * per_lane


def _seeds_by_rates(by_seed: dict[int, list[float]]) -> dict[tuple[float, ...], list[int]]:
    # A cohort is a product: seeds that lack the same rates go together.
    seeds: defaultdict[tuple[float, ...], list[int]] = defaultdict(list)
    for seed, rates in sorted(by_seed.items()):
        seeds[tuple(sorted(rates))].append(seed)
    return seeds


def _pieces(
    configuration: Configuration,
    facts: DataFacts,
    seeds: tuple[int, ...],
    rates: tuple[float, ...],
    share: float,
) -> Iterator[Cohort]:
    lane_bytes = LANE_BYTES * configuration.architecture.parameter_count
    most_lanes = max(1, COHORT_BYTES // lane_bytes)
    for some_rates in _chunks(rates, -(-len(rates) // most_lanes)):
        cost = _cost(configuration, facts, len(seeds) * len(some_rates))
        pieces = max(-(-len(seeds) * len(some_rates) // most_lanes), round(cost / share))
        for some_seeds in _chunks(seeds, min(pieces, len(seeds))):
            yield Cohort(configuration, some_seeds, some_rates)


def _chunks(values: tuple[T, ...], pieces: int) -> Iterator[tuple[T, ...]]:
    bounds = [len(values) * piece // pieces for piece in range(pieces + 1)]
    for start, stop in itertools.pairwise(bounds):
        yield values[start:stop]
