"""Activations `psi = f(net)` and their derivatives, written in `psi`.

Paper, section 1 (the sigmoid) and section 2.3 (its derivative).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpengine.arrays import Array


@dataclass(frozen=True)
class Activation:
    """An elementwise function of a layer's net input and its derivative.

    Attributes:
        name: The key in `ACTIVATIONS`.
        apply: `(net, out) -> psi`; writes `f(net)` into `out`, which may be `net` itself.
        derivative: `(psi, out) -> dpsi/dnet`; writes it into `out`, which must not be `psi`.
    """

    name: str
    apply: Callable[[Array, Array], Array]
    derivative: Callable[[Array, Array], Array]


def _sigmoid(net: Array, out: Array) -> Array:
    # 1 / (1 + exp(-net)) = (1 + tanh(net / 2)) / 2, which overflows for no input.
    np.multiply(net, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    return np.add(out, 0.5, out=out)


def _sigmoid_derivative(psi: Array, out: Array) -> Array:
    np.subtract(1.0, psi, out=out)
    return np.multiply(out, psi, out=out)


ACTIVATIONS = {
    activation.name: activation
    for activation in (Activation("sigmoid", _sigmoid, _sigmoid_derivative),)
}
"""Every activation by name."""
