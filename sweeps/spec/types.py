"""Types of values: what one value of a key may be, and ranges that represent several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from sweeps.data.parameters import LARGEST_WHOLE, OneOf, Strict, listed, refuse_repeated

FULL = "full"  # the batch size that is the whole training set
NONE = "none"  # the absence of what a key is about
AUTO = "auto"  # the output activation that goes with loss and task

DIGITS = 4  # significant digits of computed rates: no machine's last bit decides which trial it is

MOST_VALUES, MOST_SEEDS, MOST_EPOCHS, MOST_TRIALS = 1_000, 100_000, 1_000_000, 1_000_000
"""Limits of an axis, a range of seeds, a trial and a study: beyond them is a slip of the pen."""

SMALLEST_RATE, LARGEST_RATE = 1e-30, 1e30
"""Limits of a learning rate: float32 holds it, and nothing is learned beyond them."""

COMBINING = ("ring", "halving", "central")
"""How workers may combine gradients: `COMBINE` of `reports.stats.models.simulated_workers`,
which worker processes don't load."""

METRICS = {
    "classification": ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss"),
    "regression": ("r2", "mae"),
}
"""The metrics of each task, the default first."""

LOSSES = ("log_loss", "mae")  # the metrics that are better the lower they are
NEGATIVE = "neg_"
"""What the name of such a metric begins with where its negative is meant, as in the engine."""
MAXIMIZE, MINIMIZE = "maximize", "minimize"

T = TypeVar("T")


def key(default: object, meaning: str, **details: str) -> Any:  # noqa: ANN401
    """Return pydantic's declaration of a key."""
    # `details` are its `unit`, an `example` where its default means nothing, and the `section` of
    # the reference that it opens; the keys after it are in the same.
    return Field(default=default, description=meaning, json_schema_extra={**details})


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise PydanticCustomError("empty", "must hold at least one value")
    if len(values) > MOST_VALUES:
        raise _too_many(MOST_VALUES, "values")
    return refuse_repeated(values)


def _too_many(most: int, noun: str) -> PydanticCustomError:
    return PydanticCustomError("many", f"must hold at most {most} {noun}")


def expanded(value: object, ranges: type[LogSpace | SeedRange], most: int, noun: str) -> list[Any]:
    """Return a list in which tables that represent several values are replaced by these."""
    values: list[Any] = []
    for item in listed(value):
        is_range = isinstance(item, Mapping)
        values += ranges.model_validate(dict(item)).values() if is_range else [item]
        if len(values) > most:
            raise _too_many(most, noun)
    return values


def _rates(value: object) -> list[Any]:
    return expanded(value, LogSpace, MOST_VALUES, "values")


def rounded(rate: float) -> float:
    """Return a computed learning rate, rounded to `DIGITS` significant digits."""
    return float(f"{rate:.{DIGITS}g}")


def lists(value: object) -> list[Any]:
    """Return lists, of which a single one needs none around it: [32] is one, [[32], [64]] two."""
    items = listed(value)
    return items if items and isinstance(items[0], list | tuple) else [items]


Axis = Annotated[
    tuple[T, ...], BeforeValidator(listed), Field(strict=False), AfterValidator(_distinct)
]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(ge=SMALLEST_RATE, le=LARGEST_RATE)]
Rates = Annotated[Axis[Rate], BeforeValidator(_rates)]
Hidden = Annotated[tuple[Count, ...], Field(strict=False)]


def _ascending(bounds: tuple[Any, ...]) -> tuple[Any, ...]:
    if bounds[1] != FULL and bounds[0] >= bounds[1]:
        raise PydanticCustomError("allowed", "must be the smallest and a larger value")
    return bounds


def _power_of_two(number: int) -> int:
    if number & (number - 1):
        raise PydanticCustomError("allowed", "must be a power of two")
    return number


Seed = Annotated[int, Field(ge=0, le=LARGEST_WHOLE)]


class SeedRange(Strict):
    """Consecutive seeds."""

    first: Seed = Field(description="the smallest")
    count: int = Field(ge=1, le=MOST_SEEDS, description="how many")

    def values(self) -> range:
        """Return the seeds."""
        return range(self.first, self.first + self.count)


class LogSpace(Strict):
    """Learning rates at equal ratios."""

    logspace: Annotated[tuple[Rate, Rate], Field(strict=False), AfterValidator(_ascending)] = Field(
        description="smallest and largest rate"
    )
    count: int = Field(ge=2, le=MOST_VALUES, description="how many, both ends included")

    def values(self) -> list[float]:
        """Return the rates."""
        (low, high), steps = self.logspace, self.count - 1
        return [rounded(low * (high / low) ** (step / steps)) for step in range(self.count)]


