"""Activations `psi = f(net)` (paper, section 1) with first and second derivatives (section 2.3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpengine.network._arrays import Array
from bpengine.network.tape import Call

LEAK = 0.01
"""Slope of the leaky rectifier below zero (Maas et al. 2013)."""

Apply = Callable[[Call, Array, Array, Array], None]
Derivative = Callable[[Call, Array, Array, Array, Array], None]
Bend = Callable[[Array, Array, Array], Array]


@dataclass(frozen=True)
class Activation:
    """A function of a layer's net input and its derivatives; `call` makes or records NumPy calls.

    None allocates an array: `out` and `scratch` have the shape of `net`.
    """

    apply: Apply  # (call, net, out, scratch): f(net)
    # (call, net, psi, out, scratch): dpsi/dnet; None where outputs depend on each other
    derivative: Derivative | None
    # (net, psi, dpsi/dnet): d2psi/dnet2, at a kink that of the derivative's side
    bend: Bend | None
    bias_net: float | None = None  # net input whose output is exactly 1, if there is one


def _sigmoid(call: Call, net: Array, out: Array, _scratch: Array) -> None:
    # 1 / (1 + exp(-net)) = (1 + tanh(net / 2)) / 2, which overflows for no input.
    call(np.multiply, net, 0.5, out)
    call(np.tanh, out, out)
    call(np.multiply, out, 0.5, out)
    call(np.add, out, 0.5, out)


def _sigmoid_derivative(call: Call, _net: Array, psi: Array, out: Array, _scratch: Array) -> None:
    # psi times 1 - psi
    call(np.subtract, 1.0, psi, out)
    call(np.multiply, out, psi, out)


def _sigmoid_bend(_net: Array, psi: Array, slope: Array) -> Array:
    return slope * (1 - 2 * psi)


def _tanh(call: Call, net: Array, out: Array, _scratch: Array) -> None:
    call(np.tanh, net, out)


def _tanh_derivative(call: Call, _net: Array, psi: Array, out: Array, _scratch: Array) -> None:
    # 1 - psi^2
    call(np.multiply, psi, psi, out)
    call(np.subtract, 1.0, out, out)


def _tanh_bend(_net: Array, psi: Array, slope: Array) -> Array:
    return -2 * psi * slope


def _relu(call: Call, net: Array, out: Array, _scratch: Array) -> None:
    call(np.maximum, net, 0.0, out=out)


def _relu_derivative(call: Call, _net: Array, psi: Array, out: Array, _scratch: Array) -> None:
    # 1 where psi > 0, 0 where psi = 0
    call(np.sign, psi, out)


def _leaky_relu(call: Call, net: Array, out: Array, scratch: Array) -> None:
    call(np.multiply, net, LEAK, scratch)
    call(np.maximum, net, scratch, out=out)


def _leaky_relu_derivative(
    call: Call, _net: Array, psi: Array, out: Array, _scratch: Array
) -> None:
    # 1 where psi > 0, LEAK elsewhere
    call(np.heaviside, psi, 0.0, out)
    call(np.multiply, out, 1 - LEAK, out)
    call(np.add, out, LEAK, out)


_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715
_GELU_FLAT = 8.0
"""Past this size of the net input tanh rounds to 1 or -1, and the slope to 1 or 0."""
_GELU_STEEPEST = _GELU_FLAT * _GELU_SCALE * (1 + 3 * _GELU_CUBIC * _GELU_FLAT**2)


def _gelu_tanh(call: Call, net: Array, out: Array) -> None:
    # tanh(sqrt(2 / pi) (net + 0.044715 net^3))
    call(np.multiply, net, net, out)
    call(np.multiply, out, _GELU_SCALE * _GELU_CUBIC, out)
    call(np.add, out, _GELU_SCALE, out)
    call(np.multiply, out, net, out)
    call(np.tanh, out, out)


def _gelu(call: Call, net: Array, out: Array, _scratch: Array) -> None:
    # net (1 + tanh(...)) / 2: the approximation of Hendrycks and Gimpel 2016, whose exact form
    # needs the error function, which NumPy lacks.
    _gelu_tanh(call, net, out)
    call(np.add, out, 1.0, out)
    call(np.multiply, out, net, out)
    call(np.multiply, out, 0.5, out)


def _gelu_derivative(call: Call, net: Array, _psi: Array, out: Array, scratch: Array) -> None:
    # With u = tanh(...): (1 + u) / 2 (1 + net (1 - u) sqrt(2 / pi) (1 + 3 * 0.044715 net^2))
    u = scratch
    _gelu_tanh(call, net, u)
    call(np.multiply, net, net, out)
    call(np.multiply, out, 3 * _GELU_SCALE * _GELU_CUBIC, out)
    call(np.add, out, _GELU_SCALE, out)
    call(np.multiply, out, net, out)
    # What is cut off here meets a factor of 0, and 0 times a cube that overflowed would be NaN.
    call(np.clip, out, -_GELU_STEEPEST, _GELU_STEEPEST, out)
    call(np.subtract, 1.0, u, u)
    call(np.multiply, out, u, out)
    call(np.add, out, 1.0, out)
    call(np.subtract, 2.0, u, u)
    call(np.multiply, out, u, out)
    call(np.multiply, out, 0.5, out)


def _gelu_bend(net: Array, _psi: Array, _slope: Array) -> Array:
    # psi = net (1 + u) / 2 with u = tanh(a): psi'' = u' + net u'' / 2, where
    # u' = (1 - u^2) a' and u'' = (1 - u^2) (a'' - 2 u a'^2).
    net = np.clip(net, -_GELU_FLAT, _GELU_FLAT)
    u = np.tanh(_GELU_SCALE * (net + _GELU_CUBIC * net * net * net))
    first = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * net * net)
    second = 6 * _GELU_SCALE * _GELU_CUBIC * net
    return (1 - u * u) * (first + net * (second / 2 - u * first * first))


def _identity(call: Call, net: Array, out: Array, _scratch: Array) -> None:
    call(np.copyto, out, net)


def _identity_derivative(call: Call, _net: Array, _psi: Array, out: Array, _scratch: Array) -> None:
    call(np.copyto, out, 1.0)


def _straight(_net: Array, _psi: Array, slope: Array) -> Array:
    # The second derivative of the rectifiers and of the identity.
    return np.zeros_like(slope)


def _softmax(call: Call, net: Array, out: Array, scratch: Array) -> None:
    # exp(net) / sum exp(net) over the outputs, shifted so that no exponential overflows.
    column = scratch[..., :1]
    call(np.maximum.reduce, net, -1, None, column, True)
    call(np.subtract, net, column, out)
    call(np.exp, out, out)
    call(np.add.reduce, out, -1, None, column, True)
    call(np.divide, out, column, out)


ACTIVATIONS = {
    "sigmoid": Activation(_sigmoid, _sigmoid_derivative, _sigmoid_bend, 64.0),
    "tanh": Activation(_tanh, _tanh_derivative, _tanh_bend, 64.0),
    "relu": Activation(_relu, _relu_derivative, _straight, 1.0),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_derivative, _straight, 1.0),
    "gelu": Activation(_gelu, _gelu_derivative, _gelu_bend),
    "identity": Activation(_identity, _identity_derivative, _straight, 1.0),
    "softmax": Activation(_softmax, None, None),
}
"""Every activation by name; `softmax` is for the output layer only."""
