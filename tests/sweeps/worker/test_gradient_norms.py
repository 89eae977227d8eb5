"""Norms of two batch sizes: what a trial makes of them is unbiased."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bpengine.network import Array
from sweeps import gradient_norms
from sweeps.worker.trainer import TrainerTrial


def gradients_of_examples(count: int) -> list[list[Array]]:
    """Return the gradients of examples with respect to two parameters of unlike shape."""
    rng = np.random.default_rng(1)
    return [[rng.normal(1, 2, (3, 2)), rng.normal(size=4)] for _ in range(count)]


def mean(gradients: list[list[Array]]) -> list[Array]:
    return [np.mean(arrays, axis=0) for arrays in zip(*gradients, strict=True)]


def trace_and_squared_norm(micro_batches: list[list[list[Array]]]) -> tuple[float, ...]:
    """Return what an evaluation keeps."""
    trial = TrainerTrial(2, 0.1, 1, {}, 10, 20, evaluate_test=False, folder=Path())
    norms = gradient_norms(map(mean, micro_batches), batch_size=len(micro_batches[0]))
    return trial.evaluation(examples=2, validation_metric=0.0, gradient_norms=norms).point[6:8]


def test_trace_and_squared_norm_are_unbiased_for_independent_examples() -> None:
    examples = gradients_of_examples(5)
    flat = np.array([np.concatenate([array.ravel() for array in each]) for each in examples])
    drawn = [
        trace_and_squared_norm([list(batch[:2]), list(batch[2:])])
        for batch in itertools.product(examples, repeat=4)
    ]
    expected = flat.var(axis=0).sum(), (flat.mean(axis=0) ** 2).sum()
    np.testing.assert_allclose(np.mean(drawn, axis=0), expected, rtol=1e-10)


def test_micro_batches_of_one_example_give_the_unbiased_variance() -> None:
    examples = gradients_of_examples(7)
    flat = np.array([np.concatenate([array.ravel() for array in each]) for each in examples])
    trace, squared_norm = trace_and_squared_norm([[example] for example in examples])
    np.testing.assert_allclose(trace, flat.var(axis=0, ddof=1).sum(), rtol=1e-10)
    np.testing.assert_allclose(squared_norm, (flat.mean(axis=0) ** 2).sum() - trace / 7, rtol=1e-10)


def test_an_array_may_be_used_again_for_the_next_gradient() -> None:
    buffer = np.zeros(4)

    def gradients() -> Iterator[list[Array]]:
        for value in (1.0, 3.0):
            buffer[:] = value
            yield [buffer]

    assert gradient_norms(gradients(), batch_size=8) == {8: 20.0, 16: 16.0}


@pytest.mark.parametrize("gradients", [[], [[np.ones(2)]]])
def test_two_micro_batches_are_needed(gradients: list[list[Array]]) -> None:
    message = f"must be of at least two micro-batches, but are of {len(gradients)}."
    with pytest.raises(ValueError, match=re.escape(message)):
        gradient_norms(gradients, batch_size=8)


def test_gradients_are_of_the_same_parameters() -> None:
    with pytest.raises(ValueError, match="shorter"):
        gradient_norms([[np.ones(2), np.ones(2)], [np.ones(2)]], batch_size=8)
