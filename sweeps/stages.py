"""What comes next: the grid is explored, extended, its best confirmed and compared more closely.

Each stage is derived from the specification and the results so far, so that it can be interrupted
anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from reports.intervals import compare_with_best
from reports.results import CONFIRM, EXPLORE, EXTEND, FRESH_STAGES, REFINE
from reports.selection import select_rates, summarise_cells, without_noise
from sweeps.axes import rounded
from sweeps.design import groups_of
from sweeps.facts import Facts
from sweeps.families import Group
from sweeps.spec import StudySpecification
from sweeps.trials import Planned

REFINE_STEP = 5
"""Seeds that are added before batch sizes are compared again."""

Selected = list[tuple[Group, int, float]]
"""Groups with a batch size and its selected learning rate."""


@dataclass(frozen=True)
class Experiment:
    """A specification together with the facts of its data.

    Attributes:
        specification: What is tried, checked.
        data: Facts of all its datasets.
    """

    specification: StudySpecification
    data: Facts

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of cells that are explored."""
        return groups_of(self.specification, self.data)

    @cached_property
    def cells(self) -> int:
        """How many batch sizes there are, over all groups."""
        return sum(len(group.grid) for group in self.groups)


def derived(
    experiment: Experiment, table: Callable[[], pd.DataFrame]
) -> Iterator[tuple[str, list[Planned]]]:
    """Yield stage after stage, piece by piece, each with the trials it consists of.

    Args:
        experiment: The study.
        table: Gives the trials yielded so far, columns `reports.results.TRIAL_COLUMNS`. A piece
            must have ended before the next one is asked for.
    """
    specification = experiment.specification
    if specification.explore:
        yield EXPLORE, explore_trials(experiment)
        while further := extend_trials(experiment, table()):
            yield EXTEND, further
        selected = _selected(experiment, table())
    else:
        selected = [
            (group, size, rate)
            for group in experiment.groups
            for size, rates in group.grid.items()
            for rate in rates
        ]
    if not specification.confirmation_seeds:
        return
    yield CONFIRM, fresh_trials(selected, specification.confirmation_seeds)
    for seeds in refinement_seeds(specification):
        undecided = _undecided(selected, table())
        if not undecided:
            return
        yield REFINE, fresh_trials(undecided, seeds)


def explore_trials(experiment: Experiment) -> list[Planned]:
    """Return the trials that compare learning rates: every cell on every seed.

    Args:
        experiment: The study.
    """
    seeds = experiment.specification.seeds
    return [
        Planned(group.label, trial)
        for group in experiment.groups
        for size, rates in group.grid.items()
        for rate in rates
        for trial in group.family.trials(size, rate, seeds)
    ]


def extend_trials(experiment: Experiment, trials: pd.DataFrame) -> list[Planned]:
    """Return the trials of the next rate of each batch size whose best lies at the edge.

    Args:
        experiment: The study.
        trials: Its trials so far.
    """
    limit, seeds = experiment.specification.extensions, experiment.specification.seeds
    if not limit:
        return []
    cells = dict(iter(summarise_cells(trials).groupby(["group", "batch_size"])))
    best = _best_rates(trials)
    return [
        Planned(group.label, trial)
        for group in experiment.groups
        for size, grid in group.grid.items()
        for rate in _next_rate(grid, cells[group.label, size], best.get((group.label, size)), limit)
        for trial in group.family.trials(size, rate, seeds)
    ]


def _best_rates(trials: pd.DataFrame) -> dict[tuple[str, int], float]:
    selected = select_rates(trials)
    names = zip(selected["group"], selected["batch_size"].map(int), strict=True)
    return dict(zip(names, selected["learning_rate"].map(float), strict=True))


def _next_rate(
    grid: Sequence[float], cells: pd.DataFrame, best: float | None, limit: int
) -> list[float]:
    """Return the rate to be tried next, or nothing.

    Args:
        grid: The specification's rates, ascending.
        cells: All rates tried, ascending.
        best: The best of them; None if none has a result for every seed.
        limit: How many rates may be added on each side.
    """
    if len(grid) == 1:
        return []
    tried = cells["learning_rate"].tolist()
    below = sum(rate < grid[0] for rate in tried)
    above = sum(rate > grid[-1] for rate in tried)
    lowest = cells.iloc[0]
    # Where every rate diverges, a result can only lie below.
    too_wild = best is None and lowest["diverged"] > 0 and lowest["failed"] == 0
    if (best == tried[0] or too_wild) and below < limit:
        return [rounded(grid[0] * (grid[0] / grid[1]) ** (below + 1))]
    if best == tried[-1] and above < limit:
        return [rounded(grid[-1] * (grid[-1] / grid[-2]) ** (above + 1))]
    return []


def _selected(experiment: Experiment, trials: pd.DataFrame) -> Selected:
    best = _best_rates(trials)
    return [
        (group, size, best[group.label, size])
        for group in experiment.groups
        for size in group.grid
        if (group.label, size) in best
    ]


def fresh_trials(selected: Selected, seeds: Iterable[int]) -> list[Planned]:
    """Return the trials that repeat selected rates on fresh seeds.

    Args:
        selected: Batch sizes, each with its selected learning rate.
        seeds: The seeds.
    """
    return [
        Planned(group.label, trial)
        for group, size, rate in selected
        for trial in group.family.trials(size, rate, seeds, evaluate_test=True)
    ]


def refinement_seeds(specification: StudySpecification) -> list[tuple[int, ...]]:
    """Return the seeds of the refine stage, step by step: those after the study's largest.

    Args:
        specification: The study.
    """
    first = 1 + max((*specification.seeds, *specification.confirmation_seeds), default=0)
    last = first + specification.refinement_seeds
    return [
        tuple(range(start, min(start + REFINE_STEP, last)))
        for start in range(first, last, REFINE_STEP)
    ]


def _undecided(selected: Selected, trials: pd.DataFrame) -> Selected:
    """Return, group by group, the best batch size and those that can't be told from it."""
    tied = {
        label: _tied(trials[trials["group"] == label])
        for label in {group.label for group, _, _ in selected}
    }
    return [(group, size, rate) for group, size, rate in selected if size in tied[group.label]]


def _tied(trials: pd.DataFrame) -> tuple[int, ...]:
    # The question is the report's: the best was chosen on the validation part.
    fresh = trials[trials["stage"].isin(FRESH_STAGES) & (trials["status"] == "ok")]
    if fresh.empty:
        return ()
    values = fresh.pivot_table(index="seed", columns="batch_size", values="test_metric")
    ranking = select_rates(trials)
    ranking = ranking[ranking["batch_size"].isin(values.columns)].sort_values(
        ["validation_metric", "validation_loss", "batch_size"],
        ascending=[False, True, True],
        key=without_noise,
    )
    best = None if ranking.empty else int(ranking["batch_size"].iloc[0])
    comparison = compare_with_best(values, best)
    return comparison.tied if comparison.tested and len(comparison.tied) > 1 else ()
