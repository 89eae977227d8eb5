"""Training a cohort: budget, evaluation along the way, early stopping, interruption."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from bpengine.diagnostics.gradient_noise import (
    GradientStatistics,
    curvature_statistics,
    gradient_statistics,
    preconditioned_statistics,
)
from bpengine.network import (
    LOSSES,
    METRICS,
    Architecture,
    Array,
    Examples,
    IntArray,
    Parameters,
    PerLane,
    Split,
    Stack,
    permutation,
    stack,
)
from bpengine.passes import Backprop, slices_of
from bpengine.passes.compiled import default_numerics
from bpengine.training.lockstep import Lockstep
from bpengine.training.minibatches import Segment, segments
from bpengine.training.recipe import Recipe

_COLUMNS = 10
"""Numbers of an evaluation: the fields of `Curves` that have lanes."""

MOST_OUTPUTS = 2**22
"""Outputs of an evaluation, over lanes and examples, that are held at once, or those of a lane."""

_PROGRESS = ("seconds", "_seen", "_kept", "_largest_loss", "_best", "_since_best")
"""Attributes of a trainer that change in training: arrays with lanes."""


@dataclass(frozen=True)
class Curves:
    """Evaluations along training; a lane that diverged or was stopped before a point holds NaN.

    Attributes:
        examples: Examples each lane that is still in training had processed.
        updates: Updates it had made.
        train_loss: Mean loss over the training examples.
        train_metric: Metric over the training examples.
        held_out_loss: Mean loss over the held-out examples.
        held_out_metric: Metric over the held-out examples.
        gradient_trace: Estimate of tr(Sigma) over the training examples; NaN unless the recipe asks
            for gradient statistics.
        gradient_squared_norm: Estimate of `|G|^2`, or NaN as well. The noise scale is a ratio of
            averages over seeds or points, never an average of ratios.
        curvature_trace: Estimate of tr(H Sigma), H being the Hessian of the mean training loss; NaN
            unless the recipe asks for it.
        gradient_curvature: Estimate of G'HG, or NaN as well.
        geometry_trace: Estimate of tr(P Sigma), `P` being what the optimizer scales gradients by;
            NaN unless the recipe asks for it, and before the first update.
        geometry_squared_norm: Estimate of G'PG, or NaN as well.
    """

    examples: Annotated[IntArray, "point"]
    updates: Annotated[IntArray, "point"]
    train_loss: Annotated[Array, "point seed setting"]
    train_metric: Annotated[Array, "point seed setting"]
    held_out_loss: Annotated[Array, "point seed setting"]
    held_out_metric: Annotated[Array, "point seed setting"]
    gradient_trace: Annotated[Array, "point seed setting"]
    gradient_squared_norm: Annotated[Array, "point seed setting"]
    curvature_trace: Annotated[Array, "point seed setting"]
    gradient_curvature: Annotated[Array, "point seed setting"]
    geometry_trace: Annotated[Array, "point seed setting"]
    geometry_squared_norm: Annotated[Array, "point seed setting"]


@dataclass(frozen=True)
class Training:
    """What training a cohort gave: of each lane up to its own end, whatever the others did.

    Attributes:
        parameters: The networks' weights at the end or, under a recipe with patience, at the
            evaluation with the lowest held-out loss; NaN for lanes that diverged.
        curves: Evaluations along training.
        updates: Updates made.
        examples: Examples processed.
        seconds: Wall time spent on the cohort by then, restored states included.
        diverged_at_update: First update, counted from 1, after which a lane's weights were not
            finite, or the update at whose evaluation its loss was too large (`Recipe.divergence`);
            -1 for lanes that did not diverge.
        stopped_at_update: Update after which a lane reached its target or lost patience; -1 for
            lanes that did not.
    """

    parameters: Parameters
    curves: Curves
    updates: Annotated[IntArray, "seed setting"]
    examples: Annotated[IntArray, "seed setting"]
    seconds: PerLane
    diverged_at_update: Annotated[IntArray, "seed setting"]
    stopped_at_update: Annotated[IntArray, "seed setting"]


class Trainer:
    """A cohort in training, which can be cut anywhere and continued to the same bits.

    Arguments and errors are those of `train`.

    Attributes:
        networks: The networks.
        examples: Examples that lanes still in training have processed.
        seconds: Wall time spent on the cohort until each lane's end, restored states included.
    """

    def __init__(
        self,
        architecture: Architecture,
        splits: Sequence[Split],
        settings: Sequence[Mapping[str, float]],
        recipe: Recipe,
    ) -> None:
        _check(architecture, splits, recipe)
        self._recipe = recipe
        self.networks = Lockstep(architecture, splits, settings, recipe)
        self._architecture = architecture
        self._held_out = stack([split.held_out for split in splits], recipe.dtype)
        self._splits = splits
        self._start = self.examples = 0
        self._counts: list[tuple[int, int]] = []
        self._values: list[Array] = []
        lanes = self.networks.diverged_at_update.shape
        self.seconds = np.zeros(lanes)
        self._seen = np.zeros(lanes, np.int64)
        self._kept = np.zeros_like(self.networks.parameters)
        self._largest_loss = np.full(lanes, np.inf)
        self._best = np.full(lanes, np.inf)
        self._since_best = np.zeros(lanes, np.int64)

    def run(self, *, until_examples: int | None = None) -> None:
        """Train to the end of the budget, or to the first segment's end at or past a point.

        Args:
            until_examples: Where to cut, in examples; None to go to the end.
        """
        started = time.monotonic()
        deadline = started + (self._recipe.budget.seconds or float("inf"))
        before = self.seconds.max()
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if not self.examples and not self._counts:
                self._begin()
            for segment in self._segments():
                seen = segment.epoch * self.networks.train.examples + segment.stop
                if seen <= self.examples:
                    continue
                active = self.networks.active
                self._train(segment)
                late = time.monotonic() >= deadline
                if segment.evaluate or (late and self._recipe.evaluate_at):
                    self._evaluate()
                self.seconds[active] = before + time.monotonic() - started
                if late or not self.networks.active.any():
                    return
                if until_examples is not None and seen >= until_examples:
                    return

    def result(self) -> Training:
        """Return what training has given so far."""
        networks, (counts, values) = self.networks, self._evaluations()
        diverged, stopped = networks.diverged_at_update, networks.stopped_at_update
        has_best = (self._best < np.inf) & (self._recipe.patience is not None)
        parameters = np.where(
            ((stopped >= 0) | has_best)[..., None], self._kept, networks.parameters
        )
        parameters[diverged >= 0] = np.nan
        return Training(
            parameters,
            Curves(counts[:, 0], counts[:, 1], *np.moveaxis(values, 1, 0)),
            np.where(networks.active, networks.updates, np.maximum(diverged, stopped)),
            self._seen.copy(),
            self.seconds.copy(),
            diverged.copy(),
            stopped.copy(),
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return a copy of all that has changed so far: arrays by name, for `numpy.savez`."""
        counts, values = self._evaluations()
        return {
            **self.networks.state(),
            "examples": np.array(self.examples),
            "counts": counts,
            "values": values,
            **{name.lstrip("_"): getattr(self, name).copy() for name in _PROGRESS},
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` returned for a trainer with the same arguments."""
        self.networks.restore(state)
        self.examples = int(state["examples"])
        self._counts = [(int(examples), int(updates)) for examples, updates in state["counts"]]
        self._values = list(state["values"])
        for name in _PROGRESS:
            setattr(self, name, state[name.lstrip("_")].copy())

    def branch(self, settings: Sequence[Mapping[str, float]], **changes: Any) -> Trainer:  # noqa: ANN401
        """Return a trainer that goes on from this state with other settings and another recipe.

        Args:
            settings: As for `train`, one for each of this trainer's.
            **changes: What is another in the recipe, such as `batch_size` and `budget`. Updates
                of a budget are those of the branch, examples all since the beginning.
        """
        recipe = replace(self._recipe, **changes)
        branch = Trainer(self._architecture, self._splits, settings, recipe)
        branch.restore(self.state())
        branch._start = self.examples
        return branch

    def _evaluations(self) -> tuple[IntArray, Array]:
        counts = np.array(self._counts, np.int64).reshape(-1, 2)
        shape = (-1, _COLUMNS, *self.networks.diverged_at_update.shape)
        return counts, np.array(self._values).reshape(shape)

    def _segments(self) -> Iterator[Segment]:
        recipe = self._recipe
        return segments(
            self.networks.train.examples,
            recipe.batch_size_of,
            recipe.budget,
            [point for point in recipe.evaluate_at if point > self._start],
            together=recipe.local_updates,
            seen=self._start,
        )

    def _begin(self) -> None:
        loss, metric = self._loss_and_metric(self.networks.train)
        self._limit_loss(loss)
        if 0 in self._recipe.evaluate_at:
            self._evaluate(loss, metric)

    def _limit_loss(self, first: PerLane) -> None:
        of_constant = LOSSES[self._recipe.loss].of_constant
        constant = np.array([of_constant(targets[0]) for targets in self.networks.train.targets])
        # A first loss that is not finite is no reference, nor is one of 0.
        reference = np.maximum(np.where(np.isfinite(first), first, 0), constant[:, None])
        limit = self._recipe.divergence * reference
        largest = np.finfo(limit.dtype).max
        self._largest_loss = np.where(limit > 0, np.minimum(limit, largest), largest)

    def _train(self, segment: Segment) -> None:
        networks, active = self.networks, self.networks.active
        first, start = networks.updates, segment.epoch * networks.train.examples
        networks.run(segment)
        self.examples = start + segment.stop
        made = np.where(networks.active, np.inf, networks.diverged_at_update - first)
        seen = start + np.minimum(segment.start + made * segment.batch_size, segment.stop)
        self._seen[active] = seen[active]

    def _loss_and_metric(self, data: Stack) -> tuple[PerLane, PerLane]:
        return _evaluate(self.networks.passes, self.networks.parameters, data, self._recipe.metric)

    def _evaluate(self, *on_train: PerLane) -> None:
        networks = self.networks
        on_train = on_train or self._loss_and_metric(networks.train)
        on_held_out = self._loss_and_metric(self._held_out)
        values = np.array([*on_train, *on_held_out, *self._gradient_statistics()])
        too_large = np.logical_not(values[[0, 2]] <= self._largest_loss)
        networks.give_up(np.logical_or.reduce(too_large))
        values[:, np.logical_not(networks.active)] = np.nan
        self._counts.append((self.examples, networks.updates))
        self._values.append(values)
        self._stop_early(values[0], values[2], values[3])

    def _gradient_statistics(self) -> list[Array]:
        recipe, unknown = self._recipe, np.full(self.networks.diverged_at_update.shape, np.nan)
        if not recipe.noise_examples:
            return [unknown] * 6
        network = (self._architecture, self.networks.parameters)
        examples, population = self._drawn("gradient noise"), self.networks.train.examples
        gradient = gradient_statistics(
            *network, examples, loss=recipe.loss, population=population, numerics=recipe.numerics
        )
        curvature = geometry = GradientStatistics(unknown, unknown, 0)
        if recipe.noise_curvature:
            others = self._drawn("noise curvature")
            curvature = curvature_statistics(
                *network, examples, others, loss=recipe.loss, population=population
            )
        if recipe.noise_geometry:
            P = self.networks.preconditioner()
            geometry = preconditioned_statistics(
                *network, examples, P, loss=recipe.loss, population=population
            ).total()
        pairs = (gradient, curvature, geometry)
        return [each for pair in pairs for each in (pair.trace, pair.squared_norm)]

    def _drawn(self, purpose: str) -> list[Examples]:
        """Return noise examples of each seed, drawn anew at each evaluation."""
        drawn, part = [], len(self._counts)
        for split in self._splits:
            rows = permutation(split.seed, purpose, len(split.train.inputs), part=part)
            chosen = rows[: self._recipe.noise_examples]
            drawn.append(Examples(split.train.inputs[chosen], split.train.targets[chosen]))
        return drawn

    def _stop_early(self, train_loss: Array, held_out_loss: Array, held_out_metric: Array) -> None:
        target, patience, stops = self._recipe.target, self._recipe.patience, np.array(False)
        better = held_out_loss < self._best
        self._best = np.where(better, held_out_loss, self._best)
        self._since_best = np.where(better, 0, self._since_best + 1)
        if target is not None:
            stops = held_out_metric >= target
        if self._recipe.stop_loss is not None:
            stops = stops | (train_loss <= self._recipe.stop_loss)
        if patience is not None:
            stops = stops | (self._since_best >= patience)
        keeps = better if patience is not None else stops & self.networks.active
        self._kept[keeps] = self.networks.parameters[keeps]
        self.networks.stop(stops)


def train(
    architecture: Architecture,
    splits: Sequence[Split],
    settings: Sequence[Mapping[str, float]],
    recipe: Recipe,
) -> Training:
    """Train every seed with every setting, in lockstep.

    `W := W - eta dE/dW` (paper, section 2.4), or what another optimizer makes of the gradient. A
    lane's result has the same bits whatever seeds and settings are trained next to it, given one
    BLAS thread.

    Args:
        architecture: The network of every lane.
        splits: One per seed, all of the same shapes.
        settings: Hyperparameters of each setting: `learning_rate`, and any of the optimizer's.
        recipe: What all lanes share.

    Returns:
        Weights, curves, divergences and early stops.

    Raises:
        ValueError: The arguments don't go together; the message says which and how.

    Example:
        >>> from bpengine import Budget
        >>> rng = np.random.default_rng(0)
        >>> inputs = rng.normal(size=(64, 2))
        >>> data = Examples(inputs, np.eye(2)[(inputs[:, 0] > 0).astype(int)])
        >>> trained = train(
        ...     Architecture((2, 4, 2)),
        ...     [Split(data, data, seed=1)],
        ...     [{"learning_rate": 0.01}, {"learning_rate": 3.0}],
        ...     Recipe(batch_size=8, budget=Budget(epochs=20), evaluate_at=(1280,)),
        ... )
        >>> trained.curves.train_metric[-1, 0].round(1).tolist()
        [0.5, 1.0]
    """
    trainer = Trainer(architecture, splits, settings, recipe)
    trainer.run()
    return trainer.result()


def evaluate(
    architecture: Architecture,
    parameters: Parameters,
    examples: Sequence[Examples],
    *,
    loss: str = "squared_error",
    metric: str = "accuracy",
    numerics: str = "",
) -> tuple[PerLane, PerLane]:
    """Return mean loss and metric of networks, each seed's on its own examples.

    Args:
        architecture: The network of every lane.
        parameters: Weights, as in `Training.parameters`.
        examples: One set per seed, all of the same shapes.
        loss: Name in `LOSSES`.
        metric: Name in `METRICS`.
        numerics: As in a `Recipe`.

    Returns:
        Mean loss and metric, in float64; NaN where parameters are not finite.
    """
    parameters = np.ascontiguousarray(parameters)
    dtype = parameters.dtype
    passes = Backprop(architecture, loss, dtype, numerics or default_numerics())
    with np.errstate(over="ignore", invalid="ignore"):
        return _evaluate(passes, parameters, stack(examples, dtype), metric)


def _evaluate(
    passes: Backprop, parameters: Parameters, data: Stack, metric: str
) -> tuple[PerLane, PerLane]:
    means, values = np.empty((2, *parameters.shape[:2]))
    together = max(1, MOST_OUTPUTS // data.targets[0].size)
    for seed, first in np.ndindex(len(parameters), -(-parameters.shape[1] // together)):
        seeds = slice(seed, seed + 1)
        lanes = seeds, slice(first * together, (first + 1) * together)
        of_seed = Stack(data.inputs[seeds], data.targets[seeds])
        means[lanes], values[lanes] = _evaluate_some(passes, parameters[lanes], of_seed, metric)
    return means, values


def _evaluate_some(
    passes: Backprop, parameters: Parameters, data: Stack, metric: str
) -> tuple[PerLane, PerLane]:
    # Sums are taken over one contiguous float64 row per lane: their order, and so their bits, can't
    # depend on the number of lanes.
    score, summary = METRICS[metric]
    if passes.kernel:
        losses, psi = passes.kernel.losses(parameters, data)
        scores = np.asarray(score(psi, data.targets), np.float64)
    else:
        losses, scores = np.empty((*parameters.shape[:2], data.examples)), np.empty(0)
        W = passes.architecture.layers(parameters)
        for rows, phi, t in slices_of(data):
            losses[..., rows], psi = passes.loss(W, phi, t)
            part = score(psi, t)
            scores = scores if scores.size else np.empty((*part.shape[:-1], data.examples))
            scores[..., rows] = part
    means = losses.mean(axis=-1)
    return means, np.where(np.isfinite(means), summary(scores, data.targets), np.nan)


def _check(architecture: Architecture, splits: Sequence[Split], recipe: Recipe) -> None:
    if not splits:
        raise ValueError("`splits` must not be empty.")
    shapes = {
        tuple(
            array.shape
            for examples in (split.train, split.held_out)
            for array in (examples.inputs, examples.targets)
        )
        for split in splits
    }
    if len(shapes) > 1:
        raise ValueError(f"`splits` must all have the same shapes, but have {sorted(shapes)}.")
    count = len(splits[0].train.inputs)
    for examples in (splits[0].train, splits[0].held_out):
        features, outputs = examples.inputs.shape[1], examples.targets.shape[1]
        if (architecture.widths[0], architecture.widths[-1]) != (features, outputs):
            raise ValueError(
                f"`architecture` must have {features} inputs and {outputs} outputs, "
                f"but is {architecture}."
            )
    if recipe.noise_examples > count:
        raise ValueError(
            f"`noise_examples` must be at most the {count} training examples, "
            f"but is {recipe.noise_examples}."
        )
    largest = max(recipe.batch_size, recipe.growth.limit if recipe.growth else 0)
    if largest > count:
        raise ValueError(
            f"A batch must hold at most the {count} training examples, but would hold {largest}."
        )
