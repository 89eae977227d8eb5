"""The cohort's gradient: central differences, the per-item reference, slices, lanes."""

from __future__ import annotations

import numpy as np
import pytest
from refused import refused

from bpengine import Architecture, Examples
from bpengine.network._arrays import Array
from bpengine.network._losses import LOSSES, REDUCTIONS
from bpengine.passes import sequential
from bpengine.passes.backprop import ROWS, Backprop, cache_slices
from tests.bpengine.problems import flatten, make_examples, make_parameters

WIDTHS = [(3, 4, 2), (3, 5, 4, 2), (3, 4, 5, 3, 2)]


def batch_of(examples: Examples, items: int) -> tuple[Array, Array]:
    """Return the first items with the bias unit's 1 and lane axes."""
    phi = np.insert(examples.inputs[:items], 0, 1, axis=1)
    return phi[None, None], examples.targets[None, None, :items]


def gradient_of(
    architecture: Architecture,
    parameters: Array,
    phi: Array,
    t: Array,
    weight: float,
    *,
    loss: str = "squared_error",
    shards: int = 1,
) -> Array:
    passes = Backprop(architecture, loss, parameters.dtype)
    return passes.gradient(
        architecture.layers(parameters),
        phi,
        t,
        weight=weight,
        shards=shards,
    )


def numeric_gradient(
    architecture: Architecture,
    parameters: Array,
    phi: Array,
    t: Array,
    weight: float,
    *,
    loss: str = "squared_error",
) -> Array:
    """Return central differences of one lane's error, one parameter at a time."""
    passes = Backprop(architecture, loss, parameters.dtype)
    step = 1e-5

    def error(shifted: Array) -> float:
        losses, _ = passes.loss(architecture.layers(shifted), phi, t)
        return weight * float(losses.sum())

    shifts = step * np.eye(parameters.shape[-1])
    differences = [error(parameters + shift) - error(parameters - shift) for shift in shifts]
    return np.array(differences) / (2 * step)


def test_every_loss_and_activation_has_its_own_gradient(
    every_network: tuple[Architecture, str],
) -> None:
    architecture, loss = every_network
    parameters = make_parameters(architecture)
    for items in (1, 6):
        phi, t = batch_of(make_examples(architecture, 6), items)
        exact = gradient_of(architecture, parameters, phi, t, 1 / items, loss=loss)[0, 0]
        numeric = numeric_gradient(architecture, parameters, phi, t, 1 / items, loss=loss)
        assert np.linalg.norm(exact - numeric) <= 1e-7 * np.linalg.norm(exact)


@pytest.mark.parametrize(
    ("loss", "output", "message"),
    [
        ("squared_error", "softmax", "with 'cross_entropy', not 'squared_error'"),
        ("cross_entropy", "sigmoid", "with the output 'softmax', not 'sigmoid'"),
        ("hinge", "sigmoid", f"`loss` must be one of {sorted(LOSSES)}, but got 'hinge'"),
    ],
)
def test_a_loss_that_does_not_fit_the_output_is_refused(
    loss: str, output: str, message: str
) -> None:
    architecture = Architecture((3, 2), output=output)
    refused(lambda: Backprop(architecture, loss, np.float64), message)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("items", [*range(1, 18), ROWS + 1, 2 * ROWS, 2 * ROWS + 57])
def test_the_gradient_is_that_of_the_reference(
    widths: tuple[int, ...], reduction: str, items: int
) -> None:
    architecture = Architecture(widths)
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, items)
    phi, t = batch_of(examples, items)
    actual = gradient_of(architecture, parameters, phi, t, REDUCTIONS[reduction](items))
    expected = sequential.batch_gradient(
        architecture.layers(parameters[0, 0]),
        examples.inputs,
        examples.targets,
        reduction=reduction,
    )
    flat = flatten(architecture, expected)
    np.testing.assert_allclose(actual[0, 0], flat, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 300])
@pytest.mark.parametrize("items", [1, 2, 7, 300])
def test_shards_add_up_to_the_whole_batch(shards: int, items: int) -> None:
    architecture = Architecture((3, 4, 2))
    parameters = make_parameters(architecture, (2, 3))
    drawn = [batch_of(make_examples(architecture, items, seed), items) for seed in range(2)]
    phi, t = (np.concatenate(arrays) for arrays in zip(*drawn, strict=True))
    whole = gradient_of(architecture, parameters, phi, t, 1 / items)
    split = gradient_of(architecture, parameters, phi, t, 1 / items, shards=shards)
    np.testing.assert_allclose(split, whole, rtol=1e-12, atol=1e-15)


def test_segments_cover_the_batch_in_slices_that_fit() -> None:
    for rows in (1, ROWS, ROWS + 1, 1000):
        for shards in (1, 3, 1000):
            slices = cache_slices(rows, shards)
            assert [piece.start for piece in slices] == [0, *(p.stop for p in slices[:-1])]
            assert slices[-1].stop == rows
            assert max(piece.stop - piece.start for piece in slices) <= ROWS


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("items", [1, 3, ROWS + 5])
def test_a_lanes_gradient_has_the_same_bits_alone_and_in_a_cohort(
    dtype: type[np.floating], items: int
) -> None:
    architecture = Architecture((13, 8, 5))
    parameters = make_parameters(architecture, (3, 4)).astype(dtype)
    drawn = [batch_of(make_examples(architecture, items, seed), items) for seed in range(3)]
    phi, t = (np.concatenate(arrays).astype(dtype) for arrays in zip(*drawn, strict=True))
    together = gradient_of(architecture, parameters, phi, t, 0.25)
    for seed, setting in np.ndindex(3, 4):
        alone = gradient_of(
            architecture,
            parameters[seed : seed + 1, setting : setting + 1],
            phi[seed : seed + 1],
            t[seed : seed + 1],
            0.25,
        )
        np.testing.assert_array_equal(together[seed, setting], alone[0, 0])
