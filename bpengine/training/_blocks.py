"""A few updates of a cohort as one list of calls on fixed arrays.

Blocks end where a segment, an epoch or a count of updates ends, and nowhere else: where the weights
are known exactly depends on the specification alone.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from bpengine.network import Array, BoolArray, IntArray
from bpengine.network.architecture import layer_views
from bpengine.network.tape import Tape
from bpengine.optim import Stepper
from bpengine.optim.stepper import BLOCK
from bpengine.passes import Backprop, Weights
from bpengine.passes.backprop import Layer

LEAST_DELAYED = 4
"""Updates of a block from which delaying the first layer pays: at fewer its products cost more."""

GATHERED = 64
"""Rows of an ordinary block: they are gathered in one call, and stay in the cache."""


def delayed_updates(rows: int, fan_in: int) -> int:
    """Return how many updates make a block with a delayed first layer; 0 if it would not pay."""
    # The products within a block cost its rows / (4 fan_in) of the other ones.
    updates = min(BLOCK, max(32, min(128, (fan_in - 1) // 6)) // rows)
    return updates if updates >= LEAST_DELAYED else 0


def ordinary_updates(rows: int) -> int:
    """Return how many updates make an ordinary block."""
    return max(1, min(BLOCK, GATHERED // rows))


class Block:
    """Some updates of equal batches, whose `inputs` and `targets` are filled before each run."""

    def __init__(
        self,
        passes: Backprop,
        W: Weights,
        stepper: Stepper,
        *,
        updates: int,
        rows: int,
        each: float,  # weight of an example's loss in the error of its batch
        shards: int,
    ) -> None:
        seeds, settings = stepper.parameters.shape[:2]
        dtype, inputs, outputs = stepper.parameters.dtype, W[0].shape[-2], W[-1].shape[-1]
        self.updates, self.rows = updates, rows
        self._passes, self._W, self._stepper = passes, W, stepper
        self._parameters = stepper.parameters
        self._each = dtype.type(each)
        self._shards = shards
        self.inputs = np.empty((seeds, 1, updates * rows, inputs), dtype)
        self.targets = np.empty((seeds, 1, updates * rows, outputs), dtype)
        # A broadcast operand costs half a microsecond: of single rows it would be most of a call.
        lanes, repeats = (settings, outputs) if rows == 1 else (1, 1)
        self._t = np.empty((updates, seeds, lanes, rows, outputs), dtype)
        self._weight = np.full((updates, seeds, settings, 1, repeats), each, dtype)
        self._tapes = [Tape(dtype) for _ in range(updates)]
        self._record()

    def run(self, factors: Annotated[Array, "update"], *, dating: bool) -> IntArray:
        """Make the updates, each by its schedule's factor of the learning rates."""
        # Returns the first update, from 1, after which a lane's weights were not finite, if
        # `dating` looks for it; 0 for the others.
        self._stepper.advance(factors)
        if self._stepper.folds:
            scale = self._stepper.in_gradient[: self.updates, ..., None]
            np.multiply(scale, self._each, out=self._weight)
        shape = (len(self.targets), 1, self.updates, self.rows, -1)
        np.copyto(self._t, self.targets.reshape(shape).transpose(2, 0, 1, 3, 4))
        diverged_in = np.zeros(self._parameters.shape[:2], np.int64)
        for number, tape in enumerate(self._tapes, 1):
            tape.replay()
            if dating:
                diverged_in[(diverged_in == 0) & np.logical_not(self._are_finite(number))] = number
        return diverged_in

    def _record(self) -> None:
        total_weight = float(self._each) * self.rows
        for number, tape in enumerate(self._tapes):
            batch = self.inputs[:, :, number * self.rows : (number + 1) * self.rows]
            # A number that all lanes share costs less.
            each = self._weight[number] if self._stepper.folds else self._weight[0, 0, 0, 0, 0, ...]
            gradient = self._passes.gradient(
                self._W, batch, self._t[number], weight=each, shards=self._shards, call=tape
            )
            self._stepper.step(gradient, number, total_weight=total_weight, call=tape)

    def _are_finite(self, _number: int) -> BoolArray:
        return np.logical_and.reduce(np.isfinite(self._parameters), axis=-1)


