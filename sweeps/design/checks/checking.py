"""Checking a specification against itself and its data: an experiment, or every mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.data.facts import Facts, facts_of, key_of
from sweeps.data.registry import SourceError, load, read_source
from sweeps.data.splits import Preparation, preparation_problems
from sweeps.design.checks.contradictions import contradictions
from sweeps.design.checks.misfits import misfits
from sweeps.design.combinations import Value, blocks, most_cells
from sweeps.design.stages import Experiment, refinement_seeds
from sweeps.errors import DataError, Problem, SpecificationError
from sweeps.spec.messages import path_of
from sweeps.spec.model import StudySpecification, parse
from sweeps.spec.types import MOST_TRIALS

_STAND_INS: dict[str, tuple[object, ...]] = {"learning_rates": (1.0,), "epochs": (1,)}
"""What a specification without them is checked with otherwise."""


def experiment_of(keys: Mapping[str, Any], source: str, folder: Path) -> Experiment:
    """Return a checked specification with the facts of its data.

    Raises:
        SpecificationError: With every mistake there is.
    """
    specification, problems, wrong = parse(keys)
    faults = [*contradictions(specification, wrong)]
    problems += [fault.problem(keys) for fault in faults]
    wrong |= {str(fault.place[0]) for fault in faults}
    usable = _with_stand_ins(specification, wrong)
    data, of_data = _data(usable, keys, folder, wrong)
    problems += [*of_data, *_misfits(usable, data, keys, wrong)]
    if problems:
        raise SpecificationError(source, problems)
    return Experiment(specification, data)


def _with_stand_ins(specification: StudySpecification, wrong: set[str]) -> StudySpecification:
    defaults = {key: StudySpecification.model_fields[key].default for key in wrong & {*_RESET}}
    missing = {key: value for key, value in _STAND_INS.items() if key in wrong}
    return specification.model_copy(update=defaults | missing)


_RESET = ("optimizer", "schedule", "include", "seeds", "confirmation_seeds", "refinement_seeds")
"""Keys whose contradictions would stop everything else from being checked."""


def _misfits(
    specification: StudySpecification, data: Facts, keys: Mapping[str, Any], wrong: set[str]
) -> list[Problem]:
    # Without them, combinations nobody asked for would be found fault with.
    if wrong & {"zip", "exclude"} or most_cells(specification) > MOST_TRIALS:
        return []
    return [
        misfit.problem(keys)
        for misfit in misfits(specification, data)
        if not (wrong and misfit.place[0] == "exclude")
    ]


def _data(
    specification: StudySpecification, keys: Mapping[str, Any], folder: Path, wrong: set[str]
) -> tuple[Facts, list[Problem]]:
    """Return the facts of all datasets, and what is wrong with the others."""
    values = [
        value
        for values, given in blocks(specification)
        for value in values.get("dataset", ())
        if not given or "dataset" in given
    ]
    data: Facts = {}
    problems: list[Problem] = []
    for value in values:
        try:
            problems += _describe(specification, value, folder, wrong, data)
        except SourceError as error:
            path = path_of(value.place, keys)
            problems += [
                Problem(path + problem.path, problem.text, about_data=problem.about_data)
                for problem in error.problems
            ]
        except DataError as error:
            path = path_of(value.place, keys)
            problems += [Problem(path, line, about_data=True) for line in error.lines]
    return data, problems


def _describe(
    specification: StudySpecification, value: Value, folder: Path, wrong: set[str], data: Facts
) -> list[Problem]:
    """Add the facts of one dataset, or return why it can't be split as wanted."""
    source = read_source(value.value, folder=folder)
    dataset = load(source)
    if wrong & {"validation", "test", "split_seed", "scaling"}:
        return []
    preparation = preparation_of(specification)
    problems = preparation_problems(dataset, preparation)
    if not problems:
        seeds = (
            *specification.seeds,
            *specification.confirmation_seeds,
            *(seed for step in refinement_seeds(specification) for seed in step),
        )
        data[key_of(value.value)] = facts_of(dataset, source, preparation, seeds)
    return problems


def preparation_of(specification: StudySpecification) -> Preparation:
    """Return how a specification wants its data prepared."""
    return Preparation(
        specification.validation,
        specification.test,
        specification.scaling,
        specification.split_seed,
    )
