"""An optimizer at work; clipping, `l2` and decoupled weight decay are the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from bpengine.network import Architecture, Array, Parameters
from bpengine.optim._optimizers import OPTIMIZERS, check_settings
from bpengine.passes.compiled import Rates, settings_of

CLEARING = 32
"""Updates from one look at decayed state to the next."""

GUARD = 64.0
"""State below about that many times the smallest normal number becomes 0; see `_clear_traces`."""


class Stepper:
    """An optimizer with its state (`slots`) and the hyperparameters of every lane."""

    def __init__(
        self,
        name: str,
        settings: Sequence[Mapping[str, float]],
        architecture: Architecture,
        parameters: Parameters,
    ) -> None:
        check_settings(name, settings)
        self._optimizer = OPTIMIZERS[name]
        self.parameters = parameters
        full = [{**self._optimizer.defaults, **setting} for setting in settings]
        self._exact = {key: np.array([[setting[key]] for setting in full]) for key in full[0]}
        # What is too large for the precision is infinite in it: such a trial diverges.
        with np.errstate(over="ignore"):
            self._columns = {
                key: column.astype(parameters.dtype) for key, column in self._exact.items()
            }
        self.slots = [np.zeros_like(parameters) for _ in range(self._optimizer.slots)]
        self.update = 0
        self._parts = architecture.slices if self._optimizer.by_layer else (slice(None),)

    @property
    def numbers(self) -> Annotated[Array, "setting number"]:
        """The settings as the compiled kernel takes them."""
        return settings_of(self._columns)

    def prepared(self, factors: Annotated[Array, "update"]) -> Rates:
        """Count the next updates, and return what changes from one to the next."""
        dtype, count = self.parameters.dtype, len(factors)
        rates = (self._columns["learning_rate"][:, 0] * factors[:, None]).astype(dtype)
        tables: tuple[Array, Array] | tuple[None, None] = (None, None)
        if "beta1" in self._optimizer.defaults:
            updates = np.arange(self.update + 1.0, self.update + 1 + count)
            table = _corrections(self._exact, updates)[..., 0].astype(dtype)
            tables = (table[0], table[1])
        self.update += count
        return Rates(rates, *tables)

    def preconditioner(self) -> Parameters:
        """Return what the last update scaled each parameter's averaged gradient by, in float64.

        `1 / (sqrt(v) + epsilon)`, NaN before the first update; 1 for optimizers without an
        `epsilon`. Factors of a whole lane or layer are left out.
        """
        exact = self._exact
        if "epsilon" not in exact or not self.update:
            return np.full(self.parameters.shape, np.nan if "epsilon" in exact else 1.0)
        v = self.slots[-1].astype(np.float64)
        if "beta2" in exact:
            # The slot holds v / (1 - b2); see `_corrections`.
            v *= (1 - exact["beta2"]) / (1 - _powers(exact["beta2"], np.array([self.update]))[0])
        return 1 / (np.sqrt(v) + exact["epsilon"])

    def step(self, gradient: Parameters, factor: float, total_weight: float) -> None:
        """Change the parameters by an update, whose rate the schedule multiplies by `factor`."""
        # `total_weight` is the sum of the examples' weights in `E`: 1 for their mean, n for their
        # sum.
        if self.update % CLEARING == 0:
            self._clear_traces()
        rates = zip(("rate", "length", "floor"), self.prepared(np.array([factor])), strict=True)
        changing = {name: array.T for name, array in rates if array is not None}
        numbers = {**self._columns, **changing}
        # What no setting asks for is left out. What only some do multiplies the others by 1, or
        # adds 0: a lane doesn't depend on what its neighbours ask for.
        if np.isfinite(numbers["clip_norm"]).any():
            gradient = _clipped(gradient, numbers["clip_norm"])
        if numbers["l2"].any():
            gradient = gradient + total_weight * numbers["l2"] * self.parameters
        decays = numbers["weight_decay"].any() and not self._optimizer.by_layer
        for part in self._parts:
            slots, W = [slot[..., part] for slot in self.slots], self.parameters[..., part]
            step = self._optimizer.step(gradient[..., part], W, slots, numbers)
            if decays:
                step = step + numbers["rate"] * numbers["weight_decay"] * W
            W -= step

    def _clear_traces(self) -> None:
        # An average whose gradients have become 0 would decay into subnormal numbers and, there
        # being nothing smaller to round to, stay there: many processors are slow at them. Adding
        # and taking away a number that dwarfs them rounds them to 0.
        kind = np.finfo(self.parameters.dtype)
        guard = kind.dtype.type(GUARD) * kind.tiny / kind.eps
        for slot in self.slots:
            slot[:] = (slot + guard) - guard


def _corrections(
    columns: Mapping[str, Annotated[Array, "setting 1"]], updates: Annotated[Array, "update"]
) -> Annotated[Array, "2 update setting 1"]:
    """Return `length` and `floor` of Adam's direction at some updates."""
    # With `b = sqrt((1 - b2^t) / (1 - b2))` and slots m' = m / (1 - b1) and v' = v / (1 - b2),
    # `m^ / (sqrt v^ + eps) = b (1 - b1) / (1 - b1^t) m' / (sqrt v' + eps b)`.
    b1, b2 = columns["beta1"], columns["beta2"]
    b = np.sqrt((1 - _powers(b2, updates)) / (1 - b2))
    return np.stack([b * (1 - b1) / (1 - _powers(b1, updates)), columns["epsilon"] * b])


def _powers(
    column: Annotated[Array, "setting 1"], exponents: Annotated[Array, "update"]
) -> Annotated[Array, "update setting 1"]:
    # By multiplications alone, which every processor rounds alike, as it doesn't NumPy's power.
    bits, powers = exponents.astype(np.int64)[:, None], np.ones((len(exponents), len(column)))
    square = column[:, 0].astype(np.float64)
    while bits.any():
        powers = np.where(bits & 1, powers * square, powers)
        bits, square = bits >> 1, square * square
    return powers[..., None]


def _clipped(gradient: Parameters, limit: Annotated[Array, "setting 1"]) -> Parameters:
    norm = np.sqrt(np.add.reduce(gradient * gradient, axis=-1, keepdims=True))
    # The factor is 1 where the norm is within the limit.
    return gradient * np.divide(limit, norm, out=np.ones_like(norm), where=norm > limit)
