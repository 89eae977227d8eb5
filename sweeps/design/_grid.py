"""The design of a study: the specification meets the facts of its data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from bpengine import Budget, Schedule
from bpengine.network import LOSSES
from bpengine.optim import MEMORIES, OPTIMIZERS
from bpengine.passes.compiled import NUMPY
from sweeps.data import REGRESSION
from sweeps.data.facts import DataFacts, Facts, key_of
from sweeps.design._combinations import Combination, agrees, combinations
from sweeps.design.families import Family, Group, Growth, labels_of, rate_factor
from sweeps.design.trials import (
    EngineConfiguration,
    TrainerConfiguration,
    fields_from,
)
from sweeps.spec import StudySpecification
from sweeps.spec.axes import ADAM, AXES, BUDGETS, EXAMPLES, GrowthChoice, ScheduleChoice
from sweeps.spec.model import MEASURED_FRESH
from sweeps.spec.types import AUTO, FULL, NONE, PowersOfTwo, rounded


@dataclass(frozen=True)
class Cell:
    """One batch size and learning rate of a family."""

    family: Family
    batch_size: int
    rate: float  # as it is used
    excluded_by: tuple[int, ...]  # numbers of the exclusions that agree with it
    combination: Combination  # where it comes from


PROTOCOL = "trainer 1"
"""Numerics of a user's trainer: how bpsweep trains by it."""


def groups_of(specification: StudySpecification, data: Facts, numerics: str) -> tuple[Group, ...]:
    """Return the groups of a study in the order of its combinations, without excluded cells."""
    grids: dict[Family, dict[int, set[float]]] = {}
    for cell in cells_of(specification, data, numerics):
        if not cell.excluded_by:
            grids.setdefault(cell.family, {}).setdefault(cell.batch_size, set()).add(cell.rate)
    labels = labels_of([*grids], specification.name)
    return tuple(
        Group(label, family, {size: tuple(sorted(grid[size])) for size in sorted(grid)})
        for label, (family, grid) in zip(labels, grids.items(), strict=True)
    )


def cells_of(
    specification: StudySpecification, data: Facts, numerics: str = NUMPY
) -> Iterator[Cell]:
    """Yield every cell as often as it is named, excluded ones too; none of data without facts."""
    for combination in combinations(specification):
        facts = data.get(key_of(combination.get("dataset")))
        if facts is None or not combination.learning_rates:
            continue
        family = family_of(specification, combination, facts, numerics)
        for size in sizes_of(combination.get("batch_sizes"), facts.train_items):
            names = (size, FULL) if size == facts.train_items else (size,)
            for rate in combination.learning_rates:
                excluded_by = tuple(
                    number
                    for number, pattern in enumerate(specification.exclude)
                    if agrees(pattern, combination, names, rate)
                )
                used = _followed(rate, family.rate_rule, size, specification.reference_batch_size)
                yield Cell(family, size, used, excluded_by, combination)


def sizes_of(value: int | str | PowersOfTwo | None, train_items: int) -> list[int]:
    """Return the batch sizes that a value of the axis represents."""
    if isinstance(value, PowersOfTwo):
        return value.sizes(train_items)
    if value is None:
        return []
    return [train_items if value == FULL else int(value)]


def _followed(rate: float, rule: str, batch_size: int, reference: int | None) -> float:
    if rule == NONE or reference is None:
        return rate
    return rounded(rate * rate_factor(rule, batch_size / reference))


def family_of(
    specification: StudySpecification, combination: Combination, facts: DataFacts, numerics: str
) -> Family:
    """Return the family of a combination."""
    if specification.trainer:
        return _family_of_trainer(specification, combination, facts)
    get = combination.get
    optimizer = get("optimizer").name
    hyperparameters = {**OPTIMIZERS[optimizer].defaults, **combination.hyperparameters}
    names = [field.name for field in fields(EngineConfiguration)]
    values = fields_from(EngineConfiguration, facts, specification)
    values |= {axis: get(axis) for axis in AXES if axis in names} | {
        "evaluate_test": False,
        "widths": (facts.features, *get("hidden_layers"), facts.outputs),
        "output": output_of(get("output"), get("loss"), facts.task),
        "metric": specification.gain(facts.task),
        "target": specification.as_gain(specification.target),
        "stop_loss": None if get("stop_loss") == NONE else get("stop_loss"),
        "optimizer": optimizer,
        "schedule": schedule_of(get("schedule")),
        "growth": None,
        "batch_size": 1,
        "budget": _budget(combination),
        **dict.fromkeys(MEASURED_FRESH, False),
        "numerics": numerics,
    }
    shared = EngineConfiguration(**values)
    # Where nothing is remembered, it makes no difference how.
    examples = get("memory") == EXAMPLES or get("rate_rule") == ADAM
    remembers = examples and any(hyperparameters.get(name) for name in MEMORIES)
    decays = get("weight_decay_rule") != NONE and hyperparameters["weight_decay"]
    asked = [name for name in MEASURED_FRESH if getattr(specification, name)]
    scales = "epsilon" in hyperparameters
    return Family(
        facts,
        shared,
        tuple(sorted(hyperparameters.items())),
        get("rate_rule"),
        specification.reference_batch_size if remembers else None,
        tuple(name for name in asked if scales or name != "noise_geometry"),
        _growth_of(get("growth"), facts.train_items),
        specification.reference_batch_size if decays else None,
    )


def _family_of_trainer(
    specification: StudySpecification, combination: Combination, facts: DataFacts
) -> Family:
    parameters = tuple(sorted(combination.get("parameters").items()))
    shared = TrainerConfiguration(
        **fields_from(TrainerConfiguration, facts),
        evaluate_test=False,
        metric=specification.gain(facts.task),
        batch_size=1,
        budget=_budget(combination),
        trainer=facts.source.name,
        parameters=parameters,
        numerics=PROTOCOL,
    )
    return Family(facts, shared, parameters, combination.get("rate_rule"))


def _budget(combination: Combination) -> Budget:
    return Budget(**{name: combination.get(name) for name in BUDGETS})


def output_of(output: str, loss: str, task: str) -> str:
    """Return the activation of the output layer."""
    if output != AUTO:
        return output
    return LOSSES[loss].output or ("identity" if task == REGRESSION else "sigmoid")


def schedule_of(choice: ScheduleChoice) -> Schedule:
    """Return a schedule, the fields that have no meaning for it at their defaults."""
    return Schedule(**choice.model_dump(exclude_none=True))


def _growth_of(choice: GrowthChoice | str, train_items: int) -> Growth | None:
    if isinstance(choice, str):
        return None if choice == NONE else Growth(choice, train_items)
    limit = train_items if choice.limit == FULL else int(choice.limit)
    return Growth("", limit, choice.factor, choice.every)
