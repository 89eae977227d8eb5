"""Trials: one configuration with one seed each, identified by what determines their result.

Imports nothing heavy: workers use it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import NamedTuple

from bpengine import NUMERICS_VERSION, Architecture, BatchGrowth, Budget, Schedule
from bpengine.optim.optimizers import COMMON, OPTIMIZERS
from sweeps.data.splits import Preparation, Source

IDENTITY_CHARACTERS = 32

Settings = tuple[tuple[str, float], ...]
"""Learning rate and every hyperparameter of the optimizer, by name, sorted."""

_DERIVED = ("source", "train_items")
"""Fields that the fingerprint of the data and their preparation determine, or that only say where
the data are to be found."""


def settings_of(optimizer: str, learning_rate: float, given: Mapping[str, float]) -> Settings:
    """Return the settings of a trial, every default written out.

    Example:
        >>> settings_of("momentum", 0.5, {"l2": 1}) == settings_of(
        ...     "momentum", 0.5, {"l2": 1.0, "momentum": 0.9}
        ... )
        True
    """
    full = {**OPTIMIZERS[optimizer].defaults, **given, "learning_rate": learning_rate}
    return tuple(sorted((name, float(value)) for name, value in full.items()))


@dataclass(frozen=True)
class Configuration:
    """What the trials of a cohort share.

    Attributes:
        evaluate_test: Whether the test metric is computed: for selected rates only.
        source: What names the data; no part of a trial's identity, as the fingerprint is one.
        fingerprint: Content hash of the data.
        task: classification or regression.
        preparation: How the data are split and scaled.
        train_items: Examples of the training part under this preparation.
        widths: Units of each layer, inputs first.
        activation: Activation of the hidden layers.
        output: Activation of the output layer.
        initialiser: Distribution of the initial weights.
        initial_scale: Factor of its standard deviation.
        loss: Loss of one example.
        reduction: How a batch's losses become its error.
        metric: What is computed at evaluations.
        optimizer: Update rule.
        schedule: How the learning rate changes along training.
        growth: How the batch size changes along training; None if it does not.
        batch_size: Examples of an update.
        shards: Segments of a batch.
        local_updates: Updates that each shard's own copy makes before the copies are combined.
        budget: When training ends.
        noise_examples: Training examples that gradient statistics are taken over; 0 for none.
        target: Validation metric at which a trial is stopped; None for none.
        patience: Evaluations without a better validation loss after which it is; None for none.
        divergence: A trial has diverged when its loss is so many times that of the beginning.
        dtype: float32 or float64.
    """

    evaluate_test: bool
    source: Source
    fingerprint: str
    task: str
    preparation: Preparation
    train_items: int
    widths: tuple[int, ...]
    activation: str
    output: str
    initialiser: str
    initial_scale: float
    loss: str
    reduction: str
    metric: str
    optimizer: str
    schedule: Schedule
    growth: BatchGrowth | None
    batch_size: int
    shards: int
    local_updates: int
    budget: Budget
    noise_examples: int
    target: float | None
    patience: int | None
    divergence: float
    dtype: str

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return Architecture(self.widths, self.activation, self.output)

    @cached_property
    def content(self) -> str:
        """The fields that count, as canonical JSON; numbers that are not whole in hexadecimal."""
        names = [field.name for field in fields(self) if field.name not in _DERIVED]
        return _json({name: _canonical(getattr(self, name)) for name in names})


@dataclass(frozen=True)
class Trial:
    """One configuration with one learning rate, one set of hyperparameters and one seed.

    Attributes:
        configuration: What it shares with the other trials of its cohort.
        settings: Learning rate and hyperparameters, from `settings_of`.
        seed: Seed of split, initial weights and order.
    """

    configuration: Configuration
    settings: Settings
    seed: int

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

    @cached_property
    def content(self) -> str:
        """Everything that determines the trial's result, as canonical JSON."""
        # Put together by hand: a study has many trials of one configuration.
        return (
            f'{{"configuration":{self.configuration.content},"numerics":{NUMERICS_VERSION},'
            f'"seed":{self.seed},"settings":{_json(_canonical(dict(self.settings)))}}}'
        )

    @cached_property
    def identity(self) -> str:
        """Hash of the trial's content."""
        return identity_of(self.content)


def identity_of(content: str) -> str:
    """Return the identity of a trial.

    The content is canonical JSON of everything that determines its result.
    """
    return hashlib.sha256(content.encode()).hexdigest()[:IDENTITY_CHARACTERS]


class Planned(NamedTuple):
    """A trial in its place in a study. A trial may have several: groups may share it.

    Attributes:
        group: Label of the group it belongs to.
        trial: The trial.
    """

    group: str
    trial: Trial


Stages = Mapping[str, Sequence[Planned]]
"""What is planned, stage by stage, as far as the results so far determine it."""


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
    """Trials trained in lockstep: every seed with every setting.

    Attributes:
        configuration: What they share.
        seeds: Their seeds.
        settings: Their learning rates and hyperparameters.
    """

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
