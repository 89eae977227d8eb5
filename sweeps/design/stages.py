"""Stages: explore the grid, extend it, confirm its best and refine; then rates for the target.

Each is derived from the specification and the results so far: a run can be interrupted anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pandas as pd

from bpengine import BatchGrowth
from bpengine.optim import usual_rate_rule
from reports.analysis import select_rates, summarise_cells
from reports.analysis.batch_sizes import later_half, reference_size
from reports.analysis.branched_losses import branch_losses, critical_batch_sizes
from reports.analysis.selection import SELECTION_COLUMNS
from reports.analysis.target_rates import Goal, unconfirmed_rates
from reports.analysis.tuning_checks import coarse_grids
from reports.schema import (
    BRANCH,
    CELL,
    CONFIRM,
    EXPLORE,
    FRESH_STAGES,
    REFINE,
    TARGET,
    TUNING_STAGES,
    empty_table,
    has_value,
)
from reports.schema.measures import margin_of, step_of
from reports.schema.results import EXTEND
from reports.stats import by_seed, sizes_of
from reports.stats.non_inferiority import WORSE, seeds_by_spread, shortfall
from sweeps.design.experiment import (
    Cell,
    Experiment,
    Growths,
    Selected,
    choices,
    refinement_seeds,
    trials_of,
)
from sweeps.design.families import Family, Group, doubled
from sweeps.design.trials import Branching, EngineConfiguration, Planned
from sweeps.spec import StudySpecification
from sweeps.spec.axes import MEASURED
from sweeps.spec.types import LARGEST_RATE, SMALLEST_RATE, BranchChoice, rounded

Curves = Callable[[Iterable[str]], pd.DataFrame]  # the curves of trials


def derived(
    experiment: Experiment, table: Callable[[], pd.DataFrame], curves: Curves
) -> Iterator[tuple[str, Sequence[Planned]]]:
    """Yield stage after stage, piece by piece, each with the trials it consists of.

    `table` gives the trials yielded so far, `curves` those of some of them; a piece must have ended
    before the next is asked for.
    """
    specification = experiment.specification
    tried = {cell: list(rates) for cell, rates in experiment.grid.items()}
    ranking = empty_table(SELECTION_COLUMNS)
    best = {cell: rates[0] for cell, rates in tried.items()}
    if specification.explore:
        seeds = _seeds_of_cells(experiment)
        yield EXPLORE, experiment.explored
        while True:
            trials = table()
            cells = summarise_cells(trials, seeds)
            ranking = select_rates(cells)
            best = _by_cell(ranking, "learning_rate")
            added = _further_rates(experiment, tried, best, cells)
            added |= _rates_between(experiment, tried, trials, cells, ranking)
            if not added:
                break
            yield EXTEND, trials_of(choices(experiment, added), specification.seeds)
            for cell, rate in added.items():
                tried[cell].append(rate)
    selected, growths = choices(experiment, best), dict[Cell, BatchGrowth]()
    if isinstance(specification.branch, BranchChoice):
        branched = _branched(specification.branch, experiment, best)
        yield BRANCH, branched
        names = [trial.identity for _, trial in branched]
        losses = branch_losses(table(), curves(names))
        growths = _measured(experiment, losses, specification.branch)
    if specification.confirmation_seeds:
        fresh = specification.confirmation_seeds
        yield CONFIRM, trials_of(selected, fresh, growths, evaluate_test=True)
        further = _refined(experiment, selected, growths, ranking, table)
        if further:
            yield REFINE, further
        quickest = _quickest(experiment, growths, ranking, table, curves)
        if quickest:
            yield TARGET, quickest


def _branched(
    choice: BranchChoice, experiment: Experiment, best: Mapping[Cell, float]
) -> list[Planned]:
    """Return a run of each group at the rate of its batch size, which branches leave."""
    specification, planned = experiment.specification, list[Planned]()
    for group in experiment.groups:
        shared, size = group.family.shared, choice.batch_size or min(group.grid)
        at = sorted({max(size, round(part * shared.train_items)) for part in choice.at})
        rule, factors = _rule(choice, group.family), (1, *sorted(choice.factors))
        branching = Branching(tuple(at), factors, choice.window, rule)
        seeds = specification.confirmation_seeds or specification.seeds
        rate = best.get((group.label, size))
        if rate is not None and group.family.can_branch:
            trials = group.family.trials(size, rate, seeds, branching=branching)
            planned += [Planned(group.label, trial) for trial in trials]
    return planned


def _rule(choice: BranchChoice, family: Family) -> str:
    """Return how the rate of a branch follows the batch size; of a trainer nothing is known."""
    if choice.rate_rule or not isinstance(family.shared, EngineConfiguration):
        return choice.rate_rule or "sqrt"
    return usual_rate_rule(family.shared.optimizer)


def _measured(
    experiment: Experiment, losses: pd.DataFrame, choice: BranchChoice
) -> dict[Cell, BatchGrowth]:
    """Return how the batches of groups grow whose growth is measured."""
    growths = {}
    critical = critical_batch_sizes(losses, choice.tolerance)
    critical = critical.dropna(subset="critical_batch_size")
    for group in experiment.groups:
        family = group.family
        if family.growth is None or family.growth.kind != MEASURED:
            continue
        rows = critical[critical["group"] == group.label]
        # No branch shows what lies beyond the largest, and a batch that has grown stays so.
        limits = rows["critical_batch_size"].clip(upper=rows["largest"])[::-1].cummin()[::-1]
        epochs = -(-rows["examples"] // family.shared.train_items)
        for size in group.grid:
            sizes = [doubled(size, limit) for limit in limits.clip(lower=size)]
            growth = family.growing(size, zip(epochs, sizes, strict=True), _rule(choice, family))
            if growth is not None:
                growths[group.label, size] = growth
    return growths


def _seeds_of_cells(experiment: Experiment) -> pd.Series:
    """Return how many seeds tune each batch size."""
    index = pd.MultiIndex.from_tuples(experiment.grid, names=CELL[:2])
    return pd.Series(len(experiment.specification.seeds), index)


def _by_cell(table: pd.DataFrame, column: str) -> dict[Cell, float]:
    cells = zip(table["group"], table["batch_size"].map(int), strict=True)
    return dict(zip(cells, table[column].map(float), strict=True))


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
    below, above = _extended(grid, tried)
    rate = 0.0
    if best == min(tried) and below < limit:
        rate = rounded(grid[0] * (grid[0] / grid[1]) ** (below + 1))
    elif best == max(tried) and above < limit:
        rate = rounded(grid[-1] * (grid[-1] / grid[-2]) ** (above + 1))
    return rate if SMALLEST_RATE <= rate <= LARGEST_RATE else None


def _extended(grid: Sequence[float], tried: Sequence[float]) -> tuple[int, int]:
    """Return how many rates the grid has gone on by on either side; others may lie between them."""
    below = math.log(grid[0] / min(tried)) / math.log(grid[1] / grid[0])
    above = math.log(max(tried) / grid[-1]) / math.log(grid[-1] / grid[-2])
    return round(below), round(above)


def _rates_between(
    experiment: Experiment,
    tried: Mapping[Cell, Sequence[float]],
    trials: pd.DataFrame,
    cells: pd.DataFrame,
    ranking: pd.DataFrame,
) -> dict[Cell, float]:
    """Return a rate for each batch size where a better one probably lies between those tried."""
    limit, rates = experiment.specification.insertions, dict[Cell, float]()
    for group in experiment.groups if limit else ():
        parts = (frame[frame["group"] == group.label] for frame in (trials, cells, ranking))
        for coarse in coarse_grids(*parts):
            cell = group.label, coarse.batch_size
            grid, rate = experiment.grid[cell], float(f"{coarse.rate:.2g}")
            ladder = len(grid) + sum(_extended(grid, tried[cell]))
            if rate not in tried[cell] and len(tried[cell]) - ladder < limit:
                rates[cell] = rate
    return rates


def _quickest(
    experiment: Experiment,
    growths: Growths,
    ranking: pd.DataFrame,
    table: Callable[[], pd.DataFrame],
    curves: Curves,
) -> list[Planned]:
    """Return trials of the rates that reach the target soonest, where others are confirmed."""
    specification = experiment.specification
    several = specification.explore and any(len(rates) > 1 for rates in experiment.grid.values())
    if not (specification.target_rates and several):
        return []
    trials = table()
    trials = trials[trials["stage"].isin(TUNING_STAGES)]
    goal = Goal(specification.as_gain(specification.target_metric), specification.target_loss)
    seeds = _seeds_of_cells(experiment)
    rates = unconfirmed_rates(trials, curves(trials["trial"]), seeds, ranking, goal)
    wanted = choices(experiment, _by_cell(rates, "target_rate"))
    return trials_of(wanted, specification.confirmation_seeds, growths)


def _refined(
    experiment: Experiment,
    selected: Selected,
    growths: Growths,
    ranking: pd.DataFrame,
    table: Callable[[], pd.DataFrame],
) -> list[Planned]:
    """Return more fresh seeds, all at once, for the batch sizes that may yet be near-optimal."""
    seeds, planned = refinement_seeds(experiment.specification), list[Planned]()
    if not seeds:
        return []
    fresh = _complete(table())
    for group in experiment.groups:
        ranked = ranking[ranking["group"] == group.label]
        values = fresh[fresh["group"] == group.label]
        sizes, count = contenders(experiment.specification, group, ranked, values)
        chosen = [choice for choice in selected if choice[0] is group and choice[1] in sizes]
        planned += trials_of(chosen, seeds[:count], growths, evaluate_test=True)
    return planned


def _complete(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the values of batch sizes that have one for every fresh seed that has run."""
    fresh = trials[trials["stage"].isin(FRESH_STAGES)]
    cells = [fresh[name] for name in CELL[:2]]
    complete = fresh[has_value(fresh, "test").groupby(cells).transform("all")]
    values = {"metric": complete["test_metric"], "loss": complete["test_loss"]}
    return complete[["group", "batch_size", "seed"]].assign(**values)


