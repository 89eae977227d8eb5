"""Curvature: Hessian products, top eigenvalue and sharpness against dense and brute-force ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bpengine import Architecture, Examples
from bpengine.diagnostics.sharpness import hessian_vector_product, sharpness, top_eigenvalue
from bpengine.network._arrays import Array
from bpengine.network.examples import stack
from bpengine.passes.backprop import ROWS, Backprop
from tests.bpengine.problems import make_examples, make_parameters


def dense_hessian(
    architecture: Architecture, parameters: Array, examples: Examples, loss: str
) -> Array:
    """Return central differences of one lane's gradient, one parameter at a time."""
    data = stack([examples], np.float64)
    passes = Backprop(architecture, loss, np.float64)
    step = 1e-6

    def gradient(shifted: Array) -> Array:
        W = architecture.layers(shifted)
        return passes.gradient(W, data.inputs, data.targets, weight=1 / data.examples)[0, 0]

    shifts = step * np.eye(parameters.shape[-1])
    rows = [gradient(parameters + shift) - gradient(parameters - shift) for shift in shifts]
    return np.array(rows) / (2 * step)


@pytest.mark.parametrize("items", [1, 6, ROWS + 1])
def test_a_hessian_product_is_that_of_the_dense_hessian(
    every_network: tuple[Architecture, str], items: int
) -> None:
    architecture, loss = every_network
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, items)
    H = dense_hessian(architecture, parameters, examples, loss)
    v = np.random.default_rng(1).normal(size=parameters.shape)
    actual = hessian_vector_product(architecture, parameters, v, [examples], loss=loss)[0, 0]
    assert np.linalg.norm(actual - H @ v[0, 0]) <= 1e-7 * np.linalg.norm(H @ v[0, 0])


def test_the_top_eigenvalue_is_that_of_the_dense_hessian(loss_and_output: tuple[str, str]) -> None:
    loss, output = loss_and_output
    architecture = Architecture((3, 5, 4, 2), "tanh", output)
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, 30)
    H = dense_hessian(architecture, parameters, examples, loss)
    expected = np.linalg.eigvalsh((H + H.T) / 2)[-1]
    actual = top_eigenvalue(architecture, parameters, [examples], loss=loss)
    assert actual.residual.item() <= 1e-4 * actual.value.item()
    assert actual.value.item() == pytest.approx(expected, rel=1e-6)


def test_the_top_eigenvalue_is_not_the_largest_absolute_one() -> None:
    architecture = Architecture((3, 2), "tanh")
    parameters, drawn = make_parameters(architecture, seed=26), make_examples(architecture, 30)
    far = Examples(drawn.inputs, -20 * drawn.targets)
    H = dense_hessian(architecture, parameters, far, "squared_error")
    eigenvalues = np.linalg.eigvalsh((H + H.T) / 2)
    assert 0 < 2 * eigenvalues[-1] < -eigenvalues[0]
    actual = top_eigenvalue(architecture, parameters, [far])
    assert actual.value.item() == pytest.approx(eigenvalues[-1], rel=1e-6)


def test_a_surface_curved_downwards_alone_has_the_eigenvalue_zero() -> None:
    """One example and one unit: the Hessian is a negative multiple of `phi phi^T`."""
    examples = Examples(np.ones((1, 1)), np.ones((1, 1)))
    actual = top_eigenvalue(Architecture((1, 1)), np.array([[[-1.0, -1.0]]]), [examples])
    assert actual.value.item() == pytest.approx(0, abs=1e-12)


def test_a_flat_surface_has_the_eigenvalue_zero() -> None:
    architecture = Architecture((1, 1, 1), "relu")
    parameters = np.array([[[-5.0, 0.0, -1.0, 1.0]]])
    actual = top_eigenvalue(architecture, parameters, [Examples(np.ones((2, 1)), np.ones((2, 1)))])
    assert (actual.value.item(), actual.residual.item()) == (0, 0)


def test_a_lane_that_ran_out_of_products_says_how_well_it_is_known() -> None:
    architecture = Architecture((3, 5, 4, 2), "tanh", "identity")
    parameters = make_parameters(architecture)
    examples = make_examples(architecture, 30)
    H = dense_hessian(architecture, parameters, examples, "squared_error")
    actual = top_eigenvalue(architecture, parameters, [examples], products=3)
    nearest = np.abs(np.linalg.eigvalsh((H + H.T) / 2) - actual.value).min()
    assert nearest <= actual.residual.item()
    assert actual.residual.item() > 1e-4 * actual.value.item()


