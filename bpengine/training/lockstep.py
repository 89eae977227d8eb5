"""A cohort of networks in lockstep: their weights and the updates that change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from bpengine.network import (
    REDUCTIONS,
    Architecture,
    Array,
    BoolArray,
    IntArray,
    Parameters,
    Split,
    Stack,
    initial_parameters,
    stack,
    with_slack,
)
from bpengine.optim import Stepper
from bpengine.passes import Backprop, shard_slices
from bpengine.passes.compiled import Kernel
from bpengine.training.minibatches import Segment, batches, epoch_order, updates_per_epoch
from bpengine.training.recipe import Recipe


class Lockstep:
    """The networks of a cohort and the updates that change them; arguments as for `train`.

    `parameters` are zeros for lanes that have ended: those given up or not finite any more, whose
    update is in `diverged_at_update`, and those stopped, in `stopped_at_update`; -1 for the others.
    `at_once` is how many examples the compiled kernel takes together, 0 for as many as is best.
    """

    def __init__(
        self,
        architecture: Architecture,
        splits: Sequence[Split],
        settings: Sequence[Mapping[str, float]],
        recipe: Recipe,
        *,
        at_once: int = 0,
    ) -> None:
        lanes, dtype = (len(splits), len(settings)), recipe.dtype
        self.recipe = recipe
        self._at_once = at_once
        self.train = stack([split.train for split in splits], dtype)
        self.passes = Backprop(architecture, recipe.loss, dtype, recipe.numerics)
        self.parameters = np.empty((*lanes, architecture.parameter_count), dtype)
        self._seeds = [split.seed for split in splits]
        for seed, lane_parameters in zip(self._seeds, self.parameters, strict=True):
            lane_parameters[:] = initial_parameters(
                architecture,
                seed,
                dtype,
                initialiser=recipe.initialiser,
                scale=recipe.initial_scale,
            )
        self.W = architecture.layers(self.parameters)
        self.diverged_at_update = np.full(lanes, -1)
        self.stopped_at_update = np.full(lanes, -1)
        self._workers = recipe.shards if recipe.local_updates > 1 else 1
        self._steppers = [
            Stepper(recipe.optimizer, settings, architecture, self.parameters)
            for _ in range(self._workers)
        ]
        self._evolving = {
            "parameters": self.parameters,
            "diverged_at_update": self.diverged_at_update,
            "stopped_at_update": self.stopped_at_update,
        }
        for worker, stepper in enumerate(self._steppers):
            for slot, array in enumerate(stepper.slots):
                self._evolving[f"slot_{worker}_{slot}"] = array
        self._inputs, self._targets = (
            data.reshape(-1, data.shape[-1]) for data in (self.train.inputs, self.train.targets)
        )
        self._epoch = -1
        self._order: IntArray = np.empty((len(splits), 0), np.int64)
        self._total = self._count_total()

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self._steppers[0].update

    @property
    def active(self) -> BoolArray:
        """Whether a lane still learns: it neither diverged nor was stopped."""
        return (self.diverged_at_update < 0) & (self.stopped_at_update < 0)

    def preconditioner(self) -> Parameters:
        """Return what the optimizer scales each parameter's gradient by, the mean over copies."""
        return np.mean([stepper.preconditioner() for stepper in self._steppers], axis=0)

    def stop(self, lanes: BoolArray) -> None:
        """End the training of lanes, whose weights become 0."""
        lanes = lanes & self.active
        self.stopped_at_update[lanes] = self.updates
        self._halt(lanes)

    def give_up(self, lanes: Annotated[BoolArray, "seed setting"]) -> None:
        """End the training of lanes as diverged, whose weights become 0."""
        self._freeze(lanes & self.active, self.updates)

    def run(self, segment: Segment) -> None:
        """Make the segment's updates and date every lane that diverges in them."""
        self._enter(segment.epoch)
        if self._workers > 1:
            self._train_copies(segment)
            return
        first = self.updates
        start, stop = segment.start, segment.stop
        diverged_in = self._train(self._steppers[0], start, stop, segment.batch_size)
        self._freeze(diverged_in > 0, first + diverged_in)

    def state(self) -> dict[str, np.ndarray]:
        """Return a copy of all that changes in training, by name."""
        copies = {name: array.copy() for name, array in self._evolving.items()}
        return {**copies, "updates": np.array(self.updates)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a `state`, to the same bits as if training had never been cut."""
        _copy(state, self._evolving)
        for stepper in self._steppers:
            stepper.update = int(state["updates"])
        self._halt(~self.active)

    def _halt(self, lanes: BoolArray) -> None:
        # With zero weights a lane is finite, and can't diverge any more.
        self.parameters[lanes] = 0

    def _enter(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._epoch = epoch
            examples = self.train.examples
            self._order = np.stack(
                [
                    number * examples + epoch_order(seed, epoch, examples)
                    for number, seed in enumerate(self._seeds)
                ]
            )

    def _train_copies(self, segment: Segment) -> None:
        step = segment.batch_size * self.recipe.local_updates
        for start in range(segment.start, segment.stop, step):
            self._train_shards(start, min(start + step, segment.stop), segment.batch_size)
            self._freeze(np.logical_not(self._are_finite()), self.updates)

    def _train_shards(self, start: int, stop: int, batch_size: int) -> None:
        """Train every worker on its shard of each batch, then average the weights by examples."""
        # Local SGD (Stich 2019): the other reading of the paper's section 3.
        before = self.parameters.copy()
        combined = np.zeros_like(before)
        first = self.updates
        batches_at = range(start, stop, batch_size)
        for worker, stepper in enumerate(self._steppers):
            np.copyto(self.parameters, before)
            stepper.update = first
            seen = 0
            for at in batches_at:
                shards = shard_slices(min(batch_size, stop - at), self._workers)
                for shard in shards[worker : worker + 1]:  # a small batch may have no such shard
                    rows = shard.stop - shard.start
                    self._train(stepper, at + shard.start, at + shard.stop, rows)
                    seen += rows
            combined += self.parameters * self.parameters.dtype.type(seen / (stop - start))
        for stepper in self._steppers:
            stepper.update = first + len(batches_at)
        np.copyto(self.parameters, combined)

    def _train(self, stepper: Stepper, start: int, stop: int, batch_size: int) -> IntArray:
        """Make the updates of some examples; return after which, from 1, lanes diverge, or 0."""
        chosen = self._order[:, None, start:stop]
        inputs, targets = (
            with_slack((*chosen.shape, data.shape[-1]), data.dtype)
            for data in (self._inputs, self._targets)
        )
        # mode="clip" writes straight into `out`; every index is in range.
        np.take(self._inputs, chosen, axis=0, out=inputs, mode="clip")
        np.take(self._targets, chosen, axis=0, out=targets, mode="clip")
        data = Stack(inputs, targets)
        factors = self._factors(stepper.update, stop - start, batch_size)
        if self.passes.kernel:
            return self._train_compiled(self.passes.kernel, stepper, data, factors, batch_size)
        return self._train_in_numpy(stepper, data, factors, batch_size)

    def _train_compiled(
        self,
        kernel: Kernel,
        stepper: Stepper,
        data: Stack,
        factors: Annotated[Array, "update"],
        batch_size: int,
    ) -> IntArray:
        before = stepper.update
        return kernel.train(
            self.parameters,
            stepper.slots,
            self.active,
            data,
            optimizer=self.recipe.optimizer,
            settings=stepper.numbers,
            batch_size=batch_size,
            reduction=self.recipe.reduction,
            before=before,
            rates=stepper.prepared(factors),
            at_once=self._at_once,
        )

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _train_in_numpy(
        self,
        stepper: Stepper,
        data: Stack,
        factors: Annotated[Array, "update"],
        batch_size: int,
    ) -> IntArray:
        shards = self.recipe.shards if self._workers == 1 else 1
        ended = np.logical_not(self.active)
        diverged_in = np.zeros(ended.shape, np.int64)
        for number, factor in enumerate(factors):
            rows = slice(number * batch_size, (number + 1) * batch_size)
            phi, t = data.inputs[:, :, rows], data.targets[:, :, rows]
            weight = REDUCTIONS[self.recipe.reduction](phi.shape[2])
            gradient = self.passes.gradient(self.W, phi, t, weight=weight, shards=shards)
            stepper.step(gradient, factor, total_weight=weight * phi.shape[2])
            self._halt(ended)
            # Not finite once, a lane stays so; it does its neighbours no harm.
            diverged_in[(diverged_in == 0) & np.logical_not(self._are_finite())] = number + 1
        return diverged_in

    def _are_finite(self) -> BoolArray:
        return np.logical_and.reduce(np.isfinite(self.parameters), axis=-1)

    def _factors(self, first: int, examples: int, batch_size: int) -> Annotated[Array, "update"]:
        schedule, growth = self.recipe.schedule, self.recipe.growth
        updates = updates_per_epoch(examples, batch_size)
        grown = growth.rate_factor(self.recipe.batch_size, self._epoch) if growth else 1.0
        factors = np.full(updates, grown)
        if schedule.kind == "constant" and not schedule.warmup:
            return factors
        clock = (
            range(first, first + updates) if schedule.per == "update" else [self._epoch] * updates
        )
        return factors * [schedule.factor(at, self._total) for at in clock]

    def _count_total(self) -> int:
        if not self.recipe.needs_total:
            return 0
        epochs = list(batches(self.train.examples, self.recipe.batch_size_of, self.recipe.budget))
        if self.recipe.schedule.per == "epoch":
            return len(epochs)
        return sum(updates_per_epoch(len(visited), size) for _, size, visited in epochs)

    def _freeze(self, diverged: BoolArray, updates: IntArray | int) -> None:
        np.copyto(self.diverged_at_update, updates, where=diverged)
        self._halt(diverged)


def _copy(source: Mapping[str, np.ndarray], target: Mapping[str, np.ndarray]) -> None:
    for name, array in target.items():
        np.copyto(array, source[name])
