"""Losses of one example, their gradients, and how a batch's losses become its error.

Paper, sections 1.1 and 1.3. Its section 2.3 gives `dE/dpsi = psi - E_hat`; the gradient of the
error it defines is `psi - t`, and that is what is here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpengine.network._arrays import Array


@dataclass(frozen=True)
class Loss:
    """A loss of one example; nothing is averaged over examples.

    The gradient of all is `psi - t`: in `psi`, or in `net` if `output` is given.
    """

    # (net, psi, t): summed over the outputs, the last axis
    value: Callable[[Array, Array, Array], Array]
    # (t): mean loss of the best constant prediction
    of_constant: Callable[[Array], Array]
    # the only output activation it goes with; None for any that has a derivative
    output: str | None = None


def _squared_error(_net: Array, psi: Array, t: Array) -> Array:
    # E_hat = 1/2 (t - psi)^2, summed over the outputs.
    return 0.5 * _sum(np.square(psi - t))


def _cross_entropy(net: Array, _psi: Array, t: Array) -> Array:
    # -sum t log psi = log sum exp(net) - sum t net, for targets that sum to 1; written in net,
    # because psi may have underflowed, and in net minus its largest, which changes nothing.
    shifted = net - net.max(axis=-1, keepdims=True)
    return np.log(_sum(np.exp(shifted))) - _sum(t * shifted)


def _binary_cross_entropy(net: Array, _psi: Array, t: Array) -> Array:
    # -sum t log psi + (1 - t) log(1 - psi) = sum max(net, 0) - t net + log(1 + exp(-|net|)), whose
    # first two terms are ((net > 0) - t) net: no large numbers are left to cancel each other.
    return _sum(((net > 0) - t) * net) + _sum(np.log1p(np.exp(-np.abs(net))))


def _sum(terms: Array) -> Array:
    return np.add.reduce(terms, axis=-1)


def _half_variance(t: Array) -> Array:
    return np.float64(0.5) * t.var(axis=0, dtype=np.float64).sum()


def _entropy(t: Array) -> Array:
    return -_x_log_x(t.mean(axis=0, dtype=np.float64)).sum()


def _binary_entropy(t: Array) -> Array:
    mean = t.mean(axis=0, dtype=np.float64)
    return -(_x_log_x(mean) + _x_log_x(1 - mean)).sum()


def _x_log_x(x: Array) -> Array:
    return x * np.log(np.where(x > 0, x, 1))


LOSSES = {
    "squared_error": Loss(_squared_error, _half_variance),
    "cross_entropy": Loss(_cross_entropy, _entropy, output="softmax"),
    "binary_cross_entropy": Loss(_binary_cross_entropy, _binary_entropy, output="sigmoid"),
}
"""Every loss by name."""

REDUCTIONS: dict[str, Callable[[int], float]] = {
    "sum": lambda _examples: 1.0,
    "mean": lambda examples: 1.0 / examples,
}
"""Factor by which a batch of that many examples weighs each example's loss in its error `E`.

`sum` is the paper's section 1.1 applied to a batch: the step grows with the batch. `mean` is its
section 1.3, where `n` is the number of examples in the batch, a ragged last one included.
"""
