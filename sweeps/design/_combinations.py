"""From a specification to every combination of its axes: product, zip, include, exclude."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.spec import Location, StudySpecification
from sweeps.spec.axes import AXES, BUDGETS, HYPERPARAMETERS, Axes, OptimizerChoice, ScheduleChoice
from sweeps.spec.types import PowersOfTwo

RATES = "learning_rates"


@dataclass(frozen=True)
class Value:
    """A value of an axis, and where it is in the specification."""

    value: Any
    location: Location


@dataclass(frozen=True)
class Combination:
    """One value of every axis, and the learning rates that are tried with it."""

    values: Mapping[str, Value]  # axes without a value left out
    hyperparameters: Mapping[str, float]  # those that are given
    learning_rates: tuple[float, ...]  # before any rule

    def get(self, axis: str) -> Any:  # noqa: ANN401 - axes have all types
        """Return the value of an axis, None if it has none."""
        return self.values[axis].value if axis in self.values else None


Block = tuple[dict[str, list[Value]], frozenset[str]]
"""Values by axis, and the axes that the block itself gives."""


def combinations(specification: StudySpecification) -> Iterator[Combination]:
    """Yield all combinations, excluded ones too: those depend on the data."""
    for values, given in blocks(specification):
        for parts in itertools.product(*_dimensions(specification, values, given)):
            chosen = {axis: value for part in parts for axis, value in part.items()}
            yield from _with_settings(chosen, values.get(RATES, ()))


def most_cells(specification: StudySpecification) -> int:
    """Return how many cells a study has at most, without making them: excluded ones count, too."""
    cells = 0
    for values, given in blocks(specification):
        dimensions = _dimensions(specification, values, given)
        is_bundled = any(RATES in dimension[0] for dimension in dimensions)
        rates = 1 if is_bundled else len(values.get(RATES, ()))
        cells += math.prod(
            sum(_most_cells(part, rates) for part in dimension) for dimension in dimensions
        )
    return cells


def _most_cells(part: Mapping[str, Value], rates: int) -> int:
    cells = 1
    if "batch_sizes" in part and isinstance(part["batch_sizes"].value, PowersOfTwo):
        cells *= len(part["batch_sizes"].value.sizes(_LARGEST))
    if "optimizer" in part:
        optimizer: OptimizerChoice = part["optimizer"].value
        cells *= math.prod(len(getattr(optimizer, name)) or 1 for name in HYPERPARAMETERS)
        cells *= len(optimizer.learning_rates) or rates
    return cells


_LARGEST = 2**63  # stands for the number of training examples before it is known


def blocks(specification: StudySpecification) -> Iterator[Block]:
    """Yield the study's own values by axis, then those of every `include`."""
    base = _values(specification, (), AXES)
    yield base, frozenset()
    for number, block in enumerate(specification.include):
        given = _values(block, ("include", number), block.model_fields_set)
        dropped = BUDGETS if given.keys() & {*BUDGETS} else ()
        kept = {axis: values for axis, values in base.items() if axis not in dropped}
        yield kept | given, frozenset(given)


def _values(axes: Axes, location: Location, given: Collection[str]) -> dict[str, list[Value]]:
    return {
        axis: [Value(value, (*location, axis, at)) for at, value in enumerate(getattr(axes, axis))]
        for axis in AXES
        if axis in given and getattr(axes, axis)
    }


def _dimensions(
    specification: StudySpecification, values: Mapping[str, list[Value]], given: Collection[str]
) -> list[list[dict[str, Value]]]:
    """Return what is multiplied: the values of each axis, or those of a bundle together."""
    bundled: dict[str, tuple[str, ...]] = {axis: (axis,) for axis in values if axis != RATES}
    for bundle in specification.zip:
        axes = tuple(axis for axis in bundle if axis in values and axis not in given)
        bundled |= dict.fromkeys(axes, axes)
    # In the order of the axes, a bundle where its first axis stands.
    names = dict.fromkeys(bundled[axis] for axis in values if axis in bundled)
    # Axes of unequal length are a mistake that is told elsewhere.
    return [
        [
            dict(zip(axes, together, strict=True))
            for together in zip(*(values[axis] for axis in axes), strict=False)
        ]
        for axes in names
    ]


def _with_settings(
    chosen: Mapping[str, Value], all_rates: Sequence[Value]
) -> Iterator[Combination]:
    optimizer: OptimizerChoice = chosen["optimizer"].value
    bundled = [chosen[RATES]] if RATES in chosen else all_rates
    rates = optimizer.learning_rates or tuple(rate.value for rate in bundled)
    given = {name: getattr(optimizer, name) for name in HYPERPARAMETERS if getattr(optimizer, name)}
    for values in itertools.product(*given.values()):
        yield Combination(chosen, dict(zip(given, values, strict=True)), rates)


def agrees(
    pattern: Axes, combination: Combination, batch_sizes: Collection[int | str], rate: float
) -> bool:
    """Return whether a combination agrees with all values of an exclusion.

    `batch_sizes` holds its number, and its name if it has one; the rate is that before any rule.
    """
    actual = {axis: combination.get(axis) for axis in AXES}
    actual |= {"batch_sizes": batch_sizes, RATES: rate}
    return all(
        any(_agrees(axis, wanted, actual[axis], combination) for wanted in getattr(pattern, axis))
        for axis in pattern.model_fields_set
    )


def _agrees(axis: str, wanted: object, actual: object, combination: Combination) -> bool:
    if isinstance(wanted, OptimizerChoice) and isinstance(actual, OptimizerChoice):
        return wanted.name == actual.name and all(
            combination.hyperparameters.get(name) in getattr(wanted, name)
            for name in wanted.model_fields_set - {"name"}
        )
    if isinstance(wanted, ScheduleChoice) and isinstance(actual, ScheduleChoice):
        given = wanted.model_fields_set
        return all(getattr(wanted, name) == getattr(actual, name) for name in given)
    if axis == "parameters" and isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        wanted = {**actual, **wanted}  # those that aren't named may be any
    if axis == "batch_sizes" and isinstance(actual, Collection):
        if isinstance(wanted, PowersOfTwo):
            return any(size in wanted.sizes(size) for size in actual if isinstance(size, int))
        return wanted in actual
    if axis == "dataset" and isinstance(actual, Mapping):
        return wanted in (actual, actual.get("name"), actual.get("path"))
    return wanted == actual
