"""The specification of a study: TOML or keywords in, a checked model or every mistake out."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, ValidationError
from pydantic_core import PydanticCustomError

from sweeps.data.parameters import OneOf, Strict, listed
from sweeps.errors import MOST_PROBLEMS, Problem, escaped
from sweeps.spec._messages import problem_of
from sweeps.spec.axes import AXES, Axes, OptimizerChoice
from sweeps.spec.types import (
    LOSSES,
    METRICS,
    MINIMIZE,
    MOST_SEEDS,
    MOST_VALUES,
    NEGATIVE,
    NONE,
    BranchChoice,
    Count,
    Metric,
    MetricChoice,
    NoneOr,
    Positive,
    Seed,
    SeedRange,
    SimulatedCluster,
    expanded,
    key,
    lists,
)

SCALES = {
    "examples": "data of several sizes",
    "epochs": "several `epochs` and no other budget",
    "width": "several `hidden_layers`",
}
"""What a law over configurations may be of, and what it needs."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def _seeds(value: object) -> list[Any]:
    return expanded(value, SeedRange, MOST_SEEDS, "seeds")


def _no_repetition(values: tuple[int, ...]) -> tuple[int, ...]:
    repeated = sorted(value for value, times in Counter(values).items() if times > 1)
    if repeated:
        raise PydanticCustomError("repeated", f"holds {repeated} more than once")
    return tuple(sorted(values))


SomeSeeds = Annotated[
    tuple[Seed, ...], BeforeValidator(_seeds), Field(strict=False), AfterValidator(_no_repetition)
]


Part = Annotated[
    Annotated[Count, Tag("<count>")] | Annotated[float, Field(gt=0, lt=1), Tag("<share>")],
    Discriminator(lambda value: "<count>" if isinstance(value, int) else "<share>"),
]


