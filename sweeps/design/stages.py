"""Stages: explore the grid, extend it, confirm its best, refine what is undecided.

Each is derived from the specification and the results so far: a run can be interrupted anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from reports.analysis import select_rates, summarise_cells, without_noise
from reports.analysis.selection import SELECTION_COLUMNS
from reports.schema import CELL, CONFIRM, EXPLORE, FRESH_STAGES, REFINE, empty_table, has_value
from reports.schema.results import EXTEND
from reports.stats import compare_with_best
from sweeps.data.facts import Facts
from sweeps.design._grid import groups_of
from sweeps.design.families import Group
from sweeps.design.trials import Planned
from sweeps.spec import LARGEST_RATE, SMALLEST_RATE, StudySpecification, rounded

REFINE_STEP = 5  # seeds that are added before batch sizes are compared again

Cell = tuple[str, int]  # label of a group and batch size

Selected = list[tuple[Group, int, float]]  # groups with a batch size and its selected learning rate


@dataclass(frozen=True)
class Experiment:
    """A checked specification together with the facts of its data."""

    specification: StudySpecification
    data: Facts

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of cells that are explored."""
        return groups_of(self.specification, self.data)

    @cached_property
    def grid(self) -> Mapping[Cell, tuple[float, ...]]:
        """The learning rates that are tried, by group and batch size."""
        return {(g.label, size): rates for g in self.groups for size, rates in g.grid.items()}

    @cached_property
    def explored(self) -> tuple[Planned, ...]:
        """The trials that compare learning rates: every cell on every seed."""
        return tuple(_trials(self, self.grid))

    @cached_property
    def tuning_seeds(self) -> pd.Series[int]:
        """How many seeds explore a batch size, by group and batch size."""
        index = pd.MultiIndex.from_tuples(self.grid, names=CELL[:2])
        return pd.Series(len(self.specification.seeds), index)


def derived(
    experiment: Experiment, table: Callable[[], pd.DataFrame]
) -> Iterator[tuple[str, Sequence[Planned]]]:
    """Yield stage after stage, piece by piece, each with the trials it consists of.

    `table` gives the trials yielded so far; a piece must have ended before the next is asked for.
    """
    specification = experiment.specification
    tried = {cell: list(rates) for cell, rates in experiment.grid.items()}
    ranking = empty_table(SELECTION_COLUMNS)
    best = {cell: rates[0] for cell, rates in tried.items()}
    if specification.explore:
        yield EXPLORE, experiment.explored
        while True:
            cells = summarise_cells(table(), experiment.tuning_seeds)
            ranking = select_rates(cells)
            best = _best_rates(ranking)
            further = _further_rates(experiment, tried, best, cells)
            if not further:
                break
            yield EXTEND, _trials(experiment, {cell: [rate] for cell, rate in further.items()})
            for cell, rate in further.items():
                tried[cell].append(rate)
    selected = _choices(experiment, {cell: [rate] for cell, rate in best.items()})
    if specification.confirmation_seeds:
        yield CONFIRM, fresh_trials(selected, specification.confirmation_seeds)
        yield from _refined(selected, ranking, refinement_seeds(specification), table)


def _choices(experiment: Experiment, rates: Mapping[Cell, Sequence[float]]) -> Selected:
    return [
        (group, size, rate)
        for group in experiment.groups
        for size in group.grid
        for rate in rates.get((group.label, size), ())
    ]


def _trials(experiment: Experiment, rates: Mapping[Cell, Sequence[float]]) -> list[Planned]:
    return [
        Planned(group.label, trial)
        for group, size, rate in _choices(experiment, rates)
        for trial in group.family.trials(size, rate, experiment.specification.seeds)
    ]


def _best_rates(ranking: pd.DataFrame) -> dict[Cell, float]:
    cells = zip(ranking["group"], ranking["batch_size"].map(int), strict=True)
    return dict(zip(cells, ranking["learning_rate"].map(float), strict=True))