def contenders(
    specification: StudySpecification, group: Group, ranking: pd.DataFrame, fresh: pd.DataFrame
) -> tuple[list[int], int]:
    """Return the reference with what may be shown near-optimal, and how many seeds that takes.

    Enough to show it, with the power that is wanted, of a size that loses nothing, by the spread of
    the differences so far and by nothing else: Stein's two stages, after which the report tests
    once.
    """
    reference = reference_size(ranking, fresh)
    if reference is None:
        return [], 0
    # Where no tuning seeds choose the reference, half of the seeds do, and may choose another yet.
    parts = 2 if ranking.empty else 1
    values = by_seed(fresh if parts == 1 else fresh[later_half(fresh)], "metric")
    metric = group.family.shared.metric
    margin = specification.margin or margin_of(metric, values[reference].mean())
    step = step_of(metric, int(group.family.facts.preparation.test))
    compared = [
        shortfall(values, reference, size, margin, step)
        for size in sizes_of(values)
        if size > reference or (parts > 1 and size != reference)
    ]
    most = len(values) + specification.refinement_seeds // parts
    needed = seeds_by_spread(compared, margin, most, specification.refinement_power) - len(values)
    sizes = [reference, *(each.batch_size for each in compared if each.verdict != WORSE)]
    return (sizes, parts * needed) if needed > 0 else ([], 0)
