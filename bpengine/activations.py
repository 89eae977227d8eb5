"""Activations `psi = f(net)` with their first and second derivatives.

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
Bend = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class Activation:
    """A function of a layer's net input and its derivatives.

    Each derivative stands below its function. Neither `apply` nor `derivative` allocates an array:
    `out` and `scratch` have the shape of `net`.

    Attributes:
        name: The key in `ACTIVATIONS`.
        apply: `(net, out, scratch) -> psi`; writes `f(net)` into `out`, which may be `net` itself
            unless `keeps_net`.
        derivative: `(net, psi, out, scratch) -> dpsi/dnet`; writes it into `out`. None for an
            activation whose outputs depend on each other: it goes with a loss that knows it.
        bend: `(net, psi, dpsi/dnet) -> d2psi/dnet2`, a new array; at a kink that of the side whose
            slope the derivative takes. None where the derivative is.
        keeps_net: Whether the derivatives need `net`; if not, they are written in `psi`.
    """

    name: str
    apply: Apply
    derivative: Derivative | None
    bend: Bend | None
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


def _sigmoid_bend(_net: Array, psi: Array, slope: Array) -> Array:
    return slope * (1 - 2 * psi)


def _tanh(net: Array, out: Array, _scratch: Array) -> Array:
    return np.tanh(net, out=out)


def _tanh_derivative(_net: Array, psi: Array, out: Array, _scratch: Array) -> Array:
    # 1 - psi^2
    np.multiply(psi, psi, out=out)
    return np.subtract(1.0, out, out=out)


def _tanh_bend(_net: Array, psi: Array, slope: Array) -> Array:
    return -2 * psi * slope


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
_GELU_FLAT = 8.0
"""Past this size of the net input tanh rounds to 1 or -1, and the slope to 1 or 0."""
_GELU_STEEPEST = _GELU_FLAT * _GELU_SCALE * (1 + 3 * _GELU_CUBIC * _GELU_FLAT**2)


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
    # What is cut off here meets a factor of 0, and 0 times a cube that overflowed would be NaN.
    np.clip(out, -_GELU_STEEPEST, _GELU_STEEPEST, out=out)
    np.subtract(1.0, u, out=u)
    np.multiply(out, u, out=out)
    np.add(out, 1.0, out=out)
    np.subtract(2.0, u, out=u)
    np.multiply(out, u, out=out)
    return np.multiply(out, 0.5, out=out)


def _gelu_bend(net: Array, _psi: Array, _slope: Array) -> Array:
    # psi = net (1 + u) / 2 with u = tanh(a): psi'' = u' + net u'' / 2, where
    # u' = (1 - u^2) a' and u'' = (1 - u^2) (a'' - 2 u a'^2).
    net = np.clip(net, -_GELU_FLAT, _GELU_FLAT)
    u = np.tanh(_GELU_SCALE * (net + _GELU_CUBIC * net * net * net))
    first = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * net * net)
    second = 6 * _GELU_SCALE * _GELU_CUBIC * net
    return (1 - u * u) * (first + net * (second / 2 - u * first * first))


def _identity(net: Array, out: Array, _scratch: Array) -> Array:
    if out is not net:
        np.copyto(out, net)
    return out


def _identity_derivative(_net: Array, _psi: Array, out: Array, _scratch: Array) -> Array:
    out.fill(1.0)
    return out


def _straight(_net: Array, _psi: Array, slope: Array) -> Array:
    # The second derivative of the rectifiers and of the identity.
    return np.zeros_like(slope)


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
        Activation("sigmoid", _sigmoid, _sigmoid_derivative, _sigmoid_bend),
        Activation("tanh", _tanh, _tanh_derivative, _tanh_bend),
        Activation("relu", _relu, _relu_derivative, _straight),
        Activation("leaky_relu", _leaky_relu, _leaky_relu_derivative, _straight),
        Activation("gelu", _gelu, _gelu_derivative, _gelu_bend, keeps_net=True),
        Activation("identity", _identity, _identity_derivative, _straight),
        Activation("softmax", _softmax, None, None),
    )
}
"""Every activation by name; `softmax` is for the output layer only."""
