"""What comes next: every rate is explored, then the selected ones are confirmed on fresh seeds.

Each stage is derived from the specification and the results so far, so that it can be interrupted
anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable

from bpengine import Architecture
from sweeps.spec import StudySpecification
from sweeps.splits import Dataset, Preparation, part_sizes
from sweeps.trials import Configuration, DataFacts, Trial


def facts_of(dataset: Dataset, preparation: Preparation) -> DataFacts:
    """Return the facts of a dataset split in a given way."""
    sizes = part_sizes(len(dataset.labels), preparation)
    features = dataset.inputs.shape[1]
    return DataFacts(dataset.name, dataset.fingerprint, *sizes, features, dataset.classes)


def preparation_of(specification: StudySpecification) -> Preparation:
    """Return how the specification wants its data prepared."""
    return Preparation(
        specification.validation_fraction, specification.test_fraction, specification.scaling
    )


def architecture_of(specification: StudySpecification, facts: DataFacts) -> Architecture:
    """Return the network that the specification and the data determine."""
    widths = (facts.features, *specification.hidden_layers, len(facts.classes))
    return Architecture(widths, specification.activation)


def explore_trials(specification: StudySpecification, facts: DataFacts) -> list[Trial]:
    """Return the trials that compare learning rates: every batch size, rate and seed."""
    return [
        Trial(configuration, learning_rate, seed)
        for configuration in (
            _configuration(specification, facts, batch_size)
            for batch_size in specification.batch_sizes
        )
        for learning_rate in specification.learning_rates
        for seed in specification.seeds
    ]


def confirm_trials(
    specification: StudySpecification,
    facts: DataFacts,
    selected: Iterable[tuple[int, float]],
) -> list[Trial]:
    """Return the trials that repeat selected rates on fresh seeds.

    Args:
        specification: The study.
        facts: Its data.
        selected: Batch sizes, each with its selected learning rate.
    """
    return [
        Trial(configuration, learning_rate, seed)
        for configuration, learning_rate in (
            (_configuration(specification, facts, batch_size, evaluate_test=True), rate)
            for batch_size, rate in selected
        )
        for seed in specification.confirmation_seeds
    ]


def _configuration(
    specification: StudySpecification,
    facts: DataFacts,
    batch_size: int,
    *,
    evaluate_test: bool = False,
) -> Configuration:
    architecture = architecture_of(specification, facts)
    return Configuration(
        evaluate_test=evaluate_test,
        dataset=facts.name,
        fingerprint=facts.fingerprint,
        preparation=preparation_of(specification),
        widths=architecture.widths,
        activation=architecture.activation,
        loss=specification.loss,
        reduction=specification.reduction,
        optimizer=specification.optimizer,
        batch_size=batch_size,
        epochs=specification.epochs,
    )
