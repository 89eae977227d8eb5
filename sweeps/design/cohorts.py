"""Trials grouped into cohorts, the costliest first."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from operator import attrgetter
from typing import TypeVar

import numpy as np

from bpengine.optim import OPTIMIZERS
from sweeps.design.engine_recipe import evaluation_cadence, is_countable, totals_of
from sweeps.design.trials import Cohort, Configuration, EngineConfiguration, Settings, Trial

T = TypeVar("T")

MOST_BYTES = 20_000_000
"""What the lanes of a cohort keep, at most, unless it is a single one."""

CALL_COST, LANE_COST, SLOT_COST = 0.1, 0.2, 0.00025
EXAMPLE_COST, UNIT_COST, EVALUATION_COST = 0.00005, 0.0006, 2000.0
"""Predicted microseconds of an example that is put in order, of a lane's update, of a parameter and
array of state, of an example and parameter, of an example and unit, and of an evaluation. Measured
with the compiled kernel; only the order of cohorts and predicted times depend on them."""
ROW_COST, SOFTMAX_COST = 0.05, 0.02
"""Further microseconds of an example for its loss and metric, and for a softmax."""

TRAINER_UPDATE_COST, TRAINER_EXAMPLE_COST = 20.0, 0.5
"""Microseconds of an update and an example of a user's trainer, at the least: most take longer."""

CURVATURE_PASSES = 50
"""Passes over the noise examples that an evaluation with curvature takes: 3 a Hessian product."""


def plan(trials: Iterable[Trial], jobs: int) -> list[Cohort]:
    """Group trials into cohorts, each once and none larger than an equal share of the work."""
    grouped: defaultdict[Configuration, defaultdict[int, set[Settings]]]
    grouped = defaultdict(lambda: defaultdict(set))
    unique = {trial.identity: trial for trial in trials}.values()
    # To look for a configuration takes far longer than to see that it is that of the trial before.
    for configuration, members in itertools.groupby(unique, attrgetter("configuration")):
        by_seed = grouped[configuration]
        for trial in members:
            by_seed[trial.seed].add(trial.settings)
    products = [
        (configuration, seeds, settings)
        for configuration, by_seed in grouped.items()
        for settings, seeds in _seeds_by_settings(by_seed).items()
    ]
    share = sum(_cost(c, len(seeds) * len(settings)) for c, seeds, settings in products) / jobs
    cohorts = [
        cohort
        for configuration, seeds, settings in products
        for cohort in _pieces(configuration, tuple(seeds), settings, share)
    ]
    return sorted(cohorts, key=lambda cohort: -cohort_cost(cohort))


def cohort_cost(cohort: Cohort) -> float:
    """Return the predicted microseconds of training a cohort on one core."""
    return _cost(cohort.configuration, len(cohort.seeds) * len(cohort.settings))


@functools.lru_cache
def _cost(configuration: Configuration, lanes: int) -> float:
    if not isinstance(configuration, EngineConfiguration):
        # Nobody knows what it takes: only the order and the share of what is left depend on it.
        updates, examples = totals_of(configuration)
        return lanes * (updates * TRAINER_UPDATE_COST + examples * TRAINER_EXAMPLE_COST)
    budget = configuration.budget
    limit = inf if budget.seconds is None else 1e6 * budget.seconds
    if not is_countable(budget):
        return limit
    evaluations = len(evaluation_cadence(configuration)) * _evaluation_cost(configuration, lanes)
    training = _training_cost(configuration, lanes, *totals_of(configuration))
    if branching := configuration.branching:
        # Branches are as long as a window of what came before, one for each factor.
        share = branching.window * sum(branching.at) / branching.at[-1]
        training *= 1 + share * len(branching.factors)
    return min(limit, training + evaluations)


def update_cost(configuration: Configuration, lanes: int) -> float:
    """Return the predicted microseconds of one update of a cohort on one core."""
    if not isinstance(configuration, EngineConfiguration):
        return TRAINER_UPDATE_COST + configuration.batch_size * TRAINER_EXAMPLE_COST
    return _training_cost(configuration, lanes, 1, configuration.batch_size)


