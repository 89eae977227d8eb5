"""Families of cells: all that a group of cells has in common, its trials, its label."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bpengine import BatchGrowth, Budget, Schedule
from bpengine.optim import MEMORIES, RATE_RULES, share_at, usual_rate_rule
from sweeps.data.facts import DataFacts
from sweeps.design.trials import (
    LATER,
    Branching,
    Configuration,
    EngineConfiguration,
    Settings,
    Trial,
    settings_of,
    trials_on,
)
from sweeps.errors import counted, pairs_text
from sweeps.spec.axes import ADAM, MEASURED, SEESAW
from sweeps.spec.types import rounded

SLACK = 1e-9  # relative: a schedule that halves the rate may miss the half by a last bit
DECIMALS = 12  # of a computed share: no machine's last bit decides which trial it is


class Growth(NamedTuple):
    """How batches grow along training, whatever their size at first."""

    kind: str  # `measured`, `seesaw`, or "" for by a factor
    limit: int  # largest batch size
    factor: int = 2
    every: int = 1  # epochs between two multiplications


@dataclass(frozen=True)
class Family:
    """What the cells of a group share: all but batch size, learning rate and seed."""

    facts: DataFacts
    shared: Configuration  # with batch size 1, and without growth
    hyperparameters: tuple[tuple[str, Any], ...]  # all of them, or a trainer's parameters; sorted
    rate_rule: str  # how learning rates follow the batch size: none, linear, sqrt or adam
    memory_reference: int | None = None  # where memory is in examples: see GroupDescription
    measured: tuple[str, ...] = ()  # what of `MEASURED_FRESH` runs on fresh seeds measure
    growth: Growth | None = None
    decay_reference: int | None = None  # where the weight decay follows: see GroupDescription

    @property
    def network(self) -> EngineConfiguration:
        """What a network of the engine's shares; a user's trainer has none."""
        assert isinstance(self.shared, EngineConfiguration)  # noqa: S101 - who asks knows
        return self.shared

    @property
    def epochs(self) -> float | None:
        """Passes over the training set, where nothing else may end training."""
        budget = self.shared.budget
        return float(budget.epochs) if budget.epochs and budget == Budget(budget.epochs) else None

    def scale(self, name: str | None) -> float | None:
        """Return one of `SCALES`, which optimum and critical batch size may follow."""
        if name is None:
            return None
        examples, width = self.facts.train_items, sum(self.network.widths[1:-1])
        return {"examples": float(examples), "epochs": self.epochs, "width": float(width)}[name]

    @property
    def can_branch(self) -> bool:
        """Whether a run can be continued with another batch size, and a rate that follows it."""
        shared, growth = self.shared, self.growth
        return not isinstance(shared, EngineConfiguration) or (
            (shared.schedule, shared.reduction, shared.local_updates) == (Schedule(), "mean", 1)
            and (growth is None or growth.kind == MEASURED)
        )

    def configuration(self, batch_size: int, *, evaluate_test: bool = False) -> Configuration:
        """Return what the trials of a batch size share; some is measured on fresh seeds alone."""
        shared = replace(self.shared, evaluate_test=evaluate_test, batch_size=batch_size)
        if not isinstance(shared, EngineConfiguration):
            return shared
        measured: dict[str, Any] = dict.fromkeys(self.measured, evaluate_test)
        return replace(shared, growth=self._growth(batch_size), **measured)

    def _growth(self, batch_size: int) -> BatchGrowth | None:
        if self.growth is None or self.growth.kind == MEASURED:
            return None
        if self.growth.kind == SEESAW:
            rule = usual_rate_rule(self.network.optimizer)
            return self.growing(batch_size, self._seesaw(batch_size, self.growth.limit), rule)
        _, limit, factor, every = self.growth
        growth = BatchGrowth.repeated(batch_size, factor, every, limit)
        return growth and self.growing(batch_size, growth.steps)

    def growing(
        self, batch_size: int, steps: Iterable[tuple[int, int]], rate_rule: str = "none"
    ) -> BatchGrowth | None:
        """Return a growth without the steps that never come, None if there is no other."""
        epochs, size, kept = self.shared.budget.epochs or math.inf, batch_size, dict[int, int]()
        for epoch, larger in steps:
            if size < larger and epoch < epochs:
                kept[epoch] = size = larger
        return BatchGrowth((*kept.items(),), rate_rule) if kept else None

    def _seesaw(self, batch_size: int, limit: int) -> Iterator[tuple[int, int]]:
        """Yield for each epoch the batch size, doubled where the schedule has halved the rate."""
        # Meterez et al. 2025, Seesaw, algorithm 1.
        epochs = self.shared.budget.epochs or 0
        for epoch in range(1, epochs):
            halved = 1 / max(self.network.schedule.factor(epoch, epochs), 1 / limit)
            yield epoch, doubled(batch_size, min(batch_size * halved * (1 + SLACK), limit))

    def hyperparameters_at(self, batch_size: int) -> dict[str, float]:
        """Return the optimizer's hyperparameters as they are used at a batch size, by name."""
        values = dict(self.hyperparameters)
        if self.memory_reference:
            for name in values.keys() & {*MEMORIES}:
                share = share_at(batch_size, values[name], self.memory_reference)
                values[name] = round(share, DECIMALS)
            if self.rate_rule == ADAM:
                ratio = batch_size / self.memory_reference
                values["epsilon"] = rounded(values["epsilon"] / math.sqrt(ratio))
        if self.decay_reference:
            ratio = batch_size / self.decay_reference
            followed = ratio / rate_factor(self.rate_rule, ratio)
            values["weight_decay"] = rounded(values["weight_decay"] * followed)
        return values

    def trials(
        self,
        batch_size: int,
        rate: float,
        seeds: Iterable[int],
        *,
        evaluate_test: bool = False,
        growth: BatchGrowth | None = None,
        branching: Branching | None = None,
    ) -> list[Trial]:
        """Return the trials of a cell, with a measured growth, or as runs that branches leave."""
        configuration = self.configuration(batch_size, evaluate_test=evaluate_test)
        if growth and isinstance(configuration, EngineConfiguration):
            configuration = replace(configuration, growth=growth)
        if branching:
            configuration = _branched(configuration, branching, self.measured)
        settings: Settings = (("learning_rate", rate),)
        if isinstance(configuration, EngineConfiguration):
            given = self.hyperparameters_at(batch_size)
            settings = settings_of(configuration.optimizer, rate, given)
        return trials_on(seeds, configuration, settings)


