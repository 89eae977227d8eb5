"""The training loop of a cohort: many networks, one update at a time, all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.arrays import Array, BoolArray, IntArray
from bpengine.backprop import ROWS, Backprop
from bpengine.losses import LOSSES, REDUCTIONS
from bpengine.minibatches import Segment, epoch_order, segments
from bpengine.network import Architecture, initial_parameters

NUMERICS_VERSION = 1
"""Raised whenever the same call may give other numbers than before."""


@dataclass(frozen=True)
class Examples:
    """Inputs and targets.

    Attributes:
        inputs: Features, without the bias unit's 1.
        targets: Wanted outputs; one-hot rows for classes.

    Raises:
        ValueError: The two differ in length, are empty, not two-dimensional or not finite.
    """

    inputs: Annotated[Array, "item fan_in"]
    targets: Annotated[Array, "item fan_out"]

    def __post_init__(self) -> None:
        """Refuse what would broadcast."""
        shapes = self.inputs.shape, self.targets.shape
        if not all(len(shape) == 2 and shape[0] for shape in shapes):  # noqa: PLR2004
            raise ValueError(
                f"`inputs` and `targets` must be matrices with rows, but are {shapes}."
            )
        if shapes[0][0] != shapes[1][0]:
            raise ValueError(f"`inputs` and `targets` must have as many rows, but are {shapes}.")
        if not (np.isfinite(self.inputs).all() and np.isfinite(self.targets).all()):
            raise ValueError("`inputs` and `targets` must be finite.")


@dataclass(frozen=True)
class Split:
    """One seed's data and randomness.

    Attributes:
        train: Examples to train on.
        held_out: Examples the network is evaluated on beside them.
        seed: Seed of initial weights and order.
    """

    train: Examples
    held_out: Examples
    seed: int


@dataclass(frozen=True)
class Curves:
    """Evaluations along training; a lane that diverged before a point holds NaN there.

    Attributes:
        examples: Examples each network had processed.
        updates: Updates each network had made.
        train_loss: Mean loss over the training examples.
        train_metric: Share of them classified right.
        held_out_loss: Mean loss over the held-out examples.
        held_out_metric: Share of them classified right.
    """

    examples: Annotated[IntArray, "point"]
    updates: Annotated[IntArray, "point"]
    train_loss: Annotated[Array, "point seed setting"]
    train_metric: Annotated[Array, "point seed setting"]
    held_out_loss: Annotated[Array, "point seed setting"]
    held_out_metric: Annotated[Array, "point seed setting"]


@dataclass(frozen=True)
class Training:
    """What training a cohort gave.

    Attributes:
        parameters: The networks' weights at the end; NaN for lanes that diverged.
        curves: Evaluations along training.
        diverged_at_update: First update, counted from 1, after which a lane's weights were not
            finite; 0 for lanes that did not diverge.
    """

    parameters: Annotated[Array, "seed setting parameter"]
    curves: Curves
    diverged_at_update: Annotated[IntArray, "seed setting"]


def train(
    architecture: Architecture,
    splits: Sequence[Split],
    learning_rates: Sequence[float],
    *,
    batch_size: int,
    epochs: int,
    loss: str = "squared_error",
    reduction: str = "mean",
    evaluate_at: Sequence[int] = (),
    dtype: npt.DTypeLike = np.float32,
) -> Training:
    """Train every seed with every learning rate, in lockstep, by stochastic gradient descent.

    `W := W - eta dE/dW` (paper, section 2.4). A lane's result has the same bits whatever seeds and
    rates are trained beside it, given one BLAS thread.

    Args:
        architecture: The network of every lane.
        splits: One per seed, all of the same shapes.
        learning_rates: One per setting, above 0.
        batch_size: Examples of an update, at most the training examples; the last batch of an epoch
            holds what is left of it.
        epochs: Passes over the training examples, at least 1.
        loss: Name in `LOSSES`.
        reduction: Name in `REDUCTIONS`: how a batch's losses become its error.
        evaluate_at: Evaluation points in examples, ascending; 0 is before the first update.
        dtype: float32 or float64.

    Returns:
        Weights, curves and divergences.

    Raises:
        ValueError: An argument is outside what is said above.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> inputs = rng.normal(size=(64, 2))
        >>> targets = np.eye(2)[(inputs[:, 0] > 0).astype(int)]
        >>> data = Examples(inputs, targets)
        >>> trained = train(
        ...     Architecture((2, 4, 2)), [Split(data, data, seed=1)], [0.01, 3.0],
        ...     batch_size=8, epochs=20, evaluate_at=(1280,),
        ... )
        >>> trained.curves.train_metric[-1, 0].round(1).tolist()
        [0.5, 1.0]
    """
    _check_arguments(architecture, splits, learning_rates, batch_size, epochs)
    _check_names(loss, reduction)
    cohort = Lockstep(
        architecture, splits, learning_rates, loss=loss, reduction=reduction, dtype=dtype
    )
    points = [point for point in evaluate_at if point > 0]
    recorder = _Recorder(cohort)
    with np.errstate(over="ignore", invalid="ignore"):
        if 0 in evaluate_at:
            recorder.record(examples=0)
        items = len(splits[0].train.inputs)
        for segment in segments(items, batch_size, epochs, points):
            cohort.run(segment, batch_size)
            if segment.evaluate:
                recorder.record(examples=segment.epoch * items + segment.stop)
    return Training(cohort.final_parameters(), recorder.curves(), cohort.diverged_at_update)


def evaluate(
    architecture: Architecture,
    parameters: Annotated[Array, "seed setting parameter"],
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
) -> tuple[Annotated[Array, "seed setting"], Annotated[Array, "seed setting"]]:
    """Return mean loss and accuracy of networks, each seed's on its own examples.

    Args:
        architecture: The network of every lane.
        parameters: Weights, as in `Training.parameters`.
        examples: One set per seed, all of the same shapes.
        loss: Name in `LOSSES`.

    Returns:
        Mean loss and share classified right, in float64; NaN where parameters are not finite.
    """
    passes = Backprop(architecture, LOSSES[loss], parameters.shape[:2], parameters.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return _evaluate(
            passes, architecture.layers(parameters), _stack(examples, parameters.dtype)
        )


class _Stack:
    """Examples of all seeds with the bias unit's 1 in front, as arrays with lane axes."""

    def __init__(self, inputs: Array, targets: Array) -> None:
        self.inputs = inputs  # (seed, 1, item, fan_in)
        self.targets = targets  # (seed, 1, item, fan_out)
        self.items = inputs.shape[2]


