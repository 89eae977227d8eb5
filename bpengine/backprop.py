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
        self._widths = architecture.widths[1:]
        self._by_rows: dict[int, _Buffers] = {}
        self._partial = np.empty((*lanes, architecture.parameter_count), dtype)
        self._partial_layers = architecture.layers(self._partial)

    def _buffers(self, rows: int) -> _Buffers:
        # A batch size meets at most three row counts: whole, last slice, ragged end.
        if rows not in self._by_rows:
            self._by_rows[rows] = _Buffers(self._lanes, rows, self._widths, self._dtype)
        return self._by_rows[rows]

    def forward(
        self,
        W: Sequence[Annotated[Array, "*lane fan_in fan_out"]],
        phi: Annotated[Array, "*lane batch fan_in"],
    ) -> Annotated[Array, "*lane batch fan_out"]:
        """Return `psi = f(phi . W)` of the last layer (paper, sections 1 and 1.2).

        Args:
            W: Weights of each layer, bias in row 0.
            phi: Inputs with a leading 1; lane axes of length 1 are shared by the lanes.

        Returns:
            A buffer, valid until the next call.
        """
        buffers = self._buffers(phi.shape[-2])
        for layer_W, layer_phi, psi in zip(W, [phi, *buffers.phi], buffers.psi, strict=True):
            np.matmul(layer_phi, layer_W, out=psi)
            self._activation.apply(psi, psi)
        return buffers.psi[-1]

    def loss(
        self,
        W: Sequence[Annotated[Array, "*lane fan_in fan_out"]],
        phi: Annotated[Array, "*lane batch fan_in"],
        t: Annotated[Array, "*lane batch fan_out"],
    ) -> tuple[Annotated[Array, "*lane batch"], Annotated[Array, "*lane batch fan_out"]]:
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
        W: Sequence[Annotated[Array, "*lane fan_in fan_out"]],
        phi: Annotated[Array, "*lane batch fan_in"],
        t: Annotated[Array, "*lane batch fan_out"],
        *,
        weight: Annotated[Array, "*lane"],
        out: Annotated[Array, "*lane parameter"],
    ) -> None:
        """Write `dE/dW` of a whole batch, `E` being the weighted sum of the examples' losses.

        Batches of more than `ROWS` rows go through in slices whose `dW` are added up: the segmented
        batch of the paper's section 3, each slice weighted by the examples it holds.

        Args:
            W: Weights of each layer.
            phi: Inputs with a leading 1.
            t: Targets.
            weight: Factor of every example's loss in each lane, such as 1/n; a learning rate may be
                folded in.
            out: Where the gradient goes, layer after layer.
        """
        factor = weight[..., None, None]
        dW = self._architecture.layers(out)
        self._slice_gradient(W, phi[..., :ROWS, :], t[..., :ROWS, :], factor, dW)
        for start in range(ROWS, phi.shape[-2], ROWS):
            rows = slice(start, start + ROWS)
            self._slice_gradient(
                W, phi[..., rows, :], t[..., rows, :], factor, self._partial_layers
            )
            np.add(out, self._partial, out=out)

    def _slice_gradient(
        self,
        W: Sequence[Array],
        phi: Array,
        t: Array,
        factor: Annotated[Array, "*lane 1 1"],
        dW: Sequence[Array],
    ) -> None:
        buffers = self._buffers(phi.shape[-2])
        psi, delta = self.forward(W, phi), buffers.delta[-1]
        # delta = dE/dpsi o dpsi/dNet (section 2.2)
        self._loss.gradient(psi, t, delta)
        np.multiply(delta, factor, out=delta)
        np.multiply(delta, self._activation.derivative(psi, buffers.slope[-1]), out=delta)
        for layer in range(len(W) - 1, 0, -1):
            # dE/dW = phi . delta (section 2.3)
            np.matmul(buffers.phi[layer - 1].mT, delta, out=dW[layer])
            # dE/dpsi = delta_next . W^T without the bias row, which no unit feeds (section 2.5)
            below = buffers.delta[layer - 1]
            np.matmul(delta, W[layer][..., 1:, :].mT, out=below)
            slope = self._activation.derivative(buffers.psi[layer - 1], buffers.slope[layer - 1])
            delta = np.multiply(below, slope, out=below)
        np.matmul(phi.mT, delta, out=dW[0])


class _Buffers:
    """Activations and deltas of one row count.

    `psi[l]` of a hidden layer is a view of `phi[l]` without column 0, which holds the bias unit's
    1: the product fills the next layer's input in place.
    """

    def __init__(
        self, lanes: tuple[int, ...], rows: int, widths: Sequence[int], dtype: npt.DTypeLike
    ) -> None:
        self.phi = [np.ones((*lanes, rows, width + 1), dtype) for width in widths[:-1]]
        self.psi = [phi[..., 1:] for phi in self.phi]
        self.psi.append(np.empty((*lanes, rows, widths[-1]), dtype))
        self.delta = [np.empty((*lanes, rows, width), dtype) for width in widths]
        self.slope = [np.empty_like(delta) for delta in self.delta]