def _size_kind(value: object) -> str:
    if isinstance(value, Mapping | PowersOfTwo):
        return "<range>"
    return "<name>" if isinstance(value, str) else "<number>"


_Full = Annotated[str, OneOf((FULL,), otherwise="a whole number"), Tag("<name>")]
SizeOrFull = Annotated[Annotated[Count, Tag("<number>")] | _Full, Discriminator(_size_kind)]
Power = Annotated[
    Annotated[Count, AfterValidator(_power_of_two), Tag("<number>")] | _Full,
    Discriminator(_size_kind),
]


class PowersOfTwo(Strict):
    """Every power of two from one to another."""

    powers_of_two: Annotated[
        tuple[Power, Power], Field(strict=False), AfterValidator(_ascending)
    ] = Field(
        description=f"smallest and largest; '{FULL}' for the largest that the training set allows"
    )

    def sizes(self, train_items: int) -> list[int]:
        """Return the batch sizes."""
        first, last = (train_items if bound == FULL else int(bound) for bound in self.powers_of_two)
        powers = (2**power for power in range(last.bit_length()))
        return [size for size in powers if size >= first]


class SimulatedCluster(Strict):
    """Workers and what joins them, for predictions of time that are always called simulated."""

    latency: NotNegative = key(
        5e-5, "time until a message of no bytes arrives; that of a common Ethernet", unit="s"
    )
    bandwidth: Positive = key(
        1.25e9,
        "bytes that a link carries in a second; those of a 10 Gbit/s Ethernet",
        unit="bytes/s",
    )
    combine: Annotated[str, OneOf(COMBINING)] = key(
        "halving",
        "how gradients are combined: around a ring, by exchange of halves (least "
        "messages), or by a central worker",
    )
    workers: Axis[Annotated[int, Field(ge=1, le=2**20)]] = key(
        tuple(2**power for power in range(13)),
        "numbers of workers that share an update",
        unit="workers",
    )


class BranchChoice(Strict):
    """Where training is continued with larger batches, to see which of them still do as well."""

    at: Axis[Positive] = Field(
        description="passes over the training set after which branches leave the run"
    )
    factors: Axis[Annotated[int, Field(ge=2)]] = key(
        tuple(2**power for power in range(1, 7)), "by what the batch size is multiplied"
    )
    window: Positive = key(0.1, "length of a branch", unit="share of the examples before it")
    tolerance: Positive = key(
        0.01, "by how much a branch may have a larger loss than the run", unit="share of the loss"
    )
    batch_size: Count | None = key(
        None, "batch size of the run; the smallest if not given", unit="examples"
    )
    rate_rule: Annotated[str, OneOf((NONE, "linear", "sqrt"))] | None = key(
        None, "how the rate follows the batch size; `sqrt` with Adam and its like, or `linear`"
    )


def _metric_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z]\w{0,39}", name) or name.startswith(NEGATIVE):
        raise PydanticCustomError(
            "allowed", "must be a letter, then letters, digits and '_', 40 at most, not 'neg_...'"
        )
    return name


class MetricChoice(Strict):
    """A metric of a trainer's."""

    name: Annotated[str, AfterValidator(_metric_name)] = Field(
        description="what the report calls it"
    )
    goal: Annotated[str, OneOf((MAXIMIZE, MINIMIZE))] = Field(description="what is better")


def name_or_table(value: object) -> str:
    """Return the tag of a value that is a name or a table."""
    return "<name>" if isinstance(value, str) else "<table>"


Metric = Annotated[
    Annotated[str, OneOf(tuple(chain(*METRICS.values())), otherwise="a table"), Tag("<name>")]
    | Annotated[MetricChoice, Tag("<table>")],
    Discriminator(name_or_table),
]

NoneOr = Annotated[
    Annotated[Annotated[str, OneOf((NONE,), otherwise="a table")], Tag("<name>")]
    | Annotated[T, Tag("<table>")],
    Discriminator(name_or_table),
]


NoneOrPositive = Annotated[
    Annotated[Annotated[str, OneOf((NONE,), otherwise="a number")], Tag("<name>")]
    | Annotated[Positive, Tag("<number>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<number>"),
]


BatchSize = Annotated[
    Annotated[Count, Tag("<number>")] | _Full | Annotated[PowersOfTwo, Tag("<range>")],
    Discriminator(_size_kind),
]
