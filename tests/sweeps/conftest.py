"""A study small enough to run in a blink."""

from __future__ import annotations

from typing import Any

import pytest

from sweeps.datasets import load
from sweeps.spec import StudySpecification
from sweeps.splits import Dataset
from sweeps.stages import facts_of, preparation_of
from sweeps.trials import DataFacts


@pytest.fixture
def keys() -> dict[str, Any]:
    """Return the keys of a small study on iris, whose training part has 90 examples."""
    return {
        "name": "small",
        "dataset": "iris",
        "hidden_layers": [4],
        "batch_sizes": [5, 40],
        "learning_rates": [0.5, 2.0],
        "seeds": [1, 2],
        "confirmation_seeds": [11, 12],
        "epochs": 2,
    }


@pytest.fixture
def specification(keys: dict[str, Any]) -> StudySpecification:
    """Return the small study, checked."""
    return StudySpecification.model_validate(keys)


@pytest.fixture
def dataset() -> Dataset:
    """Return iris."""
    return load("iris")


@pytest.fixture
def facts(dataset: Dataset, specification: StudySpecification) -> DataFacts:
    """Return the facts of iris under the small study's split."""
    return facts_of(dataset, preparation_of(specification))
