"""The same mathematics one example at a time: oracle of the tests, baseline of the timing.

The paper's abstract calls iterating over the examples of a batch common. No code is shared with the
cohort engine, so that the two can check each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from bpengine.network import Array

Matrix = Annotated[Array, "fan_in fan_out"]
Vector = Annotated[Array, "fan_out"]


def sigmoid(net: Vector) -> Vector:
    """Return `1 / (1 + exp(-net))`, stable for any net input (paper, section 1)."""
    return np.exp(-np.logaddexp(0, -net))


def forward(W: Sequence[Matrix], x: Vector) -> list[Vector]:
    """Return the inputs `[1 a]` of every layer, and last the output, for one example."""
    bias = np.ones(1, x.dtype)
    values = [np.concatenate([bias, x])]
    for layer_W in W[:-1]:
        values.append(np.concatenate([bias, sigmoid(values[-1] @ layer_W)]))
    values.append(sigmoid(values[-1] @ W[-1]))
    return values


def example_gradient(W: Sequence[Matrix], x: Vector, t: Vector) -> list[Matrix]:
    """Return `dE/dW` of `E = sum 1/2 (t - psi)^2` for one example (paper, sections 2.2 to 2.5)."""
    *phi, psi = forward(W, x)
    delta = (psi - t) * psi * (1 - psi)
    gradients = [np.outer(phi[-1], delta)]
    for layer in range(len(W) - 1, 0, -1):
        a = phi[layer][1:]
        delta = (W[layer][1:] @ delta) * a * (1 - a)
        gradients.insert(0, np.outer(phi[layer - 1], delta))
    return gradients


def batch_gradient(
    W: Sequence[Matrix],
    inputs: Annotated[Array, "batch fan_in"],
    targets: Annotated[Array, "batch fan_out"],
    *,
    reduction: str = "mean",
) -> list[Matrix]:
    """Return `dE/dW` of each layer for a batch, by adding up its examples' one after another."""
    total = [np.zeros_like(layer_W) for layer_W in W]
    for x, t in zip(inputs, targets, strict=True):
        for layer_total, gradient in zip(total, example_gradient(W, x, t), strict=True):
            np.add(layer_total, gradient, out=layer_total)
    if reduction == "mean":
        for layer_total in total:
            np.divide(layer_total, len(inputs), out=layer_total)
    return total


def train(
    W: Sequence[Matrix],
    batches: Sequence[tuple[Array, Array]],
    learning_rate: float,
    *,
    reduction: str = "mean",
) -> list[Matrix]:
    """Return the weights after one update per batch, `W := W - eta dE/dW` (paper, section 2.4)."""
    trained = [layer_W.copy() for layer_W in W]
    for inputs, targets in batches:
        gradients = batch_gradient(trained, inputs, targets, reduction=reduction)
        for layer_W, gradient in zip(trained, gradients, strict=True):
            np.subtract(layer_W, learning_rate * gradient, out=layer_W)
    return trained