def _training_cost(
    configuration: EngineConfiguration, lanes: int, updates: int, examples: int
) -> float:
    state = OPTIMIZERS[configuration.optimizer].slots * configuration.architecture.parameter_count
    elements = updates * state * SLOT_COST + examples * _gradient_cost(configuration)
    width = _itemsize(configuration) / 4
    return examples * CALL_COST + lanes * (updates * LANE_COST + width * elements)


def _evaluation_cost(configuration: EngineConfiguration, lanes: int) -> float:
    passes = CURVATURE_PASSES if configuration.noise_curvature else 1
    passes += 2 * configuration.noise_geometry
    parameters = configuration.architecture.parameter_count
    elements = configuration.train_items * (
        parameters * EXAMPLE_COST / 3 + example_cost(configuration)
    )
    elements += configuration.noise_examples * passes * _gradient_cost(configuration)
    return EVALUATION_COST + lanes * _itemsize(configuration) / 4 * elements


def _gradient_cost(configuration: EngineConfiguration) -> float:
    parameters = configuration.architecture.parameter_count
    return parameters * EXAMPLE_COST + example_cost(configuration)


def example_cost(configuration: EngineConfiguration) -> float:
    """Return the predicted microseconds of an example's outputs, loss and metric, of float32."""
    softmax = SOFTMAX_COST if configuration.output == "softmax" else 0.0
    return sum(configuration.widths[1:]) * UNIT_COST + ROW_COST + softmax


def cohort_bytes(cohort: Cohort) -> int:
    """Return about how many bytes a cohort's networks and examples take."""
    configuration = cohort.configuration
    if not isinstance(configuration, EngineConfiguration):
        return 0  # unknown
    columns = configuration.widths[0] + configuration.widths[-1]
    # As read and as stacked for the engine; the held-out part is smaller.
    examples = 3 * configuration.train_items * columns * _itemsize(configuration)
    return len(cohort.trials) * lane_bytes(configuration) + len(cohort.seeds) * examples


def lane_bytes(configuration: EngineConfiguration) -> int:
    """Return the bytes that a lane keeps: weights, those of its best evaluation, and state."""
    copies = configuration.shards if configuration.local_updates > 1 else 1
    arrays = 2 + OPTIMIZERS[configuration.optimizer].slots * copies
    return _itemsize(configuration) * arrays * configuration.architecture.parameter_count


def _itemsize(configuration: EngineConfiguration) -> int:
    return np.dtype(configuration.dtype).itemsize


def most_lanes(configuration: Configuration) -> int:
    """Return how many lanes a cohort may have: a user's trainer takes one trial."""
    if not isinstance(configuration, EngineConfiguration):
        return 1
    return max(1, MOST_BYTES // lane_bytes(configuration))


def _seeds_by_settings(by_seed: dict[int, set[Settings]]) -> dict[tuple[Settings, ...], list[int]]:
    # A cohort is a product: seeds that lack the same settings go together.
    seeds: defaultdict[tuple[Settings, ...], list[int]] = defaultdict(list)
    for seed, settings in sorted(by_seed.items()):
        seeds[tuple(sorted(settings))].append(seed)
    return seeds


def _pieces(
    configuration: Configuration,
    seeds: tuple[int, ...],
    settings: tuple[Settings, ...],
    share: float,
) -> Iterator[Cohort]:
    lanes = most_lanes(configuration)
    for part in _chunks(settings, -(-len(settings) // lanes)):
        cost = _cost(configuration, len(seeds) * len(part))
        pieces = max(-(-len(seeds) * len(part) // lanes), round(cost / share))
        for some_seeds in _chunks(seeds, min(pieces, len(seeds))):
            yield Cohort(configuration, some_seeds, part)


def _chunks(values: Sequence[T], pieces: int) -> Iterator[tuple[T, ...]]:
    bounds = [len(values) * piece // pieces for piece in range(pieces + 1)]
    for start, stop in itertools.pairwise(bounds):
        yield tuple(values[start:stop])
