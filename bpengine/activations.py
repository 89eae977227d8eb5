"""Activations `psi = f(net)` and their derivatives.

Paper, section 1 (the sigmoid) and section 2.3 (its derivative, written in `psi`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpengine.arrays import Array

LEAK = 0.01
"""Slope of the leaky rectifier below zero (Maas et al. 2013)."""

Apply = Callable[[Array, Array, Array], Array]
Derivative = Callable[[Array, Array, Array, Array], Array]


@dataclass(frozen=True)
class Activation:
    """A function of a layer's net input and its derivative.

    Each derivative stands below its function. No call allocates an array: `out` and `scratch` have
    the shape of `net`.

    Attributes:
        name: The key in `ACTIVATIONS`.
        apply: `(net, out, scratch) -> psi`; writes `f(net)` into `out`, which may be `net` itself
            unless `keeps_net`.
        derivative: `(net, psi, out, scratch) -> dpsi/dnet`; writes it into `out`. None for an
            activation whose outputs depend on each other: it goes with a loss that knows it.
        keeps_net: Whether the derivative needs `net`; if not, it is written in `psi`.
    """

    name: str
    apply: Apply
    derivative: Derivative | None
    keeps_net: bool = False


def _sigmoid(net: Array, out: Array, _scratch: Array) -> Array:
    # 1 / (1 + exp(-net)) = (1 + tanh(net / 2)) / 2, which overflows for no input.
    np.multiply(net, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    return np.add(out, 0.5, out=out)


def _sigmoid_derivative(_net: Array, psi: Array, out: Array, _scratch: Array) -> Array:
    # psi times 1 - psi
    np.subtract(1.0, psi, out=out)
    return np.multiply(out, psi, out=out)


def _tanh(net: Array, out: Array, _scratch: Array) -> Array:
    return np.tanh(net, out=out)


def _tanh_derivative(_net: Array, psi: Array, out: Array, _scratch: Array) -> Array:
    # 1 - psi^2
    np.multiply(psi, psi, out=out)
    return np.subtract(1.0, out, out=out)


def _relu(net: Array, out: Array, _scratch: Array) -> Array:
    return np.maximum(net, 0.0, out=out)


def _relu_derivative(_net: Array, psi: Array, out: Array, _scratch: Array) -> Array:
    # 1 where psi > 0, 0 where psi = 0
    return np.sign(psi, out=out)


def _leaky_relu(net: Array, out: Array, scratch: Array) -> Array:
    np.multiply(net, LEAK, out=scratch)
    return np.maximum(net, scratch, out=out)


def _leaky_relu_derivative(_net: Array, psi: Array, out: Array, _scratch: Array) -> Array:
    # 1 where psi > 0, LEAK elsewhere
    np.heaviside(psi, 0.0, out=out)
    np.multiply(out, 1 - LEAK, out=out)
    return np.add(out, LEAK, out=out)


_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


def _gelu_tanh(net: Array, out: Array) -> Array:
    # tanh(sqrt(2 / pi) (net + 0.044715 net^3))
    np.multiply(net, net, out=out)
    np.multiply(out, _GELU_SCALE * _GELU_CUBIC, out=out)
    np.add(out, _GELU_SCALE, out=out)
    np.multiply(out, net, out=out)
    return np.tanh(out, out=out)


def _gelu(net: Array, out: Array, _scratch: Array) -> Array:
    # net (1 + tanh(...)) / 2: the approximation of Hendrycks and Gimpel 2016, whose exact form
    # needs the error function, which NumPy lacks.
    _gelu_tanh(net, out)
    np.add(out, 1.0, out=out)
    np.multiply(out, net, out=out)
    return np.multiply(out, 0.5, out=out)


def _gelu_derivative(net: Array, _psi: Array, out: Array, scratch: Array) -> Array:
    # With u = tanh(...): (1 + u) / 2 (1 + net (1 - u) sqrt(2 / pi) (1 + 3 * 0.044715 net^2))
    u = _gelu_tanh(net, scratch)
    np.multiply(net, net, out=out)
    np.multiply(out, 3 * _GELU_SCALE * _GELU_CUBIC, out=out)
    np.add(out, _GELU_SCALE, out=out)
    np.multiply(out, net, out=out)
    np.subtract(1.0, u, out=u)
    np.multiply(out, u, out=out)
    np.add(out, 1.0, out=out)
    np.subtract(2.0, u, out=u)
    np.multiply(out, u, out=out)
    return np.multiply(out, 0.5, out=out)


def _identity(net: Array, out: Array, _scratch: Array) -> Array:
    if out is not net:
        np.copyto(out, net)
    return out


def _identity_derivative(_net: Array, _psi: Array, out: Array, _scratch: Array) -> Array:
    out.fill(1.0)
    return out


def _softmax(net: Array, out: Array, scratch: Array) -> Array:
    # exp(net) / sum exp(net) over the outputs, shifted so that no exponential overflows.
    column = scratch[..., :1]
    np.maximum.reduce(net, axis=-1, keepdims=True, out=column)
    np.subtract(net, column, out=out)
    np.exp(out, out=out)
    np.add.reduce(out, axis=-1, keepdims=True, out=column)
    return np.divide(out, column, out=out)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("sigmoid", _sigmoid, _sigmoid_derivative),
        Activation("tanh", _tanh, _tanh_derivative),
        Activation("relu", _relu, _relu_derivative),
        Activation("leaky_relu", _leaky_relu, _leaky_relu_derivative),
        Activation("gelu", _gelu, _gelu_derivative, keeps_net=True),
        Activation("identity", _identity, _identity_derivative),
        Activation("softmax", _softmax, None),
    )
}
"""Every activation by name; `softmax` is for the output layer only."""
