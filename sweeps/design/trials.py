"""Trials: one configuration with one seed each, identified by what determines their result.

Imports nothing heavy: workers use it.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from bpengine import Architecture, BatchGrowth, Budget, Schedule
from bpengine.optim import COMMON, OPTIMIZERS
from sweeps.data import Preparation, Source

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

IDENTITY_CHARACTERS = 32

Settings = tuple[tuple[str, float], ...]
"""Learning rate and every hyperparameter of the optimizer, by name, sorted."""


def settings_of(optimizer: str, learning_rate: float, given: Mapping[str, float]) -> Settings:
    """Return the settings of a trial, every default written out."""
    full = {**OPTIMIZERS[optimizer].defaults, **given, "learning_rate": learning_rate}
    return tuple(sorted((name, float(value)) for name, value in full.items()))


@dataclass(frozen=True)
class Branching:
    """Where a run is continued with larger batches."""

    at: tuple[int, ...]  # examples after which branches leave the run, ascending
    factors: tuple[int, ...]  # of the batch size, ascending; the first is 1
    window: float  # length of a branch, as a share of the examples before it
    rate_rule: str  # how the rate follows the batch size: name in `RATE_RULES`


@dataclass(frozen=True, kw_only=True)
class Configuration(ABC):
    """What the trials of a cohort share, whoever trains them."""

    evaluate_test: bool  # whether the test metric is computed: for selected rates only
    source: Source  # of the data, or the trainer
    fingerprint: str  # content hash of the data, or of the trainer's code
    train_items: int  # examples of an epoch; 0 if only the trainer knows
    metric: str
    batch_size: int
    budget: Budget
    numerics: str  # what turns the settings into a result, with its version
    branching: Branching | None = None

    def batch_size_of(self, _epoch: int) -> int:
        """Return the batch size of an epoch, counted from 0."""
        return self.batch_size

    @property
    @abstractmethod
    def counting(self) -> dict[str, Any]:
        """The fields that determine results, by name."""

    @cached_property
    def content(self) -> str:
        """The fields that count, as canonical JSON; numbers that are not whole in hexadecimal."""
        return _json(_canonical(self.counting))


@dataclass(frozen=True, kw_only=True)
class EngineConfiguration(Configuration):
    """What `bpengine.Recipe` says, besides the data.

    A field with a default came later: at its default it is no part of a trial's identity, so that
    the trials of earlier studies keep theirs.
    """

    task: str
    preparation: Preparation
    widths: tuple[int, ...]  # units of each layer, inputs first
    activation: str
    output: str
    initialiser: str
    initial_scale: float
    loss: str
    reduction: str
    optimizer: str
    schedule: Schedule
    growth: BatchGrowth | None
    shards: int
    local_updates: int
    noise_examples: int
    target: float | None
    patience: int | None
    divergence: float
    dtype: str
    noise_curvature: bool = False
    noise_geometry: bool = False
    sharpness: bool = False  # whether it is measured at the end
    stop_loss: float | None = None

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return Architecture(self.widths, self.activation, self.output)

    def batch_size_of(self, epoch: int) -> int:
        """Return the batch size of an epoch, counted from 0."""
        return self.growth.batch_size(self.batch_size, epoch) if self.growth else self.batch_size

    @property
    def counting(self) -> dict[str, Any]:
        """All but where the data are, what they determine, and what came later."""
        idle = {"source", "train_items", "numerics", *LATER}
        names = [field.name for field in fields(self) if field.name not in idle]
        return {name: getattr(self, name) for name in names} | self.further

    @property
    def further(self) -> dict[str, Any]:
        """The settings that came later and are not at their default."""
        values = {name: getattr(self, name) for name in LATER}
        return {name: value for name, value in values.items() if value != LATER[name]}


@dataclass(frozen=True, kw_only=True)
class TrainerConfiguration(Configuration):
    """What a training function of the user's gets."""

    trainer: str  # what names it, such as "train.py:train"
    parameters: tuple[tuple[str, object], ...]  # sorted by name

    @property
    def counting(self) -> dict[str, Any]:
        """All but where the trainer is."""
        names = {field.name for field in fields(self)} - {"source", "numerics"}
        return {name: getattr(self, name) for name in names} | {"parameters": dict(self.parameters)}


LATER = {
    field.name: field.default for field in fields(EngineConfiguration) if field.default != MISSING
}
"""Settings that earlier studies did not have, with their defaults."""


def fields_from(kind: type[DataclassInstance], *records: object) -> dict[str, Any]:
    """Return the values that records have for fields of a dataclass; the last record wins."""
    names = [field.name for field in fields(kind)]
    return {
        name: getattr(record, name) for record in records for name in names if hasattr(record, name)
    }


@dataclass(frozen=True)
class Trial:
    """One configuration with one learning rate, one set of hyperparameters and one seed."""

    configuration: Configuration
    settings: Settings
    seed: int  # of split, initial weights and order

    @property
    def learning_rate(self) -> float:
        """Factor of the gradient, before any schedule."""
        return dict(self.settings)["learning_rate"]

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The optimizer's own hyperparameters, and those of every optimizer where they are set."""
        return {
            name: value
            for name, value in self.settings
            if name != "learning_rate" and value != COMMON.get(name)
        }

    @property
    def content(self) -> str:
        """Everything that determines the trial's result, as canonical JSON."""
        before, after = _around_seed(self.configuration, self.settings)
        return f"{before}{self.seed}{after}"

    @cached_property
    def identity(self) -> str:
        """Hash of the trial's content."""
        return identity_of(self.content)


def identity_of(content: str) -> str:
    """Return the identity of a trial, a hash of its content."""
    return hashlib.sha256(content.encode()).hexdigest()[:IDENTITY_CHARACTERS]


class Planned(NamedTuple):
    """A trial with the label of a group that it belongs to; groups may share it."""

    group: str
    trial: Trial


def trials_on(
    seeds: Iterable[int], configuration: Configuration, settings: Settings
) -> list[Trial]:
    """Return a trial for each seed, with its identity, which costs less for all at once."""
    before, after = (part.encode() for part in _around_seed(configuration, settings))
    common, trials = hashlib.sha256(before), [Trial(configuration, settings, s) for s in seeds]
    for trial in trials:
        digest = common.copy()
        digest.update(b"%d%b" % (trial.seed, after))
        trial.__dict__["identity"] = digest.hexdigest()[:IDENTITY_CHARACTERS]
    return trials


def _around_seed(configuration: Configuration, settings: Settings) -> tuple[str, str]:
    """Return what comes before a trial's seed in its content, and what comes after it."""
    # Put together by hand: a study has many trials of one configuration.
    before = f'{{"configuration":{configuration.content},"numerics":"{configuration.numerics}"'
    return f'{before},"seed":', f',"settings":{_json(_canonical(dict(settings)))}}}'


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _canonical(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    # Minus zero is zero.
    return (value + 0.0).hex() if isinstance(value, float) else value


@dataclass(frozen=True)
class Cohort:
    """Trials trained in lockstep: every seed with every setting."""

    configuration: Configuration
    seeds: tuple[int, ...]
    settings: tuple[Settings, ...]

    @property
    def trials(self) -> list[Trial]:
        """The trials, seed by seed."""
        return [
            Trial(self.configuration, settings, seed)
            for seed in self.seeds
            for settings in self.settings
        ]
