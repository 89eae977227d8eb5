"""Forward and backward pass of a cohort: the paper's tensor operations with leading lane axes.

Every operation is one NumPy call; a batched `np.matmul` multiplies lane by lane, so a lane's bits
don't depend on how many lanes there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bpengine.network import (
    ACTIVATIONS,
    LOSSES,
    Architecture,
    Array,
    Call,
    Parameters,
    Stack,
    at_once,
    check_name,
)
from bpengine.network.activations import Activation
from bpengine.passes.compiled import KERNEL, NUMPY, Kernel

ROWS = 64
"""Rows of a batch processed at once: larger batches go through the cache in slices of this many.

A constant, never read off the machine, so that results agree between machines.
"""

PAIR = 2
"""Rows that a batch of one example has in outer products; see `Layer`."""

Weights = Sequence[Annotated[Array, "seed setting fan_in fan_out"]]
Inputs = Annotated[Array, "seed 1 batch fan_in"]
Targets = Annotated[Array, "seed 1 batch fan_out"]
Outputs = Annotated[Array, "seed setting batch fan_out"]
Weight = Annotated[Array, "seed setting 1 1"]


class Backprop:
    """Forward and backward pass of a cohort on buffers allocated once, valid until the next pass.

    The arguments are `W` of each layer, bias in row 0; `phi`, the inputs with a leading 1; the
    targets `t`; and the `weight` of every example's loss in each lane, such as 1/n. `call` is
    `at_once` or a `Tape`, to be replayed on the arrays handed in. `total` is the last gradient,
    `dW` its layers. With the numerics `KERNEL`, `kernel` does the same in C, and more at once.
    """

    def __init__(
        self,
        architecture: Architecture,
        loss: str,
        lanes: tuple[int, int],
        dtype: npt.DTypeLike,
        numerics: str = NUMPY,
    ) -> None:
        check_loss(architecture, loss)
        self.kernel = Kernel(architecture, loss, dtype) if numerics == KERNEL else None
        self._loss = LOSSES[loss]
        self._lanes = lanes
        self._dtype = np.dtype(dtype)
        self._widths = architecture.widths
        self._activations = [ACTIVATIONS[name] for name in architecture.activations]
        self._by_rows: dict[int, list[Layer]] = {}
        self.total = np.zeros((*lanes, architecture.parameter_count), dtype)
        self._partial = np.empty_like(self.total)
        self.layers_of = architecture.layers
        self.dW = architecture.layers(self.total)
        self._partial_dW = architecture.layers(self._partial)
        self._pair = np.zeros((lanes[0], 1, PAIR, self._widths[0] + 1), dtype)

    def layers(self, rows: int) -> list[Layer]:
        """Return each layer's buffers for these rows: a whole batch, last slice or ragged end."""
        if rows not in self._by_rows:
            hidden = len(self._activations) - 1
            feeds = [True] * hidden + [False]
            self._by_rows[rows] = [
                Layer(activation, self._lanes, rows, width, self._dtype, feeds=feeds_layer)
                for activation, width, feeds_layer in zip(
                    self._activations, self._widths[1:], feeds, strict=True
                )
            ]
        return self._by_rows[rows]

    def forward(self, W: Weights, phi: Inputs, call: Call = at_once) -> Outputs:
        """Return `psi = f(phi . W)` of the last layer (paper, sections 1 and 1.2)."""
        layers = self.layers(phi.shape[-2])
        call(np.matmul, phi, W[0], layers[0].product)
        return self.activate(W, layers, call)

    def activate(self, W: Weights, layers: Sequence[Layer], call: Call) -> Outputs:
        """Go forward from the net input of the first layer, and return `psi` of the last."""
        for layer, above, W_above in zip(layers[:-1], layers[1:], W[1:], strict=True):
            layer.activate(call)
            call(np.matmul, layer.psi, W_above, above.product)
        layers[-1].activate(call)
        return layers[-1].psi

    def loss(
        self, W: Weights, phi: Inputs, t: Targets
    ) -> tuple[Annotated[Array, "seed setting batch"], Outputs]:
        """Return the loss of each example, neither summed nor averaged, and the outputs."""
        psi = self.forward(W, phi)
        last = self.layers(phi.shape[-2])[-1]
        return self._loss.value(last.net, psi, t, last.delta), psi

    def gradient(
        self,
        W: Weights,
        phi: Inputs,
        t: Targets,
        *,
        weight: Weight,
        shards: int = 1,
        call: Call = at_once,
    ) -> Parameters:
        """Return `dE/dW` of a whole batch, `E` being the weighted sum of the examples' losses."""
        # The batch goes through in segments whose `dW` are added up (paper, section 3): that many
        # shards, and within them slices of at most `ROWS` rows, which stay in the cache. The result
        # is that of the whole batch but for rounding. A learning rate may be folded into `weight`.
        for rows in cache_slices(phi.shape[-2], shards):
            layers = self.deltas(W, phi[..., rows, :], t[..., rows, :], weight, call)
            dW = self._partial_dW if rows.start else self.dW
            self._lowest_product(phi[..., rows, :], layers, dW, call)
            self.upper_products(layers, dW, call)
            if rows.start:
                call(np.add, self.total, self._partial, self.total)
        return self.total

    def deltas(
        self, W: Weights, phi: Inputs, t: Targets, weight: Weight, call: Call = at_once
    ) -> list[Layer]:
        """Return the layers' buffers with `delta = dE/dpsi o dpsi/dNet`, of at most `ROWS` rows."""
        # Paper, sections 2.2 and 2.5.
        layers = self.layers(phi.shape[-2])
        self.forward(W, phi, call)
        self.differentiate(W, layers, t, weight, lowest=layers[0].delta, call=call)
        return layers

    def differentiate(
        self,
        W: Weights,
        layers: Sequence[Layer],
        t: Targets,
        weight: Weight,
        *,
        lowest: Array,
        call: Call,
    ) -> None:
        """Go backward from the outputs to every layer's `delta`; the first goes to `lowest`."""
        last = layers[-1]
        self._loss.gradient(call, last.psi, t, last.delta)
        out = lowest if last is layers[0] else last.delta
        if self._loss.output is None:
            call(np.multiply, last.delta, weight, last.delta)
            weight = last.differentiate(call)
        call(np.multiply, last.delta, weight, out)
        for layer_number in range(len(W) - 1, 0, -1):
            layer, above = layers[layer_number - 1], layers[layer_number]
            # dE/dpsi = delta_next . W^T (section 2.5). Column 0 belongs to the bias unit, which no
            # unit feeds: it is computed, because that keeps the arrays contiguous, and left out.
            call(np.matmul, above.fed_delta, W[layer_number].mT, layer.delta)
            slope = layer.differentiate(call)
            call(np.multiply, layer.delta, slope, layer.delta if layer_number > 1 else lowest)

    def upper_products(self, layers: Sequence[Layer], dW: Weights, call: Call) -> None:
        """Write `dE/dW = phi . delta` of all layers but the first (paper, section 2.3)."""
        for layer, above, above_dW in zip(layers[:-1], layers[1:], dW[1:], strict=True):
            call(np.matmul, layer.outer_psi.mT, above.outer_delta, above_dW)

    def _lowest_product(
        self, phi: Inputs, layers: Sequence[Layer], dW: Weights, call: Call
    ) -> None:
        if phi.shape[-2] == 1:
            call(np.copyto, self._pair[..., :1, :], phi)
            phi = self._pair
        call(np.matmul, phi.mT, layers[0].outer_delta, dW[0])