@pytest.mark.parametrize("seed", range(4))
def test_sharpness_of_a_quadratic_is_that_of_its_best_corner(seed: int) -> None:
    """One linear layer with squared error is convex: the box's maximum is in a corner."""
    rng = np.random.default_rng(seed)
    architecture, epsilon = Architecture((3, 2), "identity"), 0.1
    examples = Examples(rng.normal(size=(9, 3)), rng.normal(size=(9, 2)))
    x = make_parameters(architecture, seed=seed)
    H = dense_hessian(architecture, x, examples, "squared_error")
    phi = np.insert(examples.inputs, 0, 1, axis=1)
    residuals = phi @ architecture.layers(x)[0][0, 0] - examples.targets
    f, gradient = np.square(residuals).sum() / 18, (residuals.T @ phi / 9).ravel()
    signs = np.array(list(itertools.product((-1, 1), repeat=8)))
    corners = signs * epsilon * (np.abs(x[0, 0]) + 1)
    gains = corners @ gradient + np.einsum("ci,ij,cj->c", corners, H, corners) / 2
    actual = sharpness(architecture, x, [examples], epsilon=epsilon)
    assert actual.item() == pytest.approx(100 * gains.max() / (1 + f), rel=1e-8)


def test_sharpness_leaves_a_minimum_whose_gradient_vanishes() -> None:
    """With inputs +-1 and their targets met, `f = (z_0^2 + z_1^2) / 2`."""
    architecture = Architecture((1, 1), "identity")
    examples = Examples(np.array([[1.0], [-1.0]]), np.array([[2.0], [-2.0]]))
    actual = sharpness(architecture, np.array([[[0.0, 2.0]]]), [examples], epsilon=1e-3)
    assert actual.item() == pytest.approx(100 * 1e-6 * (1 + 9) / 2, rel=1e-9)


def test_a_step_that_gains_nothing_is_halved() -> None:
    """`f = (gelu(net) - 1)^2 / 2` is largest inside the box, where gelu has its minimum."""
    architecture = Architecture((1, 1), "gelu")
    examples = Examples(np.ones((1, 1)), np.ones((1, 1)))
    x = np.array([[[0.0, -0.25]]])
    lines = Examples(np.linspace(-2.5, 2, 4501)[:, None], np.ones((4501, 1)))
    passes, data = Backprop(architecture, "squared_error", np.float64), stack([lines], "f8")
    values, _ = passes.loss([np.array([[[[0.0], [1.0]]]])], data.inputs, data.targets)
    start = values[0, 0, 2250]
    assert values[0, 0, 0] < start
    actual = sharpness(architecture, x, [examples], epsilon=1, iterations=40)
    assert actual.item() == pytest.approx(100 * (values.max() - start) / (1 + start), rel=1e-3)


@pytest.mark.parametrize("items", [7, ROWS + 1])
def test_a_lane_has_the_same_bits_alone_and_in_a_cohort(items: int) -> None:
    architecture = Architecture((4, 5, 3), "gelu", "softmax")
    parameters = make_parameters(architecture, (2, 3))
    examples = [make_examples(architecture, items, seed) for seed in range(2)]
    together = top_eigenvalue(architecture, parameters, examples, loss="cross_entropy")
    sharp = sharpness(architecture, parameters, examples, loss="cross_entropy")
    for seed, setting in np.ndindex(2, 3):
        lane, sample = parameters[seed : seed + 1, setting : setting + 1], [examples[seed]]
        alone = top_eigenvalue(architecture, lane, sample, loss="cross_entropy")
        assert together.value[seed, setting] == alone.value.item()
        assert together.residual[seed, setting] == alone.residual.item()
        assert (
            sharp[seed, setting]
            == sharpness(architecture, lane, sample, loss="cross_entropy").item()
        )


def test_a_diverged_lane_is_nan_and_harms_no_neighbour() -> None:
    architecture = Architecture((4, 5, 3), "tanh")
    parameters = make_parameters(architecture, (1, 2))
    examples = [make_examples(architecture, 7)]
    alone = parameters[:, :1].copy()
    parameters[0, 1] = np.nan
    actual = top_eigenvalue(architecture, parameters, examples).value[0]
    expected = top_eigenvalue(architecture, alone, examples).value.item()
    np.testing.assert_array_equal(actual, [expected, np.nan])
    np.testing.assert_array_equal(
        sharpness(architecture, parameters, examples)[0],
        [sharpness(architecture, alone, examples).item(), np.nan],
    )
