"""Trials: one configuration with one seed each, identified by what determines their result.

Imports nothing heavy: workers use it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

from bpengine import NUMERICS_VERSION, Architecture
from sweeps.splits import Preparation

IDENTITY_CHARACTERS = 32


@dataclass(frozen=True)
class DataFacts:
    """What a study needs to know of its dataset once the examples are out of sight.

    Attributes:
        name: The dataset's name.
        fingerprint: Content hash of the data.
        train_items: Examples of the training part.
        validation_items: Examples of the validation part.
        test_items: Examples of the test part.
        features: Inputs of a network.
        classes: Names of the classes, one output each.
    """

    name: str
    fingerprint: str
    train_items: int
    validation_items: int
    test_items: int
    features: int
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Configuration:
    """What the trials of a cohort share.

    Attributes:
        evaluate_test: Whether the test metric is computed: for selected rates only.
        dataset: Name of the dataset.
        fingerprint: Content hash of the data.
        preparation: How the data are split and scaled.
        widths: Units of each layer, inputs first.
        activation: Activation of every layer.
        loss: Loss of one example.
        reduction: How a batch's losses become its error.
        optimizer: Update rule.
        batch_size: Examples of an update.
        epochs: Passes over the training part.
    """

    evaluate_test: bool
    dataset: str
    fingerprint: str
    preparation: Preparation
    widths: tuple[int, ...]
    activation: str
    loss: str
    reduction: str
    optimizer: str
    batch_size: int
    epochs: int

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return Architecture(self.widths, self.activation)

    @cached_property
    def content(self) -> dict[str, object]:
        """The fields as JSON knows them, numbers that are not whole in hexadecimal."""
        return {name: _canonical(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Trial:
    """One configuration with one learning rate and one seed.

    Attributes:
        configuration: What it shares with the other trials of its cohort.
        learning_rate: Factor of the gradient.
        seed: Seed of split, initial weights and order.
    """

    configuration: Configuration
    learning_rate: float
    seed: int

    @cached_property
    def content(self) -> str:
        """Everything that determines the trial's result, as canonical JSON."""
        content = {
            "configuration": self.configuration.content,
            "learning_rate": _canonical(self.learning_rate),
            "seed": self.seed,
            "numerics": NUMERICS_VERSION,
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @cached_property
    def identity(self) -> str:
        """Hash of the trial's content."""
        return hashlib.sha256(self.content.encode()).hexdigest()[:IDENTITY_CHARACTERS]


def _canonical(value: object) -> object:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    return value.hex() if isinstance(value, float) else value


@dataclass(frozen=True)
class Cohort:
    """Trials trained in lockstep: every seed with every learning rate.

    Attributes:
        configuration: What they share.
        seeds: Their seeds.
        learning_rates: Their learning rates.
    """

    configuration: Configuration
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]

    @property
    def trials(self) -> list[Trial]:
        """The trials, seed by seed."""
        return [
            Trial(self.configuration, rate, seed)
            for seed in self.seeds
            for rate in self.learning_rates
        ]