def _stack(examples: Sequence[Examples], dtype: npt.DTypeLike) -> _Stack:
    items, features = examples[0].inputs.shape
    inputs = np.ones((len(examples), 1, items, features + 1), dtype)
    targets = np.empty((len(examples), 1, *examples[0].targets.shape), dtype)
    for seed, part in enumerate(examples):
        inputs[seed, 0, :, 1:] = part.inputs
        targets[seed, 0] = part.targets
    return _Stack(inputs, targets)


def _evaluate(passes: Backprop, W: Sequence[Array], data: _Stack) -> tuple[Array, Array]:
    # Sums are taken over one contiguous float64 row per lane: their order, and so their bits, can't
    # depend on the number of lanes.
    losses = np.empty((*W[0].shape[:2], data.items))
    right = np.empty_like(losses)
    for start in range(0, data.items, ROWS):
        rows = slice(start, start + ROWS)
        t = data.targets[:, :, rows]
        losses[..., rows], psi = passes.loss(W, data.inputs[:, :, rows], t)
        right[..., rows] = psi.argmax(axis=-1) == t.argmax(axis=-1)
    means = losses.mean(axis=-1)
    return means, np.where(np.isfinite(means), right.mean(axis=-1), np.nan)


class Lockstep:
    """The networks of a cohort, trained in lockstep, and the updates that change them.

    Args:
        architecture: The network of every lane.
        splits: One per seed, all of the same shapes.
        learning_rates: One per setting.
        loss: Name in `LOSSES`.
        reduction: Name in `REDUCTIONS`.
        dtype: float32 or float64.

    Attributes:
        parameters: The networks' weights; zeros for lanes that diverged.
        updates: Updates made so far.
        diverged_at_update: As in `Training`.
    """

    def __init__(
        self,
        architecture: Architecture,
        splits: Sequence[Split],
        learning_rates: Sequence[float],
        *,
        loss: str = "squared_error",
        reduction: str = "mean",
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.lanes = (len(splits), len(learning_rates))
        self.train = _stack([split.train for split in splits], dtype)
        self.held_out = _stack([split.held_out for split in splits], dtype)
        self.passes = Backprop(architecture, LOSSES[loss], self.lanes, dtype)
        self.diverged_at_update = np.zeros(self.lanes, np.int64)
        self.updates = 0
        self._seeds = [split.seed for split in splits]
        self._reduction = REDUCTIONS[reduction]
        self._rates = np.tile(np.asarray(learning_rates, dtype), (len(splits), 1))
        self.parameters = np.empty((*self.lanes, architecture.parameter_count), dtype)
        for seed, lane_parameters in zip(self._seeds, self.parameters, strict=True):
            lane_parameters[:] = initial_parameters(architecture, seed, dtype)
        self.W = architecture.layers(self.parameters)
        self._before = np.empty_like(self.parameters)
        self._step = np.empty_like(self.parameters)
        self._epoch = -1
        self._orders: list[IntArray] = []
        self._phi = np.empty_like(self.train.inputs)
        self._t = np.empty_like(self.train.targets)

    def final_parameters(self) -> Annotated[Array, "seed setting parameter"]:
        """Return a copy of the weights, NaN for lanes that diverged."""
        final = self.parameters.copy()
        final[self.diverged_at_update > 0] = np.nan
        return final

    def run(self, segment: Segment, batch_size: int) -> None:
        """Make the segment's updates and date every lane that diverges in them.

        Args:
            segment: Batches of one epoch.
            batch_size: Examples of every batch but a ragged last one.
        """
        self._arrange(segment)
        np.copyto(self._before, self.parameters)
        first = self.updates
        self._make_updates(segment, batch_size, dating=False)
        if not np.isfinite(self.parameters).all():
            np.copyto(self.parameters, self._before)
            self.updates = first
            self._make_updates(segment, batch_size, dating=True)

    def _arrange(self, segment: Segment) -> None:
        # Batches are slices of a copy in the epoch's order: updates gather nothing.
        if segment.epoch != self._epoch:
            self._epoch = segment.epoch
            self._orders = [
                epoch_order(seed, self._epoch, self.train.items) for seed in self._seeds
            ]
        rows = slice(0, segment.stop - segment.start)
        for seed, order in enumerate(self._orders):
            chosen = order[segment.start : segment.stop]
            for data, arranged in ((self.train.inputs, self._phi), (self.train.targets, self._t)):
                # mode="clip" writes straight into `out`; every index is in range.
                np.take(data[seed, 0], chosen, axis=0, out=arranged[seed, 0, rows], mode="clip")

    def _make_updates(self, segment: Segment, batch_size: int, *, dating: bool) -> None:
        for start in range(0, segment.stop - segment.start, batch_size):
            stop = min(start + batch_size, segment.stop - segment.start)
            self._update(slice(start, stop), stop - start)
            self.updates += 1
            if dating:
                self._freeze(np.logical_not(np.isfinite(self.parameters).all(axis=-1)))

    def _update(self, rows: slice, items: int) -> None:
        # With eta folded into delta, the product phi . delta already is the step.
        weight = self._rates * self._rates.dtype.type(self._reduction(items))
        self.passes.gradient(
            self.W, self._phi[:, :, rows], self._t[:, :, rows], weight=weight, out=self._step
        )
        np.subtract(self.parameters, self._step, out=self.parameters)

    def _freeze(self, diverged: BoolArray) -> None:
        # Zero weights and a zero rate keep the lane finite and still, so that it costs its
        # neighbours nothing; what it was worth is told by `diverged_at_update`.
        self.diverged_at_update[diverged] = self.updates
        self.parameters[diverged] = 0
        self._rates[diverged] = 0


class _Recorder:
    """Collects evaluations of a cohort."""

    def __init__(self, cohort: Lockstep) -> None:
        self._cohort = cohort
        self._counts: list[tuple[int, int]] = []
        self._values: list[list[Array]] = []

    def record(self, *, examples: int) -> None:
        cohort = self._cohort
        values = [
            value
            for data in (cohort.train, cohort.held_out)
            for value in _evaluate(cohort.passes, cohort.W, data)
        ]
        for value in values:
            value[cohort.diverged_at_update > 0] = np.nan
        self._counts.append((examples, cohort.updates))
        self._values.append(values)

    def curves(self) -> Curves:
        counts = np.array(self._counts, np.int64).reshape(-1, 2)
        values = np.array(self._values).reshape(-1, 4, *self._cohort.lanes)
        return Curves(counts[:, 0], counts[:, 1], *np.moveaxis(values, 1, 0))


def _check_arguments(
    architecture: Architecture,
    splits: Sequence[Split],
    learning_rates: Sequence[float],
    batch_size: int,
    epochs: int,
) -> None:
    if not splits or not learning_rates:
        raise ValueError("`splits` and `learning_rates` must not be empty.")
    shapes = {
        tuple(part.shape for part in (s.train.inputs, s.train.targets, s.held_out.inputs))
        for s in splits
    }
    if len(shapes) > 1:
        raise ValueError(f"`splits` must all have the same shapes, but have {sorted(shapes)}.")
    items, features = splits[0].train.inputs.shape
    outputs = splits[0].train.targets.shape[1]
    if (architecture.widths[0], architecture.widths[-1]) != (features, outputs):
        raise ValueError(
            f"`architecture` must have {features} inputs and {outputs} outputs, "
            f"but is {architecture}."
        )
    if min(learning_rates) <= 0 or not np.isfinite(learning_rates).all():
        raise ValueError(f"`learning_rates` must be finite and above 0, but are {learning_rates}.")
    if not 1 <= batch_size <= items:
        raise ValueError(f"`1 <= batch_size <= {items}` must hold, but got {batch_size=}.")
    if epochs < 1:
        raise ValueError(f"`epochs >= 1` must hold, but got {epochs=}.")


def _check_names(loss: str, reduction: str) -> None:
    for name, value, table in (
        ("loss", loss, LOSSES),
        ("reduction", reduction, REDUCTIONS),
    ):
        if value not in table:
            raise ValueError(f"`{name}` must be one of {sorted(table)}, but got {value!r}.")