class Layer:
    """Net input, output and delta (`dE/dnet`) of one layer for one row count.

    Those of a hidden layer have a column 0 for its bias unit: `product` and `fed_delta` are `net`
    and `delta` without it, while activations run over the whole contiguous array, which is several
    times faster than over the part.

    A batch of one has an idle second row of zeros in `outer_psi` and `outer_delta`, `psi` and
    `delta` as they enter `dW`: BLAS takes the product of (fan_in, 2) and (2, fan_out), while
    NumPy's own outer product of vectors is more than ten times slower. A row of all lanes is
    contiguous then.
    """

    def __init__(
        self,
        activation: Activation,
        lanes: tuple[int, int],
        rows: int,
        width: int,
        dtype: np.dtype[Any],
        *,
        feeds: bool,
    ) -> None:
        units = width + feeds
        shape = (*lanes, rows, units)
        self.activation = activation
        # Zeros, not whatever memory holds: column 0 is computed with before it is ever set.
        self.net, self._slope, self._scratch = (np.zeros(shape, dtype) for _ in range(3))
        outer_psi, outer_delta = (_with_idle_row(shape, dtype) for _ in range(2))
        self.psi, self.delta = outer_psi[..., :rows, :], outer_delta[..., :rows, :]
        self.outer_psi, self.outer_delta = outer_psi, outer_delta[..., feeds:]
        self.product, self.fed_delta = self.net[..., feeds:], self.delta[..., feeds:]
        self._sets_bias = feeds and activation.bias_net is None
        if feeds and activation.bias_net is not None:
            self.net[..., 0] = activation.bias_net

    def activate(self, call: Call) -> None:
        """Compute `psi` from `net`."""
        self.activation.apply(call, self.net, self.psi, self._slope)
        if self._sets_bias:
            call(np.copyto, self.psi[..., 0], 1.0)

    def differentiate(self, call: Call) -> Array:
        """Return `dpsi/dnet` at the last forward pass."""
        derivative = self.activation.derivative
        assert derivative is not None  # noqa: S101 - check_loss saw to it
        derivative(call, self.net, self.psi, self._slope, self._scratch)
        return self._slope


def _with_idle_row(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    *lanes, rows, units = shape
    if rows > 1:
        return np.zeros(shape, dtype)
    return np.moveaxis(np.zeros((PAIR, *lanes, units), dtype), 0, -2)


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