class DelayedBlock(Block):
    """Updates of plain gradient descent in which the first layer's weights change once, at the end.

    The rows X of the block are known in advance. With D the first layer's deltas times -rate,

        net_k = X_k W + sum over j < k of (X_k X_j^T) D_j,

    so that all products with the wide W and X are two for the whole block; and at its end
    W := W + X^T D. This is the ordinary update but for rounding.
    """

    def _record(self) -> None:
        layers = self._passes.layers(self.rows)
        gram = self._record_products(self._tapes[0], layers[0])
        size = self._W[0][0, 0].size
        self._first = self._W[0]
        first, first_step = (a[..., :size] for a in (self._parameters, self._passes.total))
        # The upper layers' weights change at every update: on their own they are contiguous.
        upper = self._parameters[..., size:]
        self._upper, step = np.empty(upper.shape, upper.dtype), np.empty(upper.shape, upper.dtype)
        W, dW = (
            [lowest, *layer_views(array, [W.shape[-2:] for W in self._W[1:]])]
            for lowest, array in ((self._W[0], self._upper), (self._passes.dW[0], step))
        )
        self._tapes[0](np.copyto, self._upper, upper)
        for number, tape in enumerate(self._tapes):
            start, stop = number * self.rows, (number + 1) * self.rows
            seen = self._fed[:, :, :stop]
            tape(np.matmul, gram[:, :, start:stop, :stop], seen, layers[0].product)
            self._passes.activate(W, layers, tape)
            self._passes.differentiate(
                W,
                layers,
                self._t[number],
                self._weight[number],
                lowest=self._deltas[:, :, start:stop],
                call=tape,
            )
            self._passes.upper_products(layers, dW, tape)
            tape(np.add, self._upper, step, self._upper)
        self._tapes[-1](np.copyto, upper, self._upper)
        self._tapes[-1](np.matmul, self.inputs.mT, self._fed, dW[0])
        self._tapes[-1](np.add, first, first_step, first)

    def _record_products(self, tape: Tape, first: Layer) -> Annotated[Array, "seed 1 row row"]:
        # The rows of `_fed` hold X W until their deltas take its place: the identity on the
        # diagonal of X X^T adds each batch's own.
        rows, total, dtype = self.rows, self.updates * self.rows, self._parameters.dtype
        seeds, settings, _, units = first.net.shape
        self._deltas = np.zeros((seeds, settings, total, units), dtype)
        if rows == 1:
            self._deltas = np.moveaxis(np.zeros((total, seeds, settings, units), dtype), 0, -2)
        self._fed = self._deltas[..., units - first.product.shape[-1] :]
        gram = np.empty((seeds, 1, total, total), dtype)
        step = sum(gram.strides[2:])
        diagonal = np.lib.stride_tricks.as_strided(
            gram,
            (seeds, self.updates, rows, rows),
            (gram.strides[0], rows * step, *gram.strides[2:]),
        )
        copy = np.empty_like(self.inputs)
        tape(np.matmul, self.inputs, self._W[0], self._fed)
        # X X^T of one array becomes a symmetric product, which is slow when small.
        tape(np.copyto, copy, self.inputs)
        tape(np.matmul, self.inputs, copy.mT, gram)
        tape(np.copyto, diagonal, np.eye(rows, dtype=dtype))
        return gram

    def _are_finite(self, number: int) -> BoolArray:
        seen = slice(number * self.rows)
        W = self._first + self.inputs[:, :, seen].mT @ self._fed[:, :, seen]
        lowest = np.logical_and.reduce(np.isfinite(W), axis=(-2, -1))
        return lowest & np.logical_and.reduce(np.isfinite(self._upper), axis=-1)
