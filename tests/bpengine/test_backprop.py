"""The cohort's gradient: central differences, the per-item reference, slices, lanes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bpengine import Architecture, Examples, sequential
from bpengine.arrays import Array
from bpengine.backprop import ROWS, Backprop
from bpengine.losses import LOSSES, REDUCTIONS

WIDTHS = [(3, 4, 2), (3, 5, 4, 2), (3, 4, 5, 3, 2)]


def batch_of(examples: Examples, items: int) -> tuple[Array, Array]:
    """Return the first items with the bias unit's 1 and lane axes."""
    phi = np.insert(examples.inputs[:items], 0, 1, axis=1)
    return phi[None, None], examples.targets[None, None, :items]


def gradient_of(
    architecture: Architecture, parameters: Array, phi: Array, t: Array, weight: float
) -> Array:
    lanes = parameters.shape[:-1]
    passes = Backprop(architecture, LOSSES["squared_error"], lanes, parameters.dtype)
    out = np.empty_like(parameters)
    weights = np.full(lanes, weight, parameters.dtype)
    passes.gradient(architecture.layers(parameters), phi, t, weight=weights, out=out)
    return out


def error_of(
    architecture: Architecture, parameters: Array, phi: Array, t: Array, weight: float
) -> float:
    passes = Backprop(architecture, LOSSES["squared_error"], (1, 1), parameters.dtype)
    losses, _ = passes.loss(architecture.layers(parameters), phi, t)
    return weight * float(losses.sum())


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_gradient_is_that_of_central_differences(
    widths: tuple[int, ...],
    reduction: str,
    make_examples: Callable[..., Examples],
    make_parameters: Callable[..., Array],
) -> None:
    architecture = Architecture(widths)
    parameters = make_parameters(architecture)
    for items in (1, 2, 7, 17):
        phi, t = batch_of(make_examples(architecture, 17), items)
        weight = REDUCTIONS[reduction](items)
        exact = gradient_of(architecture, parameters, phi, t, weight)[0, 0]
        step = 1e-5
        numeric = np.empty_like(exact)
        for place in range(exact.size):
            shift = step * (np.arange(exact.size) == place)
            numeric[place] = (
                error_of(architecture, parameters + shift, phi, t, weight)
                - error_of(architecture, parameters - shift, phi, t, weight)
            ) / (2 * step)
        assert np.linalg.norm(exact - numeric) <= 1e-7 * np.linalg.norm(exact)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("items", range(1, 18))
def test_the_gradient_is_that_of_the_reference(
    widths: tuple[int, ...],
    reduction: str,
    items: int,
    make_examples: Callable[..., Examples],
    make_parameters: Callable[..., Array],
) -> None:
    architecture = Architecture(widths)
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, items)
    phi, t = batch_of(examples, items)
    found = gradient_of(architecture, parameters, phi, t, REDUCTIONS[reduction](items))
    expected = sequential.batch_gradient(
        architecture.layers(parameters[0, 0]),
        examples.inputs,
        examples.targets,
        reduction=reduction,
    )
    flat = np.concatenate([layer.ravel() for layer in expected])
    np.testing.assert_allclose(found[0, 0], flat, rtol=1e-12, atol=1e-15)


def test_the_gradient_comes_from_psi_minus_t_not_from_psi_minus_the_error() -> None:
    """The paper's section 2.3 says `dE/dpsi = psi - E_hat`; central differences decide."""
    t, psi = np.array([1.0, 0.0]), np.array([0.7, 0.4])
    step = 1e-6
    numeric = np.array(
        [
            (error_at(psi + shift, t) - error_at(psi - shift, t)) / (2 * step)
            for shift in step * np.eye(2)
        ]
    )
    the_papers = psi - (t - psi) ** 2 / 2
    found = LOSSES["squared_error"].gradient(psi, t, np.empty(2))
    np.testing.assert_allclose(found, numeric, rtol=1e-9)
    assert np.abs(the_papers - numeric).max() > 0.1


def error_at(psi: Array, t: Array) -> float:
    return float(((t - psi) ** 2).sum() / 2)


@pytest.mark.parametrize("items", [ROWS + 1, 2 * ROWS, 2 * ROWS + 57])
def test_slices_of_a_large_batch_add_up_to_the_whole(
    items: int,
    make_examples: Callable[..., Examples],
    make_parameters: Callable[..., Array],
) -> None:
    architecture = Architecture((3, 4, 2))
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, items)
    phi, t = batch_of(examples, items)
    found = gradient_of(architecture, parameters, phi, t, 1 / items)
    expected = sequential.batch_gradient(
        architecture.layers(parameters[0, 0]), examples.inputs, examples.targets
    )
    flat = np.concatenate([layer.ravel() for layer in expected])
    np.testing.assert_allclose(found[0, 0], flat, rtol=1e-12, atol=1e-15)


def test_an_unweighted_mean_of_ragged_slices_is_not_the_whole_batchs_gradient(
    make_examples: Callable[..., Examples], make_parameters: Callable[..., Array]
) -> None:
    architecture = Architecture((3, 4, 2))
    parameters = make_parameters(architecture)
    phi, t = batch_of(make_examples(architecture, 7), 7)
    whole = gradient_of(architecture, parameters, phi, t, 1 / 7)
    first = gradient_of(architecture, parameters, phi[:, :, :5], t[:, :, :5], 1 / 5)
    last = gradient_of(architecture, parameters, phi[:, :, 5:], t[:, :, 5:], 1 / 2)
    np.testing.assert_allclose((5 * first + 2 * last) / 7, whole, rtol=1e-12)
    assert np.abs((first + last) / 2 - whole).max() > 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("items", [1, 3, ROWS + 5])
def test_a_lanes_gradient_has_the_same_bits_alone_and_in_a_cohort(
    dtype: type[np.floating],
    items: int,
    make_examples: Callable[..., Examples],
    make_parameters: Callable[..., Array],
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
