"""Contradictions within a specification, before its data are looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bpengine.optim import OPTIMIZERS
from sweeps.data.parameters import LARGEST_WHOLE
from sweeps.design._combinations import RATES, Value, blocks, most_cells
from sweeps.errors import Problem, did_you_mean, shown
from sweeps.spec import Location, StudySpecification, given, path_of
from sweeps.spec.axes import (
    ADAM,
    BUDGETS,
    EXAMPLES,
    HYPERPARAMETERS,
    MEASURED,
    SEESAW,
    UPDATES,
    OptimizerChoice,
    ScheduleChoice,
)
from sweeps.spec.model import MEASURED_FRESH, NETWORK_KEYS, TRAINER_KEYS
from sweeps.spec.types import FULL, MOST_TRIALS, NONE, MetricChoice, PowersOfTwo


@dataclass(frozen=True)
class Contradiction:
    """Keys that don't go together: where the specification is to be changed, and why."""

    location: Location
    text: str  # follows the location's path

    def problem(self, keys: Mapping[str, Any]) -> Problem:
        """Return it as a mistake in what was written."""
        return Problem(path_of(self.location, keys), self.text)


def contradictions(specification: StudySpecification, wrong: set[str]) -> Iterator[Contradiction]:
    """Yield what can't be, whatever the data are; nothing about keys already known to be wrong."""
    checks = (
        _missing,
        _trainer,
        _seeds,
        _parts,
        _targets,
        _rules,
        _growth,
        _bundles,
        _patterns,
        _choices,
        _size,
    )
    # What an `include` takes from the study is found with each of them.
    faults = dict.fromkeys(fault for check in checks for fault in check(specification))
    yield from (fault for fault in faults if str(fault.location[0]) not in wrong)


def _missing(specification: StudySpecification) -> Iterator[Contradiction]:
    wanted = {"batch_sizes": ""} if specification.trainer else {"dataset": "", "batch_sizes": ""}
    if specification.explore:
        wanted["seeds"] = ""
    else:
        wanted["confirmation_seeds"] = " Without `explore` trials have no other seeds."
    optimizers = [values["optimizer"] for values, _ in blocks(specification) if RATES not in values]
    if not all(value.value.learning_rates for values in optimizers for value in values):
        wanted[RATES] = ""
    for key, why in wanted.items():
        if not getattr(specification, key):
            yield Contradiction((key,), f"is required, but missing.{why}")
    if not any(getattr(specification, name) for name in BUDGETS):
        others = "`updates`, `examples` or `seconds`"
        text = f"is required, but missing; {others} may take its place."
        yield Contradiction(("epochs",), text)


def _trainer(specification: StudySpecification) -> Iterator[Contradiction]:
    """Yield keys that are of a trainer without one, or of bpsweep's own network with one."""
    blocks_given = [((), given(specification))] + [
        ((kind, number), block.model_fields_set)
        for kind in ("include", "exclude")
        for number, block in enumerate(getattr(specification, kind))
    ]
    for location, keys in blocks_given:
        if specification.trainer:
            wrong = [key for key in keys if key in NETWORK_KEYS]
            text = "is about bpsweep's own network: a trainer gets `parameters`."
        else:
            wrong = [key for key in keys if key in TRAINER_KEYS]
            text = "has no meaning without `trainer`."
        yield from (Contradiction((*location, key), text) for key in wrong)
    if specification.trainer is None:
        if isinstance(specification.metric, MetricChoice):
            yield Contradiction(("metric",), "can be a table only with `trainer`.")
        return
    named_full = any(FULL in _ends(size) for size in specification.batch_sizes)
    needs = {"`epochs`": specification.epochs, "`branch`": specification.branch != NONE}
    needs[repr(FULL)] = named_full
    if specification.training_examples is None and any(needs.values()):
        text = f"is required by {next(name for name in needs if needs[name])}, but missing."
        yield Contradiction(("training_examples",), text)


def _ends(size: int | str | PowersOfTwo) -> tuple[int | str, ...]:
    return size.powers_of_two if isinstance(size, PowersOfTwo) else (size,)