def rate_factor(rule: str, ratio: float) -> float:
    """Return by what a learning rate is multiplied at this ratio to the reference batch size."""
    return RATE_RULES["sqrt" if rule == ADAM else rule](ratio)


def doubled(batch_size: int, limit: float) -> int:
    """Return a batch size as often doubled as a limit allows."""
    return batch_size * 2 ** max(0, int(math.log2(limit / batch_size)))


def _branched(
    configuration: Configuration, branching: Branching, measured: Iterable[str]
) -> Configuration:
    changes: dict[str, Any] = {
        "branching": branching,
        "budget": Budget(examples=branching.at[-1]),
    }
    if isinstance(configuration, EngineConfiguration):
        changes |= dict.fromkeys(("growth", "target", "patience", "stop_loss"))
        # Only a run that is judged at its end is asked how sharp that is.
        changes |= dict.fromkeys(measured, True) | {"sharpness": False}
    return replace(configuration, **changes)


@dataclass(frozen=True)
class Group:
    """A family with a label, unique in the study, and the cells that are tried."""

    label: str
    family: Family
    grid: Mapping[int, tuple[float, ...]]  # learning rates by batch size, both ascending


Texts = Callable[[Sequence[Family]], list[str]]  # an aspect of each family, as text


def labels_of(families: Sequence[Family], name: str) -> list[str]:
    """Return a label for each family: unique, made of what differs; `name` if it is alone."""
    parts: list[tuple[str, ...]] = [()] * len(families)
    of_engine = all(isinstance(family.shared, EngineConfiguration) for family in families)
    for texts in _ASPECTS if of_engine else _TRAINER_ASPECTS:
        longer = [(*part, text) for part, text in zip(parts, texts(families), strict=True)]
        if len(set(longer)) > len(set(parts)):
            parts = longer
    full = [", ".join(filter(None, part)) for part in parts]
    # What a choice leaves as it is anyway is told only where a label needs it.
    short = [", ".join(text for text in part if text and text not in _PLAIN) for part in parts]
    return [
        (label if label and short.count(label) == 1 else long) or name
        for label, long in zip(short, full, strict=True)
    ]


def _hidden(family: Family) -> str:
    hidden = family.network.widths[1:-1]
    return f"hidden {'-'.join(map(str, hidden))}" if hidden else "no hidden layer"


