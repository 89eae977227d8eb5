"""Losses of one example, their gradients, and how a batch's losses become its error.

Paper, sections 1.1 and 1.3. Its section 2.3 gives `dE/dpsi = psi - E_hat`; the gradient of the
error it defines is `psi - t`, and that is what stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bpengine.arrays import Array


@dataclass(frozen=True)
class Loss:
    """A loss of one example and its gradient with respect to the output.

    Attributes:
        name: The key in `LOSSES`.
        value: `(psi, t, scratch) -> loss`; sums over the outputs, the last axis, and nothing else.
        gradient: `(psi, t, out) -> dE_hat/dpsi` of each example alone, neither summed nor averaged.
    """

    name: str
    value: Callable[[Array, Array, Array], Array]
    gradient: Callable[[Array, Array, Array], Array]


def _squared_error(psi: Array, t: Array, scratch: Array) -> Array:
    # E_hat = 1/2 (t - psi)^2, summed over the outputs.
    np.subtract(psi, t, out=scratch)
    np.multiply(scratch, scratch, out=scratch)
    total: Array = np.add.reduce(scratch, axis=-1)
    return np.multiply(total, 0.5, out=total)


def _squared_error_gradient(psi: Array, t: Array, out: Array) -> Array:
    return np.subtract(psi, t, out=out)


LOSSES = {
    loss.name: loss for loss in (Loss("squared_error", _squared_error, _squared_error_gradient),)
}
"""Every loss by name."""

REDUCTIONS: dict[str, Callable[[int], float]] = {
    "sum": lambda _items: 1.0,
    "mean": lambda items: 1.0 / items,
}
"""Factor by which a batch of so many examples weighs each example's loss in its error `E`.

`sum` is the paper's section 1.1 applied to a batch: the step grows with the batch. `mean` is its
section 1.3, where `n` is the number of examples in the batch, a ragged last one included.
"""
