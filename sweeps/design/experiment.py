"""A study that can be carried out: its specification, the facts of its data, what it tries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from bpengine import BatchGrowth, default_numerics
from sweeps.data.facts import Facts
from sweeps.design._grid import groups_of
from sweeps.design.families import Group
from sweeps.design.trials import Planned
from sweeps.spec import StudySpecification

Cell = tuple[str, int]  # label of a group and batch size

Growths = Mapping[Cell, BatchGrowth]  # how batches grow that were measured

Selected = list[tuple[Group, int, float]]  # groups with a batch size and its selected learning rate


@dataclass(frozen=True)
class Experiment:
    """A checked specification together with the facts of its data."""

    specification: StudySpecification
    data: Facts
    numerics: str = field(default_factory=default_numerics)  # of bpsweep's own network

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of cells that are explored."""
        return groups_of(self.specification, self.data, self.numerics)

    @cached_property
    def grid(self) -> Mapping[Cell, tuple[float, ...]]:
        """The learning rates that are tried, by group and batch size."""
        return {(g.label, size): rates for g in self.groups for size, rates in g.grid.items()}

    @cached_property
    def explored(self) -> tuple[Planned, ...]:
        """The trials that compare learning rates: every cell on every seed."""
        rows = [(group, *row) for group in self.groups for row in group.grid.items()]
        cells = [(group, size, rate) for group, size, rates in rows for rate in rates]
        return tuple(trials_of(cells, self.specification.seeds))


def choices(experiment: Experiment, rates: Mapping[Cell, float]) -> Selected:
    """Return every batch size of a study that has a rate here, with it."""
    return [
        (group, size, rates[group.label, size])
        for group in experiment.groups
        for size in group.grid
        if (group.label, size) in rates
    ]


def trials_of(
    selected: Selected,
    seeds: Iterable[int],
    growths: Growths = MappingProxyType({}),
    *,
    evaluate_test: bool = False,
) -> list[Planned]:
    """Return the trials of rates on these seeds; on fresh ones they have a test metric.

    Batches grow as was measured where that is known.
    """
    return [
        Planned(group.label, trial)
        for group, size, rate in selected
        for trial in group.family.trials(
            *(size, rate, seeds),
            evaluate_test=evaluate_test,
            growth=growths.get((group.label, size)),
        )
    ]


def refinement_seeds(specification: StudySpecification) -> tuple[int, ...]:
    """Return the seeds that the refine stage may use: those after the study's largest."""
    first = 1 + max((*specification.seeds, *specification.confirmation_seeds), default=0)
    return tuple(range(first, first + specification.refinement_seeds))
