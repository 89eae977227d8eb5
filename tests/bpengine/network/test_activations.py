"""Every activation keeps the contract of its table."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from bpengine.network._arrays import Array
from bpengine.network.activations import ACTIVATIONS, LEAK, Activation

ELEMENTWISE = {name: a for name, a in ACTIVATIONS.items() if name != "softmax"}

NAMES = {activation: name for name, activation in ACTIVATIONS.items()}
every = pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
elementwise = pytest.mark.parametrize("activation", ELEMENTWISE.values(), ids=ELEMENTWISE)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

NET = np.linspace(-6, 6, 102)  # an even count: 0, the kink of the rectifiers, is not among them
LANES = np.random.default_rng(3).normal(scale=3, size=(2, 3, 7, 5))

SCALAR = {
    "sigmoid": lambda net: 1 / (1 + math.exp(-net)),
    "tanh": math.tanh,
    "relu": lambda net: net if net > 0 else 0.0,
    "leaky_relu": lambda net: net if net > 0 else 0.01 * net,
    "gelu": lambda net: (
        0.5 * net * (1 + math.tanh(math.sqrt(2 / math.pi) * (net + 0.044715 * net**3)))
    ),
    "identity": lambda net: net,
}
"""The textbook definition of each activation, one number at a time."""

SLOPES = {
    "sigmoid": (0.0, 0.25, 0.0),
    "tanh": (0.0, 1.0, 0.0),
    "relu": (0.0, 0.0, 1.0),
    "leaky_relu": (LEAK, LEAK, 1.0),
    "gelu": (0.0, 0.5, 1.0),
    "identity": (1.0, 1.0, 1.0),
}
"""Far left of 0, at 0, where the rectifiers take that of the left side, and far right of it."""
LIMITS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""What the bounded ones end at; the others' limit is their slope there, times the net input."""


def apply(activation: Activation, net: Array) -> Array:
    return activation.apply(net)


def derivative(activation: Activation, net: Array) -> Array:
    assert activation.derivative is not None
    return activation.derivative(net, activation.apply(net))


def bend(activation: Activation, net: Array) -> Array:
    assert activation.bend is not None
    return activation.bend(net, apply(activation, net), derivative(activation, net))


@elementwise
def test_apply_is_the_textbook_definition(activation: Activation) -> None:
    expected = [SCALAR[NAMES[activation]](net) for net in NET]
    np.testing.assert_allclose(apply(activation, NET), expected, rtol=1e-13, atol=2e-15)


@elementwise
def test_float32_is_float64_to_rounding(activation: Activation) -> None:
    net = NET.astype(np.float32)
    expected = [SCALAR[NAMES[activation]](float(number)) for number in net]
    np.testing.assert_allclose(apply(activation, net), expected, rtol=1e-6, atol=5e-7)


@elementwise
@pytest.mark.parametrize(
    ("function", "slope"), [(apply, derivative), (derivative, bend)], ids=["first", "second"]
)
def test_a_derivative_is_that_of_central_differences(
    activation: Activation,
    function: Callable[[Activation, Array], Array],
    slope: Callable[[Activation, Array], Array],
) -> None:
    step = 1e-5
    numeric = (function(activation, NET + step) - function(activation, NET - step)) / (2 * step)
    np.testing.assert_allclose(slope(activation, NET), numeric, rtol=1e-7, atol=1e-9)


@elementwise
@dtypes
def test_the_derivative_at_zero_is_the_documented_one(
    activation: Activation, dtype: type[np.floating]
) -> None:
    actual = derivative(activation, np.zeros(3, dtype))
    np.testing.assert_array_equal(actual, np.full(3, SLOPES[NAMES[activation]][1], dtype))


@elementwise
def test_the_derivative_of_float32_is_that_of_float64(activation: Activation) -> None:
    net = NET.astype(np.float32)
    expected = derivative(activation, net.astype(np.float64))
    # Far left of 0 that of gelu is a small difference of large numbers.
    np.testing.assert_allclose(derivative(activation, net), expected, rtol=2e-6, atol=1e-5)


@every
@dtypes
def test_the_dtype_is_kept(activation: Activation, dtype: type[np.floating]) -> None:
    net = LANES.astype(dtype)
    assert apply(activation, net).dtype == dtype
    if activation.derivative is not None:
        assert derivative(activation, net).dtype == dtype
        assert bend(activation, net).dtype == dtype


@every
def test_inputs_are_left_alone(activation: Activation) -> None:
    net = LANES.copy()
    psi = apply(activation, net)
    before = psi.copy()
    if activation.derivative is not None:
        activation.derivative(net, psi)
    np.testing.assert_array_equal(net, LANES)
    np.testing.assert_array_equal(psi, before)


@elementwise
@dtypes
@pytest.mark.parametrize("size", [1e4, 1e14, 1e30, 1e38])
def test_huge_net_inputs_give_finite_outputs_and_slopes(
    activation: Activation, dtype: type[np.floating], size: float
) -> None:
    net = np.array([-size, size], dtype)
    with np.errstate(over="ignore"):
        psi, slope, second = (function(activation, net) for function in (apply, derivative, bend))
    slopes = np.array(SLOPES[NAMES[activation]][::2], dtype)
    np.testing.assert_array_equal(psi, LIMITS.get(NAMES[activation], slopes * net))
    np.testing.assert_allclose(slope, slopes, rtol=1e-6)
    np.testing.assert_array_equal(second, [0, 0])


@elementwise
@dtypes
def test_an_element_does_not_depend_on_its_neighbours(
    activation: Activation, dtype: type[np.floating]
) -> None:
    net = NET.astype(dtype)
    for function in (apply, derivative, bend):
        alone = np.concatenate([function(activation, net[k : k + 1]) for k in range(net.size)])
        np.testing.assert_array_equal(function(activation, net), alone)


SOFTMAX = ACTIVATIONS["softmax"]


@dtypes
def test_softmax_is_the_textbook_definition(dtype: type[np.floating]) -> None:
    psi = apply(SOFTMAX, LANES.astype(dtype))
    for index in np.ndindex(2, 3, 7):
        powers = [math.exp(net) for net in LANES[index].astype(dtype)]
        expected = [power / math.fsum(powers) for power in powers]
        np.testing.assert_allclose(psi[index], expected, rtol=40 * np.finfo(dtype).eps)


@dtypes
def test_softmax_is_stable_for_huge_net_inputs(dtype: type[np.floating]) -> None:
    net = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    third, half = dtype(1) / dtype(3), 0.5
    expected = np.array([[1, 0, 0], [third, third, third], [half, half, 0]], dtype)
    np.testing.assert_array_equal(apply(SOFTMAX, net), expected)


@dtypes
def test_an_example_of_softmax_does_not_depend_on_its_neighbours(dtype: type[np.floating]) -> None:
    net = LANES.astype(dtype)
    together = apply(SOFTMAX, net)
    for seed, setting, row in np.ndindex(2, 3, 7):
        lane = slice(seed, seed + 1), slice(setting, setting + 1), slice(row, row + 1)
        np.testing.assert_array_equal(apply(SOFTMAX, net[lane]), together[lane])
