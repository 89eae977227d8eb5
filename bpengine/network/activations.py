"""Activations `psi = f(net)` (paper, section 1) with first and second derivatives (section 2.3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpengine.network._arrays import Array

LEAK = 0.01
"""Slope of the leaky rectifier below zero (Maas et al. 2013)."""


@dataclass(frozen=True)
class Activation:
    """A function of a layer's net input and its derivatives."""

    # psi of a net input
    apply: Callable[[Array], Array]
    # dpsi/dnet of net and psi; None where outputs depend on each other
    derivative: Callable[[Array, Array], Array] | None
    # d2psi/dnet2 of net, psi and dpsi/dnet, at a kink that of the derivative's side
    bend: Callable[[Array, Array, Array], Array] | None


def _sigmoid(net: Array) -> Array:
    # 1 / (1 + exp(-net)), in a form that overflows for no input
    return 0.5 * np.tanh(0.5 * net) + 0.5


def _sigmoid_derivative(_net: Array, psi: Array) -> Array:
    return psi * (1 - psi)


def _sigmoid_bend(_net: Array, psi: Array, slope: Array) -> Array:
    return slope * (1 - 2 * psi)


def _tanh_derivative(_net: Array, psi: Array) -> Array:
    return 1 - psi * psi


def _tanh_bend(_net: Array, psi: Array, slope: Array) -> Array:
    return -2 * psi * slope


def _relu(net: Array) -> Array:
    return np.maximum(net, 0)


def _relu_derivative(_net: Array, psi: Array) -> Array:
    # 1 where psi > 0, 0 where psi = 0
    return np.sign(psi)


def _leaky_relu(net: Array) -> Array:
    return np.maximum(net, LEAK * net)


def _leaky_relu_derivative(_net: Array, psi: Array) -> Array:
    # 1 where psi > 0, LEAK elsewhere
    return LEAK + (1 - LEAK) * np.heaviside(psi, 0)


def _straight(_net: Array, _psi: Array, slope: Array) -> Array:
    # The second derivative of the rectifiers and of the identity.
    return np.zeros_like(slope)


_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715
_GELU_FLAT = 8.0
"""Past this size of the net input tanh rounds to 1 or -1, and the slope to 1 or 0."""


def _gelu_tanh(net: Array) -> Array:
    return np.tanh(_GELU_SCALE * net * (1 + _GELU_CUBIC * net * net))


def _gelu(net: Array) -> Array:
    # net (1 + tanh(...)) / 2: the approximation of Hendrycks and Gimpel 2016, whose exact form
    # needs the error function, which NumPy lacks.
    return 0.5 * net * (1 + _gelu_tanh(net))


def _gelu_derivative(net: Array, _psi: Array) -> Array:
    # psi = net (1 + u) / 2 with u = tanh(a): psi' = (1 + u) / 2 + net u' / 2, where
    # u' = (1 - u^2) a'. What is cut off meets a u' of 0, and 0 times a square that overflowed would
    # be NaN.
    net = np.clip(net, -_GELU_FLAT, _GELU_FLAT)
    u, first = _gelu_tanh(net), _GELU_SCALE * (1 + 3 * _GELU_CUBIC * net * net)
    return 0.5 * (1 + u) * (1 + net * (1 - u) * first)


def _gelu_bend(net: Array, _psi: Array, _slope: Array) -> Array:
    # psi'' = u' + net u'' / 2 with u'' = (1 - u^2) (a'' - 2 u a'^2)
    net = np.clip(net, -_GELU_FLAT, _GELU_FLAT)
    u, first = _gelu_tanh(net), _GELU_SCALE * (1 + 3 * _GELU_CUBIC * net * net)
    second = 6 * _GELU_SCALE * _GELU_CUBIC * net
    return (1 - u * u) * (first + net * (second / 2 - u * first * first))


def _identity(net: Array) -> Array:
    return net


def _identity_derivative(net: Array, _psi: Array) -> Array:
    return np.ones_like(net)


def _softmax(net: Array) -> Array:
    # exp(net) / sum exp(net) over the outputs, shifted so that no exponential overflows
    powers = np.exp(net - net.max(axis=-1, keepdims=True))
    return np.divide(powers, powers.sum(axis=-1, keepdims=True))


ACTIVATIONS = {
    "sigmoid": Activation(_sigmoid, _sigmoid_derivative, _sigmoid_bend),
    "tanh": Activation(np.tanh, _tanh_derivative, _tanh_bend),
    "relu": Activation(_relu, _relu_derivative, _straight),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_derivative, _straight),
    "gelu": Activation(_gelu, _gelu_derivative, _gelu_bend),
    "identity": Activation(_identity, _identity_derivative, _straight),
    "softmax": Activation(_softmax, None, None),
}
"""Every activation by name; `softmax` is for the output layer only."""
