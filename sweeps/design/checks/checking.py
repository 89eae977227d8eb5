"""Checking a specification against itself and its data: an experiment, or every mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from bpengine.network import ACTIVATIONS, LOSSES
from bpengine.optim import MEMORIES
from sweeps.data import REGRESSION, Preparation, Source
from sweeps.data.facts import DataFacts, Facts, facts_of, facts_of_trainer, key_of
from sweeps.data.registry import SourceError, load, read_source
from sweeps.data.splits import preparation_problems
from sweeps.data.trainer_code import read_trainer
from sweeps.design._combinations import Combination, Value, blocks
from sweeps.design._grid import Cell, cells_of, output_of, sizes_of
from sweeps.design.checks.contradictions import Contradiction, contradictions
from sweeps.design.experiment import Experiment, refinement_seeds
from sweeps.design.trials import fields_from
from sweeps.errors import DataError, Problem, SpecificationError, counted, shown
from sweeps.spec import StudySpecification, path_of
from sweeps.spec.axes import AXES, MEASURED, GrowthChoice
from sweeps.spec.model import SCALES, parse
from sweeps.spec.types import (
    AUTO,
    FULL,
    LARGEST_RATE,
    METRICS,
    MOST_EPOCHS,
    NEGATIVE,
    SMALLEST_RATE,
)


def experiment_of(keys: Mapping[str, Any], source: str, folder: Path) -> Experiment:
    """Return a checked specification with the facts of its data, or raise every mistake.

    While something is wrong with the keys, only data in files are read: others may take long.
    """
    specification, problems, wrong = parse(keys)
    problems += [fault.problem(keys) for fault in contradictions(specification, wrong)]
    sources, unnamed = _sources(specification, keys, folder)
    problems += unnamed
    data: Facts = {}
    if specification.trainer:
        data, unnamed = _trainer(specification, folder)
        problems += unnamed
    if problems:
        problems += _unreadable([each for each in sources if each[1].content], keys)
    else:
        named, problems = _data(specification, sources, keys)
        data |= named
        misfits = dict.fromkeys(_misfits(specification, data))
        problems += [misfit.problem(keys) for misfit in misfits]
    if problems:
        raise SpecificationError(source, problems)
    return Experiment(specification, data)


def _datasets(specification: StudySpecification) -> Iterator[Value]:
    for values, given in blocks(specification):
        yield from values.get("dataset", ()) if not given or "dataset" in given else ()


def _sources(
    specification: StudySpecification, keys: Mapping[str, Any], folder: Path
) -> tuple[list[tuple[Value, Source]], list[Problem]]:
    """Return what names data, with the values that do, and what is wrong with the others."""
    sources: list[tuple[Value, Source]] = []
    problems: list[Problem] = []
    for value in _datasets(specification):
        path = path_of(value.location, keys)
        try:
            sources.append((value, read_source(value.value, folder=folder)))
        except SourceError as error:
            problems += [replace(problem, path=path + problem.path) for problem in error.problems]
    return sources, problems


def _unreadable(sources: Sequence[tuple[Value, Source]], keys: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for value, source in sources:
        try:
            load(source)
        except DataError as error:
            problems += _of_data(value, error, keys)
    return problems


def _of_data(value: Value, error: DataError, keys: Mapping[str, Any]) -> list[Problem]:
    path = path_of(value.location, keys)
    return [Problem(path, line, True, error.options) for line in error.lines]


def _data(
    specification: StudySpecification,
    sources: Sequence[tuple[Value, Source]],
    keys: Mapping[str, Any],
) -> tuple[Facts, list[Problem]]:
    """Return the facts of all datasets, and what is wrong with the others."""
    data: Facts = {}
    problems: list[Problem] = []
    preparation = Preparation(**fields_from(Preparation, specification))
    fresh = (specification.confirmation_seeds, refinement_seeds(specification))
    seeds = [*chain(specification.seeds, *fresh)]
    for value, source in sources:
        try:
            dataset = load(source)
            unsplit = preparation_problems(dataset, preparation)
            problems += unsplit
            if not unsplit:
                facts = facts_of(dataset, source, preparation, seeds)
                data[key_of(value.value)] = facts
        except DataError as error:
            problems += _of_data(value, error, keys)
    return data, problems


def _trainer(specification: StudySpecification, folder: Path) -> tuple[Facts, list[Problem]]:
    """Return what is known of a trainer, where no data are named, and what is wrong with it."""
    source, problems = read_trainer(specification.trainer or "", folder)
    tasks = [task for task, metrics in METRICS.items() if specification.metric in metrics]
    facts = facts_of_trainer(source, specification.training_examples or 0, "".join(tasks))
    return {key_of(None): facts}, problems


UNBOUNDED = ("identity", "leaky_relu")
"""Outputs that can be any number, as standardised targets are."""


def _misfits(specification: StudySpecification, data: Facts) -> Iterator[Contradiction]:
    yield from _same_data(specification, data)
    yield from _repeated_sizes(specification, data)
    cells = [*cells_of(specification, data)]
    kept = [cell for cell in cells if not cell.excluded_by]
    for cell in kept:
        if not specification.trainer:
            yield from _of_combination(specification, cell.combination, cell.family.facts)
        yield from _of_cell(cell, specification)
    yield from _useless_exclusions(specification, cells)
    yield from _branches(specification, kept)
    yield from _scales(specification, kept)
    if cells and not kept:
        yield Contradiction(("exclude",), "leaves nothing to try.")
    if not specification.explore:
        yield from _choices_left(kept)


def _branches(specification: StudySpecification, cells: Sequence[Cell]) -> Iterator[Contradiction]:
    branch = specification.branch
    if isinstance(branch, str) or not cells:
        return
    sizes = {cell.batch_size for cell in cells}
    if branch.batch_size not in {None, *sizes}:
        text = f"must be one of the batch sizes {sorted(sizes)}, but is {branch.batch_size}."
        yield Contradiction(("branch", "batch_size"), text)
    needs = "a constant `schedule`, the `reduction` 'mean' and no `local_updates`"
    for cell in cells:
        grows = cell.family.growth and cell.family.growth.kind == MEASURED
        if grows and not cell.family.can_branch:
            location = cell.combination.values["growth"].location
            yield Contradiction(location, f"is 'measured', which needs {needs}.{_EXCLUDE}")
    if not any(cell.family.can_branch for cell in cells):
        yield Contradiction(("branch",), f"needs {needs}.")


def _scales(specification: StudySpecification, cells: Sequence[Cell]) -> Iterator[Contradiction]:
    name = specification.scale_with
    if name is None or not cells:
        return
    values = {value for cell in cells if (value := cell.family.scale(name))}
    if len(values) < 2:  # noqa: PLR2004
        text = f"is {name!r}, which must differ between configurations, but is"
        single = f"{values.pop():g} in all" if values else "known of none"
        yield Contradiction(("scale_with",), f"{text} {single}: give {SCALES[name]}.")


def _same_data(specification: StudySpecification, data: Facts) -> Iterator[Contradiction]:
    seen: dict[str, object] = {}
    for value in _datasets(specification):
        facts = data.get(key_of(value.value))
        first = seen.setdefault(facts.fingerprint, value.value) if facts else value.value
        if first != value.value:
            text = f"holds the same data as {shown(first)}, but is {shown(value.value)}."
            yield Contradiction(value.location, text)


def _repeated_sizes(specification: StudySpecification, data: Facts) -> Iterator[Contradiction]:
    for values, _ in blocks(specification):
        for facts in data.values():
            sizes = [
                (size, value.location)
                for value in values.get("batch_sizes", ())
                for size in sizes_of(value.value, facts.train_items)
            ]
            counts = Counter(size for size, _ in sizes)
            for size, location in sizes:
                if counts[size] > 1:
                    text = f"gives {size} more than once on {facts.source.name}."
                    yield Contradiction(location[:-1], text)


def _of_cell(cell: Cell, specification: StudySpecification) -> Iterator[Contradiction]:
    facts, combination, size = cell.family.facts, cell.combination, cell.batch_size
    if facts.train_items and size > facts.train_items:
        yield Contradiction(combination.values["batch_sizes"].location, _too_many(facts, size))
    yield from _target(specification, facts)
    yield from _length(cell)
    if specification.trainer:
        return
    yield from _metric(specification, facts)
    shards = combination.get("shards")
    if shards > size:
        text = f"must be at most the batch size, but is {shards} with {counted(size, 'example')}."
        yield Contradiction(combination.values["shards"].location, f"{text}{_EXCLUDE}")
    if specification.noise_examples > facts.train_items:
        text = _too_many(facts, specification.noise_examples)
        yield Contradiction(("noise_examples",), text)


def _too_many(facts: DataFacts, examples: int) -> str:
    return (
        f"must be at most {facts.train_items}, the training examples of {facts.source.name} "
        f"under this split, but is {examples}."
    )


def _length(cell: Cell) -> Iterator[Contradiction]:
    budget, facts = cell.family.shared.budget, cell.family.facts
    examples = {
        "updates": cell.batch_size * (budget.updates or 0),
        "examples": budget.examples or 0,
    }
    for axis, wanted in examples.items():
        if wanted > MOST_EPOCHS * (facts.train_items or wanted) and budget.epochs is None:
            text = (
                f"must end within {MOST_EPOCHS:,} epochs of {facts.source.name}, but is "
                f"{getattr(budget, axis):,}."
            )
            yield Contradiction(cell.combination.values[axis].location, text)
    if not SMALLEST_RATE <= cell.rate <= LARGEST_RATE:
        text = f"makes a learning rate that is not from {SMALLEST_RATE:g} to {LARGEST_RATE:g}."
        yield Contradiction(("reference_batch_size",), text)
    used = cell.family.hyperparameters_at(cell.batch_size)
    if any(used.get(name) == 1 for name in MEMORIES):
        yield Contradiction(("reference_batch_size",), "makes an optimizer that forgets nothing.")


def _metric(specification: StudySpecification, facts: DataFacts) -> Iterator[Contradiction]:
    if specification.metric not in {None, *METRICS[facts.task]}:
        allowed = ", ".join(map(repr, METRICS[facts.task]))
        text = (
            f"must be one of {allowed} for the {facts.task} {facts.source.name}, but is "
            f"{specification.metric!r}."
        )
        yield Contradiction(("metric",), text)


def _target(specification: StudySpecification, facts: DataFacts) -> Iterator[Contradiction]:
    metric = specification.gain(facts.task).removeprefix(NEGATIVE)
    for key in ("target", "target_metric"):
        level = getattr(specification, key)
        if level is None:
            continue
        where = f"for the {metric} on {facts.source.name}, but is {level}."
        if level <= 0 and metric != "r2" and key == "target":
            yield Contradiction((key,), f"must be above 0 {where}")
        if level > 1 and metric in chain(*METRICS.values()) and not specification.is_minimized:
            yield Contradiction((key,), f"must be at most 1 {where}")
    if specification.target is not None and metric == "mae":
        text = "can't be given with mae, which a trial has standardised: use `target_metric`."
        yield Contradiction(("target",), text)


_EXCLUDE = " Leave the combination out with `exclude`."


SHARES = ("softmax", "sigmoid")
"""Outputs that estimate probabilities."""


def _of_combination(
    specification: StudySpecification, combination: Combination, facts: DataFacts
) -> Iterator[Contradiction]:
    local_updates, growth = combination.get("local_updates"), combination.get("growth")
    if local_updates > 1 and combination.get("shards") == 1:
        text = f"is {local_updates}, but needs `shards` above 1: copies to average.{_EXCLUDE}"
        yield Contradiction(combination.values["local_updates"].location, text)
    limit = growth.limit if isinstance(growth, GrowthChoice) else FULL
    if not isinstance(limit, str) and limit > facts.train_items:
        location = (*combination.values["growth"].location, "limit")
        yield Contradiction(location, _too_many(facts, limit))
    yield from _loss(combination, facts)
    output = output_of(combination.get("output"), combination.get("loss"), facts.task)
    if facts.task != REGRESSION and specification.metric == "log_loss" and output not in SHARES:
        text = f"is log_loss, which needs the output {' or '.join(SHARES)}, not {output!r}."
        yield Contradiction(("metric",), text)


def _loss(combination: Combination, facts: DataFacts) -> Iterator[Contradiction]:
    loss, written = combination.get("loss"), combination.get("output")
    output = output_of(written, loss, facts.task)
    needed = LOSSES[loss].output
    axis = "loss" if written == AUTO else "output"
    location = combination.values[axis].location
    if facts.task == REGRESSION and needed:
        text = f"is {loss!r}, but {facts.source.name} is a regression: it goes with squared_error."
        yield Contradiction(combination.values["loss"].location, text)
    elif facts.task == REGRESSION and output not in UNBOUNDED:
        allowed = " or ".join(map(repr, UNBOUNDED))
        text = f"must be {allowed} for the regression {facts.source.name}, but is {output!r}."
        yield Contradiction(location, text)
    elif needed is None and ACTIVATIONS[output].derivative is None:
        text = f"is {output!r}, which goes with the loss cross_entropy, not with {loss}."
        yield Contradiction(location, text)
    elif needed not in {None, output}:
        text = f"is {output!r}, but the loss {loss} goes with {needed!r}."
        yield Contradiction(location, text)


def _useless_exclusions(
    specification: StudySpecification, cells: Sequence[Cell]
) -> Iterator[Contradiction]:
    used = {number for cell in cells for number in cell.excluded_by}
    for number, pattern in enumerate(specification.exclude):
        if cells and number not in used:
            names = [name for name in AXES if name in pattern.model_fields_set]
            text = f"agrees with no combination of {' and '.join(names)}."
            yield Contradiction(("exclude", number), text)


def _choices_left(cells: Sequence[Cell]) -> Iterator[Contradiction]:
    rates: dict[object, set[float]] = {}
    for cell in cells:
        rates.setdefault((cell.family, cell.batch_size), set()).add(cell.rate)
    if any(len(tried) > 1 for tried in rates.values()):
        text = "is false, but then no rate can be chosen: each batch size must have one."
        yield Contradiction(("explore",), text)