def _at_least_two(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < max(2, len(names)):
        raise PydanticCustomError("bundle", "must be two or more axes, each once")
    return names


Bundle = Annotated[
    tuple[Annotated[str, OneOf(AXES)], ...], Field(strict=False), AfterValidator(_at_least_two)
]


_FEW = Field(strict=False, max_length=MOST_VALUES)


def _trainer(name: str) -> str:
    if not re.fullmatch(r"([^:]+\.py|[A-Za-z_][\w.]*):[A-Za-z_]\w*", name):
        allowed = "must be 'FILE.py:FUNCTION' or 'PACKAGE.MODULE:FUNCTION'"
        raise PydanticCustomError("allowed", allowed)
    return name


class StudySpecification(Axes):
    """What a study tries, on which data, with which budget: see `docs/specification.md`."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)] = key(
        "study",
        "the study's name: a folder holds one study; the file's name if not given",
        example='"my-study"',
        section="The study",
    )
    title: str = key("", "one line for the head of the report")
    trainer: Annotated[str, AfterValidator(_trainer)] | None = key(
        None,
        "function that trains in place of bpsweep's own network: a Python file next to the "
        "study or a package's module, with its name (docs/trainers.md)",
        example='"train.py:train"',
        section="Your own training",
    )
    training_examples: Count | None = key(
        None,
        "examples of an epoch of the `trainer`, which `epochs` and the batch size `full` need",
        unit="examples",
        example="60000",
    )
    validation: Part = key(
        0.2,
        "examples on which learning rates are chosen: a share below 1, or how many",
        unit="share or examples",
        section="Data",
    )
    test: Part = key(
        0.2,
        "examples on which nothing is chosen: a share below 1, or how many",
        unit="share or examples",
    )
    split_seed: Seed | None = key(
        None, "seed of one split for all trials; if not given, every seed has its own", example="0"
    )
    scaling: Annotated[str, OneOf(("standardise", "min-max", "none"))] = key(
        "standardise",
        "how features are scaled, fitted on the training set: to mean 0 and standard "
        "deviation 1, to the range 0 to 1, or not at all",
    )
    reference_batch_size: Count | None = key(
        None,
        "batch size at which a `rate_rule` leaves learning rates as they are, and "
        "`memory` the shares that an optimizer keeps",
        unit="examples",
        example="32",
        section="Updates",
    )
    metric: Metric | None = key(
        None,
        "what chooses learning rates and batch sizes; if not given, `accuracy` for classes and "
        "`r2` for numbers, to which `mae` goes, too; of a `trainer` its loss if not given, or any "
        'with its goal, such as `{name = "bleu", goal = "maximize"}`',
        example='"balanced_accuracy"',
        section="Error",
    )
    zip: Annotated[
        tuple[Bundle, ...], BeforeValidator(lambda value: value and lists(value)), _FEW
    ] = key(
        (),
        "axes that go together, value by value, such as "
        '`["dataset", "hidden_layers"]`; all others are multiplied; a list of lists for '
        "several",
        example='["dataset", "hidden_layers"]',
        section="Combination",
    )
    include: Annotated[tuple[Axes, ...], BeforeValidator(listed), _FEW] = key(
        (),
        "tables of axes: each adds the study's combinations with these values in place "
        "of those above; a budget in it replaces the whole budget",
        example='[{optimizer = "adam", learning_rates = [0.001, 0.01]}]',
    )
    exclude: Annotated[tuple[Axes, ...], BeforeValidator(listed), _FEW] = key(
        (),
        "tables of axes: combinations that agree with all values of one are left out",
        example="[{batch_sizes = 1, learning_rates = 8.0}]",
    )
    seeds: SomeSeeds = key(
        (),
        "seeds on which learning rates are compared; a seed determines split, initial "
        "weights and order; a list, or a range such as `{first = 1, count = 5}`",
        section="Stages",
    )
    explore: bool = key(
        True,
        "whether the grid is tried on `seeds`; without it each batch size must have "
        "one learning rate, which goes straight to the confirmation seeds",
    )
    extensions: Annotated[int, Field(ge=0, le=100)] = key(
        2,
        "how many rates are added, by the grid's own ratio, on each side of a batch "
        "size's learning rates while the best lies at their edge; 0 for none",
        unit="rates",
    )
    insertions: Annotated[int, Field(ge=0, le=100)] = key(
        0,
        "how many rates are added between a batch size's learning rates, where a parabola peaks "
        "above the best by more than its standard error over `seeds`; 0 for none",
        unit="rates",
    )
    confirmation_seeds: SomeSeeds = key(
        (),
        "fresh seeds on which the selected rate of each batch size is trained again "
        "and its test metric computed; none switches the stage off",
    )
    refinement_seeds: Annotated[int, Field(ge=0, le=1_000)] = key(
        0,
        "at most this many more fresh seeds, where the spread over `confirmation_seeds` shows that "
        "these are too few to decide whether a size is near-optimal; 0 for none",
        unit="seeds",
    )
    refinement_power: Annotated[float, Field(gt=0, lt=1)] = key(
        0.85,
        "probability with which `refinement_seeds` show that a size which loses nothing is "
        "near-optimal, as far as their number allows",
    )
    target_rates: bool = key(
        True,
        "whether `confirmation_seeds` also run at the learning rates that reach the target soonest "
        "on `seeds`, where these are not the selected ones",
    )
    timing: bool = key(True, "whether seconds per update are measured when all trials are done")
    target: Annotated[float, Field(allow_inf_nan=False)] | None = key(
        None,
        "validation metric at which a trial is stopped; `target_metric` stops none",
        example="0.95",
        section="Budget",
    )
    patience: Count | None = key(
        None,
        "evaluations without a better validation loss after which a trial is stopped; "
        "its results are those of its best evaluation",
        unit="evaluations",
        example="5",
    )
    divergence: Annotated[float, Field(ge=1, allow_inf_nan=True)] = key(
        1e3,
        "a trial whose loss is this many times the training loss before the first update "
        "has diverged, or this many times that of the best constant prediction if that is larger; "
        "`inf`: only one whose weights or loss are not finite",
    )
    noise_examples: Annotated[int, Field(ge=0)] = key(
        0,
        "training examples over which gradient statistics are taken at evaluations, at "
        "least 2; 0 for none",
        unit="examples",
        section="Stages",
    )
    noise_curvature: bool = key(
        False,
        "whether runs on fresh seeds also measure the noise scale B_noise, which takes "
        "account of curvature; an evaluation costs about 50 passes over the `noise_examples`",
    )
    noise_geometry: bool = key(
        False,
        "whether runs on fresh seeds also measure the noise scale in the geometry of an optimizer "
        "that scales each parameter, such as `adam`; at about twice the cost of `noise_examples`",
    )
    sharpness: bool = key(
        False,
        "whether runs on fresh seeds end with Keskar's sharpness and the largest eigenvalue of the "
        "Hessian, both over at most 2,048 training examples",
    )
    branch: NoneOr[BranchChoice] = key(
        NONE,
        "table of where the tuned run is continued with larger batches, `{at = [1, 5]}` for the "
        "usual ones, which measures the critical batch size along training (docs/branching.md)",
        example="{at = [0.5, 2, 8], factors = [2, 4, 8, 16]}",
        section="Stages",
    )
    trial_seconds: Positive | None = key(
        None,
        "a trial that takes longer is ended as `timeout`; no part of its identity",
        unit="s",
        example="600.0",
        section="Budget",
    )
    simulated_cluster: NoneOr[SimulatedCluster] = key(
        NONE,
        "table of workers and their network, `{}` for a common one, for which the "
        "report simulates the time to a target; no part of a trial's identity",
        section="Report",
    )
    target_metric: Annotated[float, Field(allow_inf_nan=False)] | None = key(
        None,
        "validation metric to which the report measures updates and time, in place of levels set "
        "from the tuning seeds; it stops no trial and is no part of its identity",
        example="0.95",
    )
    target_loss: Positive | None = key(
        None,
        "validation loss to which the report measures updates and time, in place of "
        "`target_metric`; it stops no trial and is no part of its identity",
        unit="per example",
        example="0.1",
    )
    margin: Positive | None = key(
        None,
        "loss of the metric that is accepted of a batch size to use: 0.01, which is 1 point of "
        "accuracy, if not given, and 2% of log loss and MAE; no part of a trial's identity",
        example="0.005",
    )
    scale_with: Annotated[str, OneOf(tuple(SCALES))] | None = key(
        None,
        "what the optimal and the critical batch size may follow by a power law over the study's "
        "configurations: `examples` to train on, `epochs`, or `width`, the units of all hidden "
        "layers; no part of a trial's identity",
        example='"examples"',
    )
    claims: bool = key(
        False,
        "whether the report judges the claims of the paper that bpsweep began with; "
        "no part of a trial's identity",
    )

    def gain(self, task: str) -> str:
        """Return the metric by the name that it has where more of it is better."""
        if isinstance(self.metric, MetricChoice):
            return f"{NEGATIVE * self.is_minimized}{self.metric.name}"
        name = self.metric or ("loss" if self.trainer else METRICS[task][0])
        return f"{NEGATIVE * self.is_minimized}{name}"

    @property
    def is_minimized(self) -> bool:
        """Whether less of the metric is better."""
        if isinstance(self.metric, MetricChoice):
            return self.metric.goal == MINIMIZE
        return self.metric in LOSSES or (self.metric is None and self.trainer is not None)

    def as_gain(self, level: float | None) -> float | None:
        """Return a level of the metric as the engine has it: the larger, the better."""
        return -level if level is not None and self.is_minimized else level


MEASURED_FRESH = ("noise_curvature", "noise_geometry", "sharpness")
"""What only runs on fresh seeds measure."""
KEYS = tuple(StudySpecification.model_fields)
TRAINER_KEYS = {"trainer", "training_examples", "parameters"}
NETWORK_KEYS = {
    *("activation", "dataset", "divergence", "dtype", "growth", "hidden_layers", "initial_scale"),
    *("initialiser", "local_updates", "loss", "memory", "noise_examples", *MEASURED_FRESH),
    *("optimizer", "output", "patience", "reduction", "scaling", "schedule", "seconds", "shards"),
    *("simulated_cluster", "split_seed", "target", "test", "validation", "claims", "scale_with"),
    "stop_loss",
}
"""Keys of bpsweep's own network and its data, which a trainer has in itself."""


def parse(keys: Mapping[str, Any]) -> tuple[StudySpecification, list[Problem], set[str]]:
    """Return what is right of a specification, and what is wrong with the rest."""
    try:
        return StudySpecification.model_validate(dict(keys)), [], set()
    except ValidationError as error:
        faults = error.errors()
    wrong = {str(fault["loc"][0]) for fault in faults}
    right = {key: value for key, value in keys.items() if key not in wrong}
    problems = [
        problem_of(fault, keys, StudySpecification) for fault in faults[: MOST_PROBLEMS + 1]
    ]
    return StudySpecification.model_validate(right), problems, wrong


def from_toml(text: str) -> StudySpecification:
    """Return a specification from what `to_toml` wrote."""
    return StudySpecification.model_validate(tomllib.loads(text))


def to_toml(specification: StudySpecification) -> str:
    """Return a specification as TOML, defaults written out."""
    idle = NETWORK_KEYS if specification.trainer else TRAINER_KEYS
    keys = {key: plain(key, getattr(specification, key)) for key in KEYS if key not in idle}
    return "".join(
        f"{key} = {toml_value(value)}\n" for key, value in keys.items() if value not in _NOTHING
    )


def given(specification: StudySpecification) -> dict[str, Any]:
    """Return the keys that are not at their default, as a user would write them."""
    return {
        key: plain(key, getattr(specification, key))
        for key, field in StudySpecification.model_fields.items()
        if getattr(specification, key) != field.default
    }


_NOTHING: tuple[object, ...] = (None, [])


def plain(key: str, value: Any) -> Any:  # noqa: ANN401 - every type there is in TOML
    """Return the value of a key as a user would write it."""
    # One value means a list of one, a name for a table that holds nothing else.
    if isinstance(value, Strict):
        given = [name for name in type(value).model_fields if name in value.model_fields_set]
        keys = {name: plain(name, getattr(value, name)) for name in given}
        return next(iter(keys.values())) if [*keys] in _BARE else keys
    if not isinstance(value, tuple):
        return value
    items = [plain("", item) for item in value]
    return items[0] if key in _SCALARS and len(items) == 1 else items


_BARE = (["name"], ["kind"])
_SCALARS = {*AXES, *OptimizerChoice.model_fields}


def toml_value(value: Any) -> str:  # noqa: ANN401 - every type there is in TOML
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        pairs = (f"{_toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        # A TOML basic string escapes as JSON does. What steers a terminal is escaped, too.
        return "".join(map(escaped, json.dumps(value, ensure_ascii=False)))
    return repr(value)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml_value(key)
