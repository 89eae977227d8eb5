"""Forward and backward pass of a cohort: the paper's tensor operations with leading lane axes.

Every operation is one NumPy call; a batched `np.matmul` multiplies lane by lane, so a lane's bits
don't depend on how many lanes there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt

from bpengine.network import (
    ACTIVATIONS,
    LOSSES,
    Architecture,
    Array,
    Parameters,
    Stack,
    check_name,
)
from bpengine.passes.compiled import KERNEL, NUMPY, Kernel

ROWS = 64
"""Rows of a batch processed at once: larger batches go through the cache in slices of this many.

A constant, never read off the machine, so that results agree between machines.
"""

Weights = Sequence[Annotated[Array, "seed setting fan_in fan_out"]]
Inputs = Annotated[Array, "seed 1 batch fan_in"]
Targets = Annotated[Array, "seed 1 batch fan_out"]
Outputs = Annotated[Array, "seed setting batch fan_out"]


class Layer(NamedTuple):
    """What goes into a layer, a leading 1 included, and what comes out of it."""

    phi: Annotated[Array, "seed setting batch fan_in"]
    net: Outputs  # phi times W
    psi: Outputs  # f of net


class Backprop:
    """Forward and backward pass of a cohort.

    The arguments are `W` of each layer, bias in row 0; `phi`, the inputs with a leading 1; the
    targets `t`; and the `weight` of every example's loss, such as 1/n. With the numerics `KERNEL`,
    `kernel` does the same in C, and more at once.
    """

    def __init__(
        self, architecture: Architecture, loss: str, dtype: npt.DTypeLike, numerics: str = NUMPY
    ) -> None:
        check_loss(architecture, loss)
        self.kernel = Kernel(architecture, loss, dtype) if numerics == KERNEL else None
        self.activations = [ACTIVATIONS[name] for name in architecture.activations]
        self.architecture = architecture
        self._loss = LOSSES[loss]

    def forward(self, W: Weights, phi: Inputs) -> list[Layer]:
        """Return every layer with `psi = f(phi . W)` (paper, sections 1 and 1.2)."""
        layers: list[Layer] = []
        for activation, layer_W in zip(self.activations, W, strict=True):
            net = phi @ layer_W
            layers.append(Layer(phi, net, activation.apply(net)))
            phi = _with_bias(layers[-1].psi)
        return layers

    def loss(
        self, W: Weights, phi: Inputs, t: Targets
    ) -> tuple[Annotated[Array, "seed setting batch"], Outputs]:
        """Return the loss of each example, neither summed nor averaged, and the outputs."""
        last = self.forward(W, phi)[-1]
        return self._loss.value(last.net, last.psi, t), last.psi

    def gradient(
        self, W: Weights, phi: Inputs, t: Targets, *, weight: float, shards: int = 1
    ) -> Parameters:
        """Return `dE/dW` of a whole batch, `E` being the weighted sum of the examples' losses."""
        # The batch goes through in segments whose `dW` are added up (paper, section 3): that many
        # shards, and within them slices of at most `ROWS` rows, which stay in the cache. The result
        # is that of the whole batch but for rounding.
        lanes, count = W[0].shape[:2], self.architecture.parameter_count
        total = np.zeros((*lanes, count), W[0].dtype)
        dW = self.architecture.layers(total)
        for rows in cache_slices(phi.shape[-2], shards):
            layers, deltas = self.deltas(W, phi[..., rows, :], t[..., rows, :], weight)
            for number, (layer, delta) in enumerate(zip(layers, deltas, strict=True)):
                dW[number] += layer.phi.mT @ delta  # paper, section 2.3
        return total

    def deltas(
        self, W: Weights, phi: Inputs, t: Targets, weight: float = 1.0
    ) -> tuple[list[Layer], list[Outputs]]:
        """Go forward and backward; return every layer and its `delta = dE/dnet`."""
        # Paper, sections 2.2 and 2.5; the gradient of every loss is psi - t.
        layers = self.forward(W, phi)
        error = weight * (layers[-1].psi - t)
        if self._loss.output is None:
            error = error * self.slope(-1, layers[-1])
        deltas: list[Outputs] = [error]
        for number in range(len(W) - 1, 0, -1):
            # Row 0 of W belongs to the bias unit, which no unit feeds.
            E_psi = deltas[0] @ W[number][..., 1:, :].mT
            deltas.insert(0, E_psi * self.slope(number - 1, layers[number - 1]))
        return layers, deltas

    def slope(self, number: int, layer: Layer) -> Outputs:
        """Return `dpsi/dnet` of a layer."""
        derivative = self.activations[number].derivative
        assert derivative is not None  # noqa: S101 - check_loss saw to it
        return derivative(layer.net, layer.psi)


def _with_bias(psi: Outputs) -> Annotated[Array, "seed setting batch fan_in"]:
    """Return what the next layer gets: the bias unit's 1 and the outputs."""
    phi = np.ones((*psi.shape[:-1], psi.shape[-1] + 1), psi.dtype)
    phi[..., 1:] = psi
    return phi


def cache_slices(rows: int, shards: int = 1) -> list[slice[int, int, None]]:
    """Return the shards of a batch, or its whole, cut into slices of at most `ROWS`."""
    return [
        slice(start, min(start + ROWS, shard.stop))
        for shard in shard_slices(rows, shards)
        for start in range(shard.start, shard.stop, ROWS)
    ]


def slices_of(data: Stack) -> Iterator[tuple[slice[int, int, None], Inputs, Targets]]:
    """Yield the rows of each slice of a set, with its inputs and targets."""
    for rows in cache_slices(data.examples):
        yield rows, data.inputs[:, :, rows], data.targets[:, :, rows]


def check_loss(architecture: Architecture, loss: str) -> None:
    """Refuse a loss that does not go with the output activation."""
    check_name("loss", loss, LOSSES)
    wanted, output = LOSSES[loss].output, architecture.activations[-1]
    if wanted is None and output == "softmax":
        raise ValueError(f"The output {output!r} goes with 'cross_entropy', not {loss!r}.")
    if wanted not in {None, output}:
        raise ValueError(f"{loss!r} goes with the output {wanted!r}, not {output!r}.")


def shard_slices(rows: int, shards: int) -> list[slice[int, int, None]]:
    """Return the shards of a batch, at most one per row; their sizes differ by at most one."""
    shards = min(shards, rows)
    bounds = [rows * shard // shards for shard in range(shards + 1)]
    return list(itertools.starmap(slice, itertools.pairwise(bounds)))
