"""Forward and backward pass of a cohort: the paper's tensor operations with leading lane axes.

Every operation is one NumPy call for the whole cohort. A batched `np.matmul` multiplies lane by
lane, so a lane's bits don't depend on how many lanes there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.arrays import Array
from bpengine.losses import Loss
from bpengine.network import Architecture

ROWS = 128
"""Rows of a batch processed at once: larger batches go through the cache in slices of this many.

A constant, never read off the machine, so that results agree between machines.
"""

PAIR = 2
"""Rows that a batch of one example goes through as; see `Backprop.gradient`."""


class Backprop:
    """Forward and backward pass of a cohort on buffers allocated once.

    Args:
        architecture: The network of every lane.
        loss: Loss of one example.
        lanes: Lengths of the leading lane axes.
        dtype: float32 or float64, of everything that goes in and out.
    """

    def __init__(
        self,
        architecture: Architecture,
        loss: Loss,
        lanes: tuple[int, ...],
        dtype: npt.DTypeLike,
    ) -> None:
        self._architecture = architecture
        self._activation = architecture.function
        self._loss = loss
        self._lanes = lanes
        self._dtype = np.dtype(dtype)
        self._by_rows: dict[int, _Buffers] = {}
        self._partial = np.empty((*lanes, architecture.parameter_count), dtype)
        self._partial_layers = architecture.layers(self._partial)
        first, *_, last = architecture.widths
        self._pair_phi = np.zeros((lanes[0], 1, PAIR, first + 1), dtype)
        self._pair_t = np.zeros((lanes[0], 1, PAIR, last), dtype)
        self._pair_weight = np.zeros((*lanes, PAIR), dtype)

    def _buffers(self, rows: int) -> _Buffers:
        # A batch size meets at most three row counts: whole, last slice, ragged end.
        if rows not in self._by_rows:
            widths = self._architecture.widths[1:]
            self._by_rows[rows] = _Buffers(self._lanes, rows, widths, self._dtype)
        return self._by_rows[rows]

    def forward(
        self,
        W: Sequence[Annotated[Array, "seed setting fan_in fan_out"]],
        phi: Annotated[Array, "seed 1 batch fan_in"],
    ) -> Annotated[Array, "seed setting batch fan_out"]:
        """Return `psi = f(phi . W)` of the last layer (paper, sections 1 and 1.2).

        Args:
            W: Weights of each layer, bias in row 0.
            phi: Inputs with a leading 1, shared by the settings of a seed.

        Returns:
            A buffer, valid until the next call.
        """
        buffers = self._buffers(phi.shape[-2])
        for layer_W, layer_phi in zip(W[:-1], buffers.phi, strict=True):
            # The product fills the next layer's input; the activation runs over all of it, because
            # a contiguous array is several times faster, and then the bias unit's 1 is put back.
            np.matmul(phi, layer_W, out=layer_phi[..., 1:])
            self._activation.apply(layer_phi, layer_phi)
            layer_phi[..., 0] = 1
            phi = layer_phi
        np.matmul(phi, W[-1], out=buffers.psi)
        return self._activation.apply(buffers.psi, buffers.psi)

    def loss(
        self,
        W: Sequence[Annotated[Array, "seed setting fan_in fan_out"]],
        phi: Annotated[Array, "seed 1 batch fan_in"],
        t: Annotated[Array, "seed 1 batch fan_out"],
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
        return self._loss.value(psi, t, self._buffers(phi.shape[-2]).delta[-1]), psi

    def gradient(
        self,
        W: Sequence[Annotated[Array, "seed setting fan_in fan_out"]],
        phi: Annotated[Array, "seed 1 batch fan_in"],
        t: Annotated[Array, "seed 1 batch fan_out"],
        *,
        weight: Annotated[Array, "seed setting"],
        out: Annotated[Array, "seed setting parameter"],
    ) -> None:
        """Write `dE/dW` of a whole batch, `E` being the weighted sum of the examples' losses.

        Batches of more than `ROWS` rows go through in slices whose `dW` are added up: the segmented
        batch of the paper's section 3, each slice weighted by the examples it holds.

        A batch of one goes through as two rows of which the second weighs nothing: BLAS takes the
        product of (fan_in, 2) and (2, fan_out), while NumPy's own outer product of vectors is more
        than ten times slower.

        Args:
            W: Weights of each layer.
            phi: Inputs with a leading 1.
            t: Targets.
            weight: Factor of every example's loss in each lane, such as 1/n; a learning rate may be
                folded in.
            out: Where the gradient goes, layer after layer.
        """
        dW = self._architecture.layers(out)
        rows = phi.shape[-2]
        if rows == 1:
            self._pair_phi[..., :1, :] = phi
            self._pair_t[..., :1, :] = t
            self._pair_weight[..., 0] = weight
            phi, t, factor = self._pair_phi, self._pair_t, self._pair_weight[..., None]
        else:
            factor = weight[..., None, None]
        self._slice_gradient(W, phi[..., :ROWS, :], t[..., :ROWS, :], factor, dW)
        for start in range(ROWS, rows, ROWS):
            part = slice(start, start + ROWS)
            self._slice_gradient(
                W, phi[..., part, :], t[..., part, :], factor, self._partial_layers
            )
            np.add(out, self._partial, out=out)

    def _slice_gradient(
        self,
        W: Sequence[Array],
        phi: Array,
        t: Array,
        factor: Annotated[Array, "seed setting batch 1"],
        dW: Sequence[Array],
    ) -> None:
        buffers = self._buffers(phi.shape[-2])
        psi, delta = self.forward(W, phi), buffers.delta[-1]
        # delta = dE/dpsi o dpsi/dNet (section 2.2)
        self._loss.gradient(psi, t, delta)
        np.multiply(delta, factor, out=delta)
        np.multiply(delta, self._activation.derivative(psi, buffers.slope[-1]), out=delta)
        for layer in range(len(W) - 1, 0, -1):
            below, layer_phi = buffers.delta[layer - 1], buffers.phi[layer - 1]
            # dE/dW = phi . delta (section 2.3)
            np.matmul(layer_phi.mT, delta, out=dW[layer])
            # dE/dpsi = delta_next . W^T (section 2.5). Column 0 belongs to the bias unit, which no
            # unit feeds: it is computed, because that keeps the arrays contiguous, and left out.
            np.matmul(delta, W[layer].mT, out=below)
            slope = self._activation.derivative(layer_phi, buffers.slope[layer - 1])
            delta = np.multiply(below, slope, out=below)[..., 1:]
        np.matmul(phi.mT, delta, out=dW[0])


class _Buffers:
    """Activations and deltas of one row count.

    Those of a hidden layer have a column 0 for its bias unit.
    """

    def __init__(
        self, lanes: tuple[int, ...], rows: int, widths: Sequence[int], dtype: npt.DTypeLike
    ) -> None:
        columns = [*(width + 1 for width in widths[:-1]), widths[-1]]
        # Zeros, not whatever memory holds: column 0 is computed with before it is ever set.
        self.phi = [np.zeros((*lanes, rows, width), dtype) for width in columns[:-1]]
        self.psi = np.zeros((*lanes, rows, columns[-1]), dtype)
        self.delta = [np.zeros((*lanes, rows, width), dtype) for width in columns]
        self.slope = [np.zeros_like(delta) for delta in self.delta]