def _each(text: Callable[[Family], str]) -> Texts:
    return lambda families: [text(family) for family in families]


def _differing(values: Callable[[Family], Mapping[str, object]]) -> Texts:
    def texts(families: Sequence[Family]) -> list[str]:
        tables = [values(family) for family in families]
        pairs = {(name, repr(value)) for table in tables for name, value in table.items()}
        counts = Counter(name for name, _ in pairs)
        return [
            pairs_text({name: value for name, value in table.items() if counts[name] > 1})
            for table in tables
        ]

    return texts


_CONSTANT_RATE, _CONSTANT_BATCHES = "constant rate", "constant batches"
_RULES = {
    "none": "one grid of rates",
    "linear": "linear rates",
    "sqrt": "sqrt rates",
    ADAM: "Adam's rule",
}
_MEMORY, _DECAY = "memory in updates", "one weight decay"
_PLAIN = (
    *(_CONSTANT_RATE, _CONSTANT_BATCHES, _RULES["none"], _MEMORY, _DECAY),
    *("1 shard", "1 local update"),
)

_ASPECTS: tuple[Texts, ...] = (
    _each(lambda family: family.facts.source.name),
    _differing(lambda family: dict(family.facts.source.parameters)),
    _each(lambda family: family.facts.fingerprint[:8]),
    _each(_hidden),
    _each(lambda family: family.network.activation),
    _each(lambda family: f"{family.network.output} output"),
    _each(lambda family: family.network.initialiser),
    _each(lambda family: f"initial scale {family.network.initial_scale:g}"),
    _each(lambda family: family.network.loss),
    _each(lambda family: f"{family.network.reduction} of losses"),
    _each(lambda family: family.network.optimizer),
    _differing(lambda family: dict(family.hyperparameters)),
    _each(lambda family: schedule_text(family.network.schedule) or _CONSTANT_RATE),
    _each(lambda family: growth_text(family.growth) or _CONSTANT_BATCHES),
    _each(lambda family: _RULES[family.rate_rule]),
    _each(lambda family: "memory in examples" if family.memory_reference else _MEMORY),
    _each(lambda family: "weight decay by timescale" if family.decay_reference else _DECAY),
    _each(lambda family: counted(family.network.shards, "shard")),
    _each(lambda family: counted(family.network.local_updates, "local update")),
    _each(lambda family: budget_text(family.shared.budget)),
    _each(lambda family: family.network.dtype),
    _differing(lambda family: {name: getattr(family.network, name) or "none" for name in LATER}),
)
"""What may differ between families, in the order in which a label lists it."""
_TRAINER_ASPECTS: tuple[Texts, ...] = (
    _differing(lambda family: dict(family.hyperparameters)),
    _each(lambda family: _RULES[family.rate_rule]),
    _each(lambda family: budget_text(family.shared.budget)),
)
"""The same of a user's trainer."""


def schedule_text(schedule: Schedule) -> str:
    """Return a schedule in words, nothing for a constant rate."""
    text = {
        "constant": "",
        "step": f"times {schedule.decay:g} every {counted(schedule.every, schedule.per)}",
        "exponential": f"times {schedule.decay:g} every {schedule.per}",
        "cosine": f"cosine by {schedule.per}s",
        "inverse": f"1 / (1 + {schedule.decay:g} {schedule.per}s)",
    }[schedule.kind]
    warmup = f"a warm-up of {counted(schedule.warmup, schedule.per)}" if schedule.warmup else ""
    return ", after ".join(filter(None, (text, warmup)))


def growth_text(growth: Growth | None) -> str:
    """Return a growth of the batch size in words, nothing if there is none."""
    if growth is None or growth.kind:
        return {MEASURED: "measured growth", SEESAW: "seesaw"}[growth.kind] if growth else ""
    every = counted(growth.every, "epoch")
    return f"batches times {growth.factor} every {every} up to {growth.limit}"


def budget_text(budget: Budget) -> str:
    """Return a budget in words, such as "20 epochs"."""
    limits = [
        counted(value, name.removesuffix("s"))
        for name, value in vars(budget).items()
        if value is not None and name != "seconds"
    ]
    if budget.seconds is not None:
        limits.append(f"{budget.seconds:g} s")
    return " or ".join(limits) + (", whichever comes first" if len(limits) > 1 else "")