def _seeds(specification: StudySpecification) -> Iterator[Contradiction]:
    shared = sorted({*specification.seeds} & {*specification.confirmation_seeds})
    if shared and specification.explore:
        text = f"must be fresh seeds, but {shared} are in `seeds` too."
        yield Contradiction(("confirmation_seeds",), text)
    wanted, fresh = specification.refinement_seeds, specification.confirmation_seeds
    if wanted and not fresh:
        text = f"is {wanted}, but without `confirmation_seeds` there is nothing to refine."
        yield Contradiction(("refinement_seeds",), text)
    if wanted and max((*fresh, *specification.seeds), default=0) + wanted > LARGEST_WHOLE:
        text = f"must leave every seed at most {LARGEST_WHOLE}, but adds {wanted} to the largest."
        yield Contradiction(("refinement_seeds",), text)
    if specification.noise_examples == 1:
        text = "must be 0 or at least 2, but is 1: a single gradient has no spread."
        yield Contradiction(("noise_examples",), text)
    for name in MEASURED_FRESH:
        needs = {"`noise_examples`": specification.noise_examples, "`confirmation_seeds`": fresh}
        if name == "sharpness":
            del needs["`noise_examples`"]
        if getattr(specification, name) and not all(needs.values()):
            text = f"needs {' and '.join(needs)}: only fresh seeds measure it."
            yield Contradiction((name,), text)


def _size(specification: StudySpecification) -> Iterator[Contradiction]:
    cells = most_cells(specification)
    seeds = max(len(specification.seeds), len(specification.confirmation_seeds), 1)
    if cells * seeds > MOST_TRIALS:
        text = (
            f"make {cells * seeds:,} trials, {cells:,} combinations of axes with {seeds:,} seeds "
            f"each, but at most {MOST_TRIALS:,} are allowed. Split the study."
        )
        yield Contradiction(("seeds",), text)


def _parts(specification: StudySpecification) -> Iterator[Contradiction]:
    validation, test = specification.validation, specification.test
    if isinstance(validation, float) and isinstance(test, float) and validation + test >= 1:
        text = f"`validation + test < 1` must hold, but they add up to {validation + test:g}."
        yield Contradiction(("test",), text)


def _targets(specification: StudySpecification) -> Iterator[Contradiction]:
    if specification.target_metric is not None and specification.target_loss is not None:
        text = "can't be given with `target_metric`: the report measures the way to one of them."
        yield Contradiction(("target_loss",), text)


def _rules(specification: StudySpecification) -> Iterator[Contradiction]:
    given = [
        (axis, value)
        for values, _ in blocks(specification)
        for axis, idle in _RULES.items()
        for value in values[axis]
        if value.value != idle
    ]
    reference = specification.reference_batch_size
    if given and reference is None:
        axis, value = given[0]
        text = f"is required by `{axis}` {value.value!r}, but missing."
        yield Contradiction(("reference_batch_size",), text)
    if reference is not None and not given:
        text = f"is {reference}, but has no meaning without `{'`, `'.join(_RULES)}`."
        yield Contradiction(("reference_batch_size",), text)
    for values, _ in blocks(specification):
        grows = any(value.value != NONE for value in values["growth"])
        for value in (*values["memory"], *values["rate_rule"]):
            if value.value in {EXAMPLES, ADAM} and grows:
                text = f"can't be {value.value!r} with `growth`: a trial keeps the same shares."
                yield Contradiction(value.location, text)
        names = {value.value.name for value in values["optimizer"]}
        wrong = [name for name in names if "epsilon" not in OPTIMIZERS[name].defaults]
        for value in values["rate_rule"]:
            if value.value == ADAM and wrong:
                text = f"is 'adam', which is about optimizers with an `epsilon`, not {wrong[0]!r}."
                yield Contradiction(value.location, text)


def _growth(specification: StudySpecification) -> Iterator[Contradiction]:
    branch = specification.branch
    for values, _ in blocks(specification):
        most = min((value.value for value in values.get("epochs", ())), default=math.inf)
        falls = all(
            value.value.per == "epoch" and value.value.kind != "constant"
            for value in values["schedule"]
        )
        for value in values["growth"]:
            if value.value == MEASURED and isinstance(branch, str):
                text = "is 'measured', which needs `branch`: it says where to measure."
                yield Contradiction(value.location, text)
            if value.value == SEESAW and not (falls and most < math.inf):
                text = "is 'seesaw', which needs `epochs` and a falling `schedule` per epoch."
                yield Contradiction(value.location, text)
        if not isinstance(branch, str) and max(branch.at) > most:
            text = f"must be at most {most}, the epochs of a trial, but is {max(branch.at):g}."
            yield Contradiction(("branch", "at"), text)


