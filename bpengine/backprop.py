"""Forward and backward pass of a cohort: the paper's tensor operations with leading lane axes.

Every operation is one NumPy call for the whole cohort. A batched `np.matmul` multiplies lane by
lane, so a lane's bits don't depend on how many lanes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.activations import Activation
from bpengine.arrays import Array
from bpengine.losses import LOSSES
from bpengine.minibatches import shard_bounds
from bpengine.network import Architecture, check_name

ROWS = 128
"""Rows of a batch processed at once: larger batches go through the cache in slices of this many.

A constant, never read off the machine, so that results agree between machines.
"""

PAIR = 2
"""Rows that a batch of one example goes through as; see `Backprop.gradient`."""

Weights = Sequence[Annotated[Array, "seed setting fan_in fan_out"]]
Inputs = Annotated[Array, "seed 1 batch fan_in"]
Targets = Annotated[Array, "seed 1 batch fan_out"]


class Backprop:
    """Forward and backward pass of a cohort on buffers allocated once.

    Args:
        architecture: The network of every lane.
        loss: Name in `LOSSES`.
        lanes: Lengths of the lane axes, seed and setting.
        dtype: float32 or float64, of everything that goes in and out.

    Raises:
        ValueError: Loss and output activation don't go together.
    """

    def __init__(
        self, architecture: Architecture, loss: str, lanes: tuple[int, int], dtype: npt.DTypeLike
    ) -> None:
        check_loss(architecture, loss)
        self.architecture = architecture
        self._loss = LOSSES[loss]
        self._lanes = lanes
        self._dtype = np.dtype(dtype)
        depth = len(architecture.widths) - 1
        hidden = [architecture.hidden_activation] * (depth - 1)
        self._activations = [*hidden, architecture.output_activation]
        self._by_rows: dict[int, list[_Layer]] = {}
        self._total = np.empty((*lanes, architecture.parameter_count), dtype)
        self._partial = np.empty_like(self._total)
        self._dW = architecture.layers(self._total), architecture.layers(self._partial)
        self._pair = _Pair(
            np.zeros((lanes[0], 1, PAIR, architecture.widths[0] + 1), dtype),
            np.zeros((lanes[0], 1, PAIR, architecture.widths[-1]), dtype),
            np.zeros((*lanes, PAIR, 1), dtype),
        )

    def layers(self, rows: int) -> list[_Layer]:
        """Return the buffers of each layer for so many rows, as the last pass left them.

        Args:
            rows: Rows of a batch. A batch size meets at most three counts: whole, last slice,
                ragged end.
        """
        if rows not in self._by_rows:
            widths = self.architecture.widths[1:]
            self._by_rows[rows] = [
                _Layer(self._lanes, rows, width, activation, self._dtype, last=place == len(widths))
                for place, (width, activation) in enumerate(
                    zip(widths, self._activations, strict=True), 1
                )
            ]
        return self._by_rows[rows]

    def forward(self, W: Weights, phi: Inputs) -> Annotated[Array, "seed setting batch fan_out"]:
        """Return `psi = f(phi . W)` of the last layer (paper, sections 1 and 1.2).

        Args:
            W: Weights of each layer, bias in row 0.
            phi: Inputs with a leading 1, shared by the settings of a seed.

        Returns:
            A buffer, valid until the next call.
        """
        layers = self.layers(phi.shape[-2])
        for layer_W, layer in zip(W[:-1], layers[:-1], strict=True):
            # The product fills the next layer's input; the activation runs over all of it, because
            # a contiguous array is several times faster, and then the bias unit's 1 is put back.
            np.matmul(phi, layer_W, out=layer.net[..., 1:])
            layer.activation.apply(layer.net, layer.psi, layer.slope)
            layer.psi[..., 0] = 1
            phi = layer.psi
        last = layers[-1]
        np.matmul(phi, W[-1], out=last.net)
        return last.activation.apply(last.net, last.psi, last.slope)

    def loss(
        self, W: Weights, phi: Inputs, t: Targets
    ) -> tuple[
        Annotated[Array, "seed setting batch"], Annotated[Array, "seed setting batch fan_out"]
    ]:
        """Return the loss of each example, neither summed nor averaged, and the outputs.

        Args:
            W: Weights of each layer.
            phi: Inputs with a leading 1.
            t: Targets.
        """
        psi = self.forward(W, phi)
        last = self.layers(phi.shape[-2])[-1]
        return self._loss.value(last.net, psi, t, last.delta), psi

    def gradient(
        self,
        W: Weights,
        phi: Inputs,
        t: Targets,
        *,
        weight: Annotated[Array, "seed setting 1"],
        shards: int = 1,
    ) -> Annotated[Array, "seed setting parameter"]:
        """Return `dE/dW` of a whole batch, `E` being the weighted sum of the examples' losses.

        The batch goes through in segments whose `dW` are added up, each weighted by the examples it
        holds (paper, section 3): so many shards, and within them slices of at most `ROWS` rows,
        which stay in the cache. The result is that of the whole batch but for rounding.

        A segment of one example goes through as two rows of which the second weighs nothing: BLAS
        takes the product of (fan_in, 2) and (2, fan_out), while NumPy's own outer product of
        vectors is more than ten times slower.

        Args:
            W: Weights of each layer.
            phi: Inputs with a leading 1.
            t: Targets.
            weight: Factor of every example's loss in each lane, such as 1/n; a learning rate may be
                folded in.
            shards: Number of segments; with fewer rows there are as many segments as rows.

        Returns:
            A buffer, layer after layer, valid until the next call.
        """
        total, partial = self._dW
        for start, stop in segment_bounds(phi.shape[-2], shards):
            rows = slice(start, stop)
            self.deltas(W, phi[..., rows, :], t[..., rows, :], weight)
            self._products(phi[..., rows, :], partial if start else total)
            if start:
                np.add(self._total, self._partial, out=self._total)
        return self._total

    def deltas(self, W: Weights, phi: Inputs, t: Targets, weight: Array) -> list[_Layer]:
        """Compute every layer's `delta = dE/dpsi o dpsi/dNet` (paper, sections 2.2 and 2.5).

        Args:
            W: Weights of each layer.
            phi: Inputs with a leading 1, at most `ROWS` rows.
            t: Targets.
            weight: Factor of every example's loss in each lane.

        Returns:
            The layers' buffers, valid until the next call, with one idle row more if `phi` has one.
        """
        factor = weight[..., None]
        if phi.shape[-2] == 1:
            phi, t, factor = self._pair.fill(phi, t, factor)
        psi, layers = self.forward(W, phi), self.layers(phi.shape[-2])
        last = layers[-1]
        self._loss.gradient(psi, t, last.delta)
        np.multiply(last.delta, factor, out=last.delta)
        if self._loss.output is None:
            np.multiply(last.delta, last.derivative(), out=last.delta)
        for place in range(len(W) - 1, 0, -1):
            layer, above = layers[place - 1], layers[place]
            # dE/dpsi = delta_next . W^T (section 2.5). Column 0 belongs to the bias unit, which no
            # unit feeds: it is computed, because that keeps the arrays contiguous, and left out.
            np.matmul(above.fed_delta, W[place].mT, out=layer.delta)
            np.multiply(layer.delta, layer.derivative(), out=layer.delta)
        return layers

    def _products(self, phi: Inputs, dW: Weights) -> None:
        # dE/dW = phi . delta (section 2.3)
        if phi.shape[-2] == 1:
            phi = self._pair.phi
        for layer_dW, layer in zip(dW, self.layers(phi.shape[-2]), strict=True):
            np.matmul(phi.mT, layer.fed_delta, out=layer_dW)
            phi = layer.psi


def segment_bounds(rows: int, shards: int) -> list[tuple[int, int]]:
    """Return where the segments of a batch begin and end: shards, cut into slices of `ROWS`.

    Args:
        rows: Rows of the batch.
        shards: Number of shards, at most `rows`.

    Example:
        >>> segment_bounds(300, 2)
        [(0, 128), (128, 150), (150, 278), (278, 300)]
    """
    return [
        (start, min(start + ROWS, stop))
        for first, stop in shard_bounds(rows, shards)
        for start in range(first, stop, ROWS)
    ]


def check_loss(architecture: Architecture, loss: str) -> None:
    """Refuse a loss that does not go with the output activation.

    Args:
        architecture: The network.
        loss: Name in `LOSSES`.

    Raises:
        ValueError: The loss is unknown, or belongs to another output activation.
    """
    check_name("loss", loss, LOSSES)
    wanted, output = LOSSES[loss].output, architecture.output_activation
    if wanted is None and output.derivative is None:
        raise ValueError(f"The output {output.name!r} goes with 'cross_entropy', not {loss!r}.")
    if wanted not in {None, output.name}:
        raise ValueError(f"{loss!r} goes with the output {wanted!r}, not {output.name!r}.")


class _Layer:
    """Net input, output and delta of one layer for one row count.

    Those of a hidden layer have a column 0 for its bias unit.
    """

    def __init__(
        self,
        lanes: tuple[int, int],
        rows: int,
        width: int,
        activation: Activation,
        dtype: npt.DTypeLike,
        *,
        last: bool,
    ) -> None:
        shape = (*lanes, rows, width if last else width + 1)
        self.activation = activation
        # Zeros, not whatever memory holds: column 0 is computed with before it is ever set.
        self.net = np.zeros(shape, dtype)
        self.psi = np.zeros(shape, dtype) if last or activation.keeps_net else self.net
        self.delta = np.zeros(shape, dtype)
        self.slope = np.zeros(shape, dtype)
        self._scratch = np.zeros(shape, dtype) if activation.keeps_net else self.slope
        self.fed_delta = self.delta if last else self.delta[..., 1:]

    def derivative(self) -> Array:
        """Return `dpsi/dnet` at the last forward pass."""
        derivative = self.activation.derivative
        assert derivative is not None  # noqa: S101 - check_loss saw to it
        return derivative(self.net, self.psi, self.slope, self._scratch)


@dataclass(frozen=True)
class _Pair:
    """Buffers of a batch of one with an idle second row."""

    phi: Array
    t: Array
    factor: Array

    def fill(self, phi: Array, t: Array, factor: Array) -> tuple[Array, Array, Array]:
        self.phi[..., :1, :] = phi
        self.t[..., :1, :] = t
        self.factor[..., :1, :] = factor
        return self.phi, self.t, self.factor
