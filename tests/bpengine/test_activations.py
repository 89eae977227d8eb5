"""Every activation keeps the contract of its table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bpengine.activations import ACTIVATIONS, Activation
from bpengine.arrays import Array

pytestmark = pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)

NET = np.linspace(-6, 6, 101)

SCALAR = {"sigmoid": lambda net: 1 / (1 + math.exp(-net))}
"""The textbook definition of each activation, one number at a time."""


def apply(activation: Activation, net: Array) -> Array:
    return activation.apply(net, np.empty_like(net))


def test_apply_is_the_textbook_definition(activation: Activation) -> None:
    expected = [SCALAR[activation.name](net) for net in NET]
    np.testing.assert_allclose(apply(activation, NET), expected, rtol=1e-14)


def test_the_derivative_is_that_of_central_differences(activation: Activation) -> None:
    step = 1e-5
    numeric = (apply(activation, NET + step) - apply(activation, NET - step)) / (2 * step)
    exact = activation.derivative(apply(activation, NET), np.empty_like(NET))
    np.testing.assert_allclose(exact, numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(activation: Activation, dtype: type[np.floating]) -> None:
    psi = apply(activation, NET.astype(dtype))
    assert psi.dtype == dtype
    assert activation.derivative(psi, np.empty_like(psi)).dtype == dtype


def test_inputs_are_left_alone(activation: Activation) -> None:
    net = NET.copy()
    psi = apply(activation, net)
    before = psi.copy()
    activation.derivative(psi, np.empty_like(psi))
    np.testing.assert_array_equal(net, NET)
    np.testing.assert_array_equal(psi, before)


def test_apply_may_write_over_its_input(activation: Activation) -> None:
    net = NET.copy()
    np.testing.assert_array_equal(activation.apply(net, net), apply(activation, NET))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_net_inputs_give_finite_outputs(
    activation: Activation, dtype: type[np.floating]
) -> None:
    psi = apply(activation, np.array([-1e4, -101, 101, 1e4], dtype))
    np.testing.assert_array_equal(psi, np.array([0, 0, 1, 1], dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_element_does_not_depend_on_its_neighbours(
    activation: Activation, dtype: type[np.floating]
) -> None:
    net = NET.astype(dtype)
    alone = np.concatenate([apply(activation, net[k : k + 1]) for k in range(net.size)])
    np.testing.assert_array_equal(apply(activation, net), alone)