_RULES = {"rate_rule": NONE, "memory": UPDATES, "weight_decay_rule": NONE}
"""Axes about batch sizes, and their value that needs no reference."""


def _bundles(specification: StudySpecification) -> Iterator[Contradiction]:
    for number, bundle in enumerate(specification.zip):
        lengths = {axis: len(getattr(specification, axis)) for axis in bundle}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{axis} has {length}" for axis, length in lengths.items())
            yield Contradiction(("zip", number), f"must be axes of the same length, but {counts}.")
        rated = [choice.name for choice in specification.optimizer if choice.learning_rates]
        if RATES in bundle and rated:
            text = f"can't hold 'learning_rates': the optimizer {rated[0]!r} has rates of its own."
            yield Contradiction(("zip", number), text)
    names = [axis for bundle in specification.zip for axis in bundle]
    for axis in sorted({axis for axis in names if names.count(axis) > 1}):
        yield Contradiction(("zip",), f"must hold an axis once, but holds {axis!r} more than once.")


def _patterns(specification: StudySpecification) -> Iterator[Contradiction]:
    for key in ("include", "exclude"):
        for number, block in enumerate(getattr(specification, key)):
            if not block.model_fields_set:
                yield Contradiction((key, number), "must name at least one axis.")


def _choices(specification: StudySpecification) -> Iterator[Contradiction]:
    names = [
        value.value.name for values, _ in blocks(specification) for value in values["optimizer"]
    ]
    if specification.noise_geometry and not any("epsilon" in OPTIMIZERS[n].defaults for n in names):
        text = f"is about optimizers that scale each parameter, such as 'adam', not {names[0]!r}."
        yield Contradiction(("noise_geometry",), text)
    for values, _ in blocks(specification):
        for value in values["optimizer"]:
            yield from _hyperparameters(value)
        for value in values["schedule"]:
            yield from _schedule(value)
            if value.value.kind == "cosine" and "seconds" in values:
                text = "can't be 'cosine' with a budget in `seconds`: it needs to know its end."
                yield Contradiction(value.location, text)


def _hyperparameters(value: Value) -> Iterator[Contradiction]:
    choice: OptimizerChoice = value.value
    known = [name for name in HYPERPARAMETERS if name in OPTIMIZERS[choice.name].defaults]
    for name in HYPERPARAMETERS:
        if getattr(choice, name) and name not in known:
            hint = did_you_mean(name, known) or f" It has {', '.join(known)}."
            text = f"is no hyperparameter of {choice.name!r}.{hint}"
            yield Contradiction((*value.location, name), text)


_NEEDED = {"step": ("decay", "every"), "exponential": ("decay",), "inverse": ("decay",)}
"""Fields that a kind of schedule must have."""


def _schedule(value: Value) -> Iterator[Contradiction]:
    choice: ScheduleChoice = value.value
    needed = _NEEDED.get(choice.kind, ())
    for name in ("decay", "every"):
        given = getattr(choice, name)
        if given is None and name in needed:
            text = f"must have {name!r}, for it is {choice.kind!r}."
            yield Contradiction(value.location, text)
        if given is not None and name not in needed:
            text = f"is {shown(given)}, but has no meaning for the schedule {choice.kind!r}."
            yield Contradiction((*value.location, name), text)
    if choice.kind == "constant" and choice.per and not choice.warmup:
        text = f"is {choice.per!r}, but has no meaning for a constant rate without warm-up."
        yield Contradiction((*value.location, "per"), text)
    factor = 1.0 if choice.decay is None else choice.decay
    if choice.kind in {"step", "exponential"} and not 0 < factor <= 1:
        text = f"must be above 0 and at most 1, but is {shown(choice.decay)}."
        yield Contradiction((*value.location, "decay"), text)