def _further_rates(
    experiment: Experiment,
    tried: Mapping[Cell, Sequence[float]],
    best: Mapping[Cell, float],
    cells: pd.DataFrame,
) -> dict[Cell, float]:
    """Return the next rate of each batch size whose best lies at the edge."""
    limit = experiment.specification.extensions
    best = {**best, **{cell: min(tried[cell]) for cell in _wild(cells)}}
    further = {
        cell: _next_rate(grid, tried[cell], best.get(cell), limit)
        for cell, grid in experiment.grid.items()
        if limit and len(grid) > 1
    }
    return {cell: rate for cell, rate in further.items() if rate is not None}


def _wild(cells: pd.DataFrame) -> set[Cell]:
    """Return the batch sizes where seeds diverged at every rate: only lower rates may do better."""
    grouped = cells.groupby(["group", "batch_size"])
    lowest = grouped.first()
    wild = ~grouped["eligible"].any() & (lowest["diverged"] > 0) & (lowest["failed"] == 0)
    return {(str(group), int(size)) for group, size in wild.index[wild]}


def _next_rate(
    grid: Sequence[float], tried: Sequence[float], best: float | None, limit: int
) -> float | None:
    """Return the rate to be tried next, if there is one; at most `limit` are added on a side."""
    below = sum(rate < grid[0] for rate in tried)
    above = sum(rate > grid[-1] for rate in tried)
    rate = 0.0
    if best == min(tried) and below < limit:
        rate = rounded(grid[0] * (grid[0] / grid[1]) ** (below + 1))
    elif best == max(tried) and above < limit:
        rate = rounded(grid[-1] * (grid[-1] / grid[-2]) ** (above + 1))
    return rate if SMALLEST_RATE <= rate <= LARGEST_RATE else None


def fresh_trials(selected: Selected, seeds: Iterable[int]) -> list[Planned]:
    """Return the trials that repeat selected rates on fresh seeds."""
    return [
        Planned(group.label, trial)
        for group, size, rate in selected
        for trial in group.family.trials(size, rate, seeds, evaluate_test=True)
    ]


def refinement_seeds(specification: StudySpecification) -> list[tuple[int, ...]]:
    """Return the seeds of the refine stage, step by step: those after the study's largest."""
    first = 1 + max((*specification.seeds, *specification.confirmation_seeds), default=0)
    last = first + specification.refinement_seeds
    return [
        tuple(range(start, min(start + REFINE_STEP, last)))
        for start in range(first, last, REFINE_STEP)
    ]


def _refined(
    selected: Selected,
    ranking: pd.DataFrame,
    steps: Iterable[Sequence[int]],
    table: Callable[[], pd.DataFrame],
) -> Iterator[tuple[str, list[Planned]]]:
    """Yield more seeds for the best batch sizes of each group while they can't be told apart."""
    for seeds in steps:
        fresh = _complete(table())
        tied = {
            (group, size)
            for group, trials in fresh.groupby("group")
            for size in _tied(trials, ranking[ranking["group"] == group])
        }
        undecided = [choice for choice in selected if (choice[0].label, choice[1]) in tied]
        if not undecided:
            return
        yield REFINE, fresh_trials(undecided, seeds)


def _complete(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the fresh trials of batch sizes with a value for every seed that has run."""
    fresh = trials[trials["stage"].isin(FRESH_STAGES)]
    cells = [fresh[name] for name in CELL[:2]]
    return fresh[has_value(fresh, "test").groupby(cells).transform("all")]


def _tied(fresh: pd.DataFrame, ranking: pd.DataFrame) -> tuple[int, ...]:
    """Return the best batch size and those that can't be told from it; nothing if it is alone."""
    values = fresh.pivot_table(index="seed", columns="batch_size", values="test_metric")
    # The question is the report's: the best was chosen on the validation part.
    ranking = ranking[ranking["batch_size"].isin(values.columns)].sort_values(
        ["validation_metric", "validation_loss", "batch_size"],
        ascending=[False, True, True],
        key=without_noise,
    )
    best = None if ranking.empty else int(ranking["batch_size"].iloc[0])
    comparison = compare_with_best(values, best)
    return comparison.tied if comparison.tested and len(comparison.tied) > 1 else ()
