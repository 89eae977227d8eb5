"""The axes of a study, one value or a list of values each; `sweeps.spec.model` adds the rest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from bpengine.network import ACTIVATIONS, INITIALISERS, LOSSES, REDUCTIONS
from bpengine.optim import OPTIMIZERS
from bpengine.optim.schedules import SCHEDULES
from sweeps.data.parameters import OneOf, Strict, listed
from sweeps.spec.types import (
    AUTO,
    FULL,
    MOST_EPOCHS,
    NONE,
    Axis,
    BatchSize,
    BranchChoice,
    Count,
    Hidden,
    LogSpace,
    NoneOrPositive,
    NotNegative,
    Positive,
    PowersOfTwo,
    Rates,
    SeedRange,
    Share,
    SimulatedCluster,
    SizeOrFull,
    key,
    lists,
    name_or_table,
)


class OptimizerChoice(Strict):
    """An optimizer with its own learning rates and hyperparameters; a name alone is enough."""

    name: Annotated[str, OneOf(tuple(OPTIMIZERS))] = Field(description="update rule")
    learning_rates: Rates = key((), "in place of the study's `learning_rates`")
    momentum: Axis[Share] = key((), "share of the last step that is kept")
    alpha: Axis[Share] = key((), "decay of the mean of squared gradients")
    beta1: Axis[Share] = key((), "decay of the mean of gradients")
    beta2: Axis[Share] = key((), "decay of the mean of squared gradients")
    epsilon: Axis[Positive] = key((), "added to the denominator")
    trust: Axis[Positive] = key((), "trust coefficient of a layer's rate")
    l2: Axis[NotNegative] = key(
        (),
        "`l2 / 2 |W|^2` is added to the mean loss of a batch, biases included: the "
        "gradient gains `l2 W`, and with the reduction `sum` `n l2 W`, `n` being the batch's "
        "examples",
    )
    weight_decay: Axis[NotNegative] = key((), "decoupled decay, once for each update")
    clip_norm: Axis[Annotated[float, Field(gt=0, allow_inf_nan=True)]] = key(
        (), "largest norm of a network's gradient; `inf` for none"
    )

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


HYPERPARAMETERS = tuple(OptimizerChoice.model_fields)[2:]

UPDATES, EXAMPLES = "updates", "examples"  # what an optimizer's memory may count


class ScheduleChoice(Strict):
    """A schedule of the learning rate; a name alone is enough."""

    kind: Annotated[str, OneOf(tuple(SCHEDULES))] = key(
        "constant", "how the rate changes along training"
    )
    per: Annotated[str, OneOf(("update", "epoch"))] | None = key(
        None, "what its clock counts; `update` if not given"
    )
    warmup: int = Field(
        default=0, ge=0, description="for that many of these the rate rises linearly"
    )
    decay: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="`step`, `exponential`: factor at each decay; `inverse`: coefficient",
    )
    every: Count | None = key(None, "`step`: clock ticks between two decays")

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value


ADAM, TIMESCALE = "adam", "timescale"  # rules for the rate, and for the weight decay
MEASURED, SEESAW = "measured", "seesaw"  # growth along what is measured, and with the schedule


class GrowthChoice(Strict):
    """Batches that grow along training."""

    factor: int = Field(ge=2, description="by what the batch size is multiplied")
    every: Count = Field(description="epochs between two multiplications")
    limit: SizeOrFull = key(FULL, "largest batch size")


Scalar = bool | int | float | str
Parameters = dict[str, Scalar]


def _settings(value: object) -> list[Any]:
    """Return one table for each combination of the values in lists."""
    tables = [table for table in listed(value) if isinstance(table, Mapping)]
    return [table for table in listed(value) if not isinstance(table, Mapping)] + [
        dict(zip(table, chosen, strict=True))
        for table in tables
        for chosen in itertools.product(*map(listed, table.values()))
    ]


class Axes(Strict):
    """Everything a study can vary. Each key takes one value or a list of them."""

    dataset: Axis[Any] = key((), "the data: a name, or a table (docs/data.md)", section="Data")
    hidden_layers: Annotated[Axis[Hidden], BeforeValidator(lists)] = key(
        ((),),
        "units of each hidden layer, bias units not counted; `[]` for none; a list of "
        "lists to vary",
        unit="units",
        section="Network",
    )
    activation: Axis[
        Annotated[str, OneOf(tuple(name for name in ACTIVATIONS if name != "softmax"))]
    ] = key(("sigmoid",), "activation of the hidden layers")
    output: Axis[Annotated[str, OneOf((AUTO, *ACTIVATIONS))]] = key(
        (AUTO,),
        "activation of the output layer; `auto`: softmax for cross_entropy, identity "
        "for regression, sigmoid otherwise",
    )
    initialiser: Axis[Annotated[str, OneOf(tuple(INITIALISERS))]] = key(
        ("glorot_uniform",), "distribution of the initial weights"
    )
    initial_scale: Axis[Positive] = key((1.0,), "factor of its standard deviation")
    loss: Axis[Annotated[str, OneOf(tuple(LOSSES))]] = key(
        ("squared_error",), "loss of one example", section="Error"
    )
    reduction: Axis[Annotated[str, OneOf(tuple(sorted(REDUCTIONS)))]] = key(
        ("mean",),
        "how a batch's losses become its error; with the sum, a step grows with the batch",
    )
    optimizer: Axis[OptimizerChoice] = key(
        (OptimizerChoice(name="sgd"),),
        "update rule: a name, or a table with rates and hyperparameters of its own",
        section="Updates",
    )
    schedule: Axis[ScheduleChoice] = key(
        (ScheduleChoice(kind="constant"),),
        "how the learning rate changes along training: a name, or a table",
    )
    growth: Axis[
        Annotated[
            Annotated[str, OneOf((NONE, MEASURED, SEESAW), otherwise="a table"), Tag("<name>")]
            | Annotated[GrowthChoice, Tag("<table>")],
            Discriminator(name_or_table),
        ]
    ] = key(
        (NONE,),
        "how the batch size grows along training: `none`, a table, `measured`, which doubles it on "
        "fresh seeds as far as the critical batch size that `branch` measures allows, or `seesaw`, "
        "which doubles it where the schedule has halved the rate; with both the rate grows, too",
        section="Batches",
    )
    batch_sizes: Axis[BatchSize] = key(
        (),
        "examples of an update, at most those of the training set, never clipped; "
        "numbers, `full`, or a range such as `{powers_of_two = [1, 64]}`",
        unit="examples",
    )
    learning_rates: Rates = key(
        (),
        "factors of the gradient, each tried with each batch size; numbers, or a range "
        "such as `{logspace = [0.01, 10.0], count = 7}`",
        section="Updates",
    )
    rate_rule: Axis[Annotated[str, OneOf((NONE, "linear", "sqrt", ADAM))]] = key(
        (NONE,),
        "by what learning rates are multiplied: 1, or the ratio of the batch size to "
        "`reference_batch_size`, or its square root; with `adam` the square root, while `epsilon` "
        "is divided by it and `memory` is in examples (docs/rules.md)",
    )
    weight_decay_rule: Axis[Annotated[str, OneOf((NONE, TIMESCALE))]] = key(
        (NONE,),
        "by what `weight_decay` is multiplied: 1, or with `timescale` the ratio of the batch size "
        "to `reference_batch_size` by the factor of `rate_rule`, which keeps fixed over how many "
        "examples weights decay",
    )
    memory: Axis[Annotated[str, OneOf((UPDATES, EXAMPLES))]] = key(
        (UPDATES,),
        "in what the half-life of `momentum`, `alpha`, `beta1` and `beta2` is the same "
        "for all batch sizes: `updates`, or `examples`, where each share is raised to the power of "
        "the ratio of the batch size to `reference_batch_size`",
    )
    shards: Axis[Count] = key(
        (1,), "segments of each batch, whose gradients are added up", section="Batches"
    )
    local_updates: Axis[Count] = key(
        (1,),
        "updates that a copy of the network for each shard makes before the copies are "
        "averaged (local SGD); 1 for none",
        unit="updates",
    )
    epochs: Axis[Annotated[int, Field(ge=1, le=MOST_EPOCHS)]] = key(
        (), "budget of a trial: passes over the training set", unit="epochs", section="Budget"
    )
    updates: Axis[Count] = key(
        (), "budget of a trial: changes of the weights", unit="updates", example="2000"
    )
    examples: Axis[Count] = key(
        (),
        "budget of a trial: examples processed, in whole batches",
        unit="examples",
        example="100000",
    )
    seconds: Axis[Positive] = key(
        (),
        "budget of a trial's cohort: wall time; results then depend on the machine",
        unit="s",
        example="60.0",
    )
    stop_loss: Axis[NoneOrPositive] = key(
        (NONE,),
        "training loss at which a trial is stopped, so that batch sizes are compared at the same; "
        "`none` for not at all",
        unit="per example",
    )
    dtype: Axis[Annotated[str, OneOf(("float32", "float64"))]] = key(
        ("float32",), "precision of weights and gradients", section="Network"
    )
    parameters: Annotated[Axis[Parameters], BeforeValidator(_settings)] = key(
        ({},),
        "what else the `trainer` gets: a table of numbers, texts, true or false; a list of "
        "values is an axis",
        example="{weight_decay = [0.0, 0.01]}",
        section="Your own training",
    )


AXES = tuple(Axes.model_fields)

BUDGETS = ("epochs", "updates", "examples", "seconds")
"""Axes that limit training; it ends at the first limit that is reached."""

TABLES: Mapping[str, type[Strict]] = {
    "branch": BranchChoice,
    "optimizer": OptimizerChoice,
    "schedule": ScheduleChoice,
    "growth": GrowthChoice,
    "batch_sizes": PowersOfTwo,
    "learning_rates": LogSpace,
    "seeds": SeedRange,
    "simulated_cluster": SimulatedCluster,
}
"""What may represent a value of a key in the form of a table."""
