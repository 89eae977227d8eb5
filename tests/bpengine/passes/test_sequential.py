"""The per-item reference, checked by hand and by central differences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bpengine import Architecture
from bpengine.network._arrays import Array
from bpengine.passes import sequential
from tests.bpengine.problems import flatten, make_parameters


def error(W: Sequence[Array], x: Array, t: Array) -> float:
    """Return the error of one example (paper, section 1.1)."""
    return float(sum((t - sequential.forward(W, x)[-1]) ** 2) / 2)


def test_the_papers_2_2_2_network_by_hand() -> None:
    """One example through the network of the paper's figure 1, every number written out."""
    W1 = np.array([[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]])
    W2 = np.array([[0.2, 0.1], [-0.3, 0.5], [0.4, -0.6]])
    x, t = np.array([1.0, 2.0]), np.array([1.0, 0.0])

    a1 = 1 / (1 + math.exp(0.6))  # net: 0.1 + 0.3 * 1 - 0.5 * 2 = -0.6
    a2 = 1 / (1 + math.exp(-1.4))  # net: -0.2 + 0.4 * 1 + 0.6 * 2 = 1.4
    o1 = 1 / (1 + math.exp(-(0.2 - 0.3 * a1 + 0.4 * a2)))
    o2 = 1 / (1 + math.exp(-(0.1 + 0.5 * a1 - 0.6 * a2)))
    d1 = (o1 - 1) * o1 * (1 - o1)
    d2 = (o2 - 0) * o2 * (1 - o2)
    e1 = (-0.3 * d1 + 0.5 * d2) * a1 * (1 - a1)
    e2 = (0.4 * d1 - 0.6 * d2) * a2 * (1 - a2)

    assert error([W1, W2], x, t) == pytest.approx((1 - o1) ** 2 / 2 + o2**2 / 2)
    assert round(error([W1, W2], x, t), 6) == 0.179993
    first, second = sequential.example_gradient([W1, W2], x, t)
    np.testing.assert_allclose(first, [[e1, e2], [e1, e2], [2 * e1, 2 * e2]], rtol=1e-14)
    np.testing.assert_allclose(second, [[d1, d2], [a1 * d1, a1 * d2], [a2 * d1, a2 * d2]])


@pytest.mark.parametrize("widths", [(3, 2), (3, 4, 2), (3, 5, 4, 2)])
def test_its_gradient_is_that_of_central_differences(widths: tuple[int, ...]) -> None:
    architecture = Architecture(widths)
    parameters = make_parameters(architecture, ())
    x, t = np.array([0.3, -1.2, 0.7]), np.array([1.0, 0.0])
    exact = sequential.example_gradient(architecture.layers(parameters), x, t)
    step = 1e-5
    for index, value in enumerate(flatten(architecture, exact)):
        shift = step * (np.arange(parameters.size) == index)
        higher, lower = (
            error(architecture.layers(parameters + sign * shift), x, t) for sign in (1, -1)
        )
        assert value == pytest.approx((higher - lower) / (2 * step), rel=1e-7, abs=1e-10)


def test_training_leaves_the_initial_weights_alone() -> None:
    architecture = Architecture((3, 2))
    parameters = make_parameters(architecture, ())
    W = architecture.layers(parameters.copy())
    batch = (np.ones((2, 3)), np.eye(2))
    trained = sequential.train(W, [batch, batch], 0.5)
    np.testing.assert_array_equal(W[0], architecture.layers(parameters)[0])
    assert not np.array_equal(trained[0], W[0])
