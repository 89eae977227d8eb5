"""An optimizer at work; clipping, `l2` and decoupled weight decay are the same for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from bpengine.network import Architecture, Array, BoolArray, Call, Parameters, at_once
from bpengine.optim._optimizers import DECAYS_BY_ITSELF, OPTIMIZERS, Step, check_settings
from bpengine.passes.compiled import Rates, settings_of

BLOCK = 32
"""Updates at most that are prepared at once."""

GUARD = 64.0
"""State below about that many times the smallest normal number becomes 0; see `Stepper.advance`."""

TABLE = 1024
"""Updates whose corrections are computed at once, for optimizers that correct their averages."""


class Stepper:
    """An optimizer with its state (`slots`) and the hyperparameters of every lane.

    Where it `folds`, as for sgd, the weights change by the gradient itself, which must come
    multiplied by `in_gradient` (`-rate`, otherwise 1): whoever computes it gets that for nothing.
    It `is_plain` if the settings name nothing but the rate.
    """

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
        self._layers = architecture.layers
        full = [{**self._optimizer.defaults, **setting} for setting in settings]
        dtype = parameters.dtype
        self._exact = {key: np.array([[setting[key]] for setting in full]) for key in full[0]}
        # What is too large for the precision is infinite in it: such a trial diverges.
        with np.errstate(over="ignore"):
            self._columns = {key: column.astype(dtype) for key, column in self._exact.items()}
        self._settings = {key: shared(column) for key, column in self._columns.items()}
        self.rate = np.tile(self._columns["learning_rate"], (parameters.shape[0], 1, 1))
        self.slots = [np.zeros_like(parameters) for _ in range(self._optimizer.slots)]
        self.update = 0
        self.folds = name == "sgd"
        self.is_plain = self.folds and set(settings[0]) == {"learning_rate"}
        self._scratch = np.empty_like(parameters)
        self._rates, self._moves = (np.empty((BLOCK, *self.rate.shape), dtype) for _ in range(2))
        self.in_gradient = np.ones_like(self._rates)
        self._lengths, self._floors = (np.empty((BLOCK, len(settings), 1), dtype) for _ in range(2))
        self._corrected = "beta1" in self._optimizer.defaults
        self._table_start = 0
        self._table: Array = np.empty((2, 0, len(settings), 1))
        # Rounding must not depend on what other settings ask for: a lane that neither clips nor
        # decays is multiplied by 1 and added 0.
        self._has_l2 = bool(self._columns["l2"].any())
        self._clips = bool(np.isfinite(self._columns["clip_norm"]).any())
        self._decays = name not in DECAYS_BY_ITSELF and bool(self._columns["weight_decay"].any())

    def halt(self, lanes: Annotated[BoolArray, "seed setting"]) -> None:
        """Let lanes stand still from now on: no rate, and no momentum that outlives it."""
        self.rate[lanes] = 0
        for slot in self.slots:
            slot[lanes] = 0

    @property
    def numbers(self) -> Annotated[Array, "setting number"]:
        """The settings as the compiled kernel takes them."""
        return settings_of(self._columns)

    def prepared(self, factors: Annotated[Array, "update"]) -> Rates:
        """Count the next updates, and return what the compiled kernel needs for each."""
        dtype, count = self.parameters.dtype, len(factors)
        rates = (self._columns["learning_rate"][:, 0] * factors[:, None]).astype(dtype)
        tables: tuple[Array, Array] | tuple[None, None] = (None, None)
        if self._corrected:
            updates = np.arange(self.update + 1.0, self.update + 1 + count)
            table = _corrections(self._exact, updates)[..., 0].astype(dtype)
            tables = (table[0], table[1])
        self.update += count
        return Rates(rates, *tables)

    def advance(self, factors: Annotated[Array, "update"]) -> None:
        """Count the next updates, at most `BLOCK`, by the schedule's factors of their rates."""
        count = len(factors)
        if self.update // BLOCK < (self.update + count) // BLOCK:
            self._clear_traces()
        np.multiply(self.rate, factors[:, None, None, None], out=self._rates[:count])
        if self.folds:
            np.negative(self._rates[:count], out=self.in_gradient[:count])
        if self._corrected:
            start = self._corrections_from(self.update, count)
            for prepared, table in zip((self._lengths, self._floors), self._table, strict=True):
                np.copyto(prepared[:count], table[start : start + count])
            np.multiply(self._rates[:count], self._lengths[:count, None], out=self._moves[:count])
        self.update += count

    def step(
        self,
        gradient: Parameters,
        number: int,
        *,
        total_weight: float,
        call: Call = at_once,
    ) -> None:
        """Change the parameters by step `number` of those that `advance` has prepared."""
        # `gradient` is `dE/dW` times `in_gradient[number]`, and is written over; `total_weight` is
        # the sum of the examples' weights in `E`: 1 for their mean, n for their sum.
        parameters, scratch = self.parameters, self._scratch
        scale, small = self.in_gradient[number], np.empty_like(self.rate)
        if self._clips:
            call(_clip, gradient, self._columns["clip_norm"], scale, scratch)
        if self._has_l2:
            call(
                np.multiply, self._columns["l2"] * parameters.dtype.type(total_weight), scale, small
            )
            call(np.multiply, parameters, small, scratch)
            call(np.add, gradient, scratch, gradient)
        self._optimizer.step(call, self._step(gradient, number))
        if self._decays:
            pull = scale if self.folds else self._rates[number]
            call(np.multiply, self._columns["weight_decay"], pull, small)
            call(np.multiply, parameters, small, scratch)
            call(np.add, gradient, scratch, gradient)
        call(np.add if self.folds else np.subtract, parameters, gradient, parameters)

    def _clear_traces(self) -> None:
        # An average whose gradients have become 0 would decay into subnormal numbers and, there
        # being nothing smaller to round to, stay there: many processors are slow at them. Adding
        # and taking away a number that dwarfs them rounds them to 0.
        kind = np.finfo(self.parameters.dtype)
        guard = kind.dtype.type(GUARD) * kind.tiny / kind.eps
        for slot in self.slots:
            np.add(slot, guard, out=slot)
            np.subtract(slot, guard, out=slot)

    def _step(self, gradient: Array, number: int) -> Step:
        floor = self._floors[number]
        keys = {"beta2", "epsilon"} & self._settings.keys()
        if all(self._settings[key].ndim == 0 for key in keys):
            floor = floor[0, 0, ...]
        return Step(
            gradient,
            self.parameters,
            self.slots,
            self._scratch,
            self._rates[number],
            self._lengths[number],
            self._moves[number],
            floor,
            self._settings,
            self._layers,
        )

    def _corrections_from(self, update: int, count: int) -> int:
        # Where the corrections of the updates after this one begin in the table.
        first = update - self._table_start
        if not 0 <= first <= self._table.shape[1] - count:
            self._table_start, first = update, 0
            self._table = _corrections(self._exact, np.arange(update + 1.0, update + 1 + TABLE))
        return first


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
    # Setting by setting: NumPy's power of a number and of an array may differ in the last bit, and
    # a lane must not depend on what its neighbours share.
    powers = [np.power(np.full_like(exponents, base), exponents) for base in column[:, 0]]
    return np.stack(powers, axis=-1)[..., None]


def shared(column: Annotated[Array, "setting 1"]) -> Array:
    """Return a column of one value for each setting, or the single value that they share."""
    # NumPy multiplies an array by a single number twice as fast as by a column.
    return column[0, 0, ...] if (column == column[0]).all() else column


def _clip(
    gradient: Array,
    limit: Annotated[Array, "setting 1"],
    scale: Annotated[Array, "seed setting 1"],
    scratch: Array,
) -> None:
    np.multiply(gradient, gradient, out=scratch)
    norm = np.sqrt(np.add.reduce(scratch, axis=-1, keepdims=True))
    most = np.full_like(norm, np.inf)
    np.multiply(limit, np.abs(scale), out=most, where=np.isfinite(limit))
    # The factor is 1 where the norm is within the limit.
    factor = np.divide(most, norm, out=np.ones_like(norm), where=norm > most)
    np.multiply(gradient, factor, out=gradient)
