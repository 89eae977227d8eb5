"""Every dataset loads, read-only, with a fingerprint of its content."""

from __future__ import annotations

import numpy as np
import pytest

from sweeps.datasets import NAMES, fingerprint, load
from sweeps.errors import DataError


@pytest.mark.parametrize("name", NAMES)
def test_a_dataset_is_complete_and_read_only(name: str) -> None:
    dataset = load(name)
    assert dataset.name == name
    assert dataset.inputs.shape[0] == dataset.labels.shape[0]
    assert set(dataset.labels) == set(range(len(dataset.classes)))
    with pytest.raises(ValueError, match="read-only"):
        dataset.inputs[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 1


def test_the_fingerprint_follows_content_not_memory_layout() -> None:
    inputs, labels = np.arange(6.0).reshape(2, 3), np.array([0, 1])
    known = fingerprint(inputs, labels)
    assert fingerprint(np.asfortranarray(inputs), labels.astype(">i8")) == known
    assert fingerprint(inputs.reshape(3, 2), labels) != known
    assert fingerprint(inputs, labels[::-1]) != known


def test_digits_is_the_dataset_it_was() -> None:
    # Recorded with scikit-learn 1.9.1. Other data would be another study.
    assert load("digits").fingerprint == "d889e5e50c22892fcd839afa1345ae96"


def test_an_unknown_name_gets_the_list_and_a_suggestion() -> None:
    with pytest.raises(DataError) as refused:
        load("irs")
    assert str(refused.value) == (
        f"'irs' is no dataset. Known: {', '.join(NAMES)}. Did you mean 'iris'?"
    )
