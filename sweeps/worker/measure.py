"""What an update costs, measured on a machine that does nothing else of ours.

Everything runs in one process with one BLAS thread, warmed up, batch sizes and engines in turns.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from bpengine import Architecture, Budget, Recipe, Split
from bpengine.network import initial_parameters
from bpengine.passes import sequential
from bpengine.passes.compiled import KERNEL
from bpengine.training import Lockstep
from bpengine.training.minibatches import segments
from reports.schema import ONE_PIECE, PER_ITEM, TENSOR
from sweeps.design import TrainerConfiguration, fields_from
from sweeps.design.families import Group
from sweeps.errors import counted, pairs_text

ROUNDS = 7
LEAST_SECONDS = 0.005

MOST_UPDATES = 1024  # updates made between two looks at the clock, at most, as in training
MOST_EXAMPLES = 4096  # examples they are made on, at most, unless a single batch is larger
MOST_ITEMS = 64  # the same for NumPy's reference, which takes as long for each as for the next
RATE = 1e-4
"""The time of an update does not depend on the learning rate, as long as nothing diverges."""


class _Identified:
    @property
    def identity(self) -> str:
        """Hash of all fields."""
        content = json.dumps(vars(self), sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TrainerWorkload(_Identified):
    """What the time of an update of a user's trainer depends on, besides the batch size."""

    trainer: str
    code: str  # its digest
    parameters: tuple[tuple[str, object], ...]

    @property
    def about(self) -> dict[str, Any]:
        """What it is, by name."""
        return {"trainer": self.trainer, **dict(self.parameters)}

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return ", ".join(filter(None, (self.trainer, pairs_text(dict(self.parameters)))))


@dataclass(frozen=True)
class Workload(_Identified):
    """What the time of an update depends on, besides batch size and lanes, as configured."""

    widths: tuple[int, ...]
    activation: str
    output: str
    loss: str
    reduction: str
    optimizer: str
    extras: tuple[str, ...]  # what else is done to a step: l2, weight_decay, clip_norm
    shards: int
    local_updates: int
    dtype: str
    numerics: str

    @property
    def about(self) -> dict[str, Any]:
        """What it is, by name."""
        shown = {name: getattr(self, name) for name in ("optimizer", "dtype", "shards")}
        return {"architecture": str(self.architecture)} | shown

    @property
    def title(self) -> str:
        """What it is, in a line."""
        shards = [counted(self.shards, "shard")] * (self.shards > 1)
        return ", ".join([str(self.architecture), self.optimizer, self.dtype, *shards])

    @property
    def architecture(self) -> Architecture:
        """The network."""
        return Architecture(self.widths, self.activation, self.output)

    @property
    def is_split(self) -> bool:
        """Whether a batch is split into shards whose gradients are added up at every update."""
        return self.shards > 1 and self.local_updates == 1

    @property
    def has_reference(self) -> bool:
        """Whether the per-item reference can do the same."""
        layers = {self.activation, self.output} if len(self.widths) > 2 else {self.output}  # noqa: PLR2004
        plain = (self.loss, self.optimizer, self.extras) == ("squared_error", "sgd", ())
        return plain and layers == {"sigmoid"} and self.local_updates == 1


def workload_of(group: Group) -> Workload | TrainerWorkload:
    """Return what the time of a group's updates depends on."""
    shared = group.family.shared
    if isinstance(shared, TrainerConfiguration):
        return TrainerWorkload(shared.trainer, shared.fingerprint, shared.parameters)
    hyperparameters = dict(group.family.hyperparameters)
    idle = {"l2": 0.0, "weight_decay": 0.0, "clip_norm": math.inf}
    extras = tuple(name for name, value in idle.items() if hyperparameters[name] != value)
    return Workload(**fields_from(Workload, shared), extras=extras)


@dataclass(frozen=True)
class Round:
    """One measurement: a row of the store's table `timing`."""

    workload: str  # identity of the workload
    engine: str
    lanes: int
    batch_size: int
    round: int
    updates: int
    wall_seconds: float
    cpu_seconds: float
    started: float  # seconds since 1970


@dataclass(frozen=True)
class Measurement:
    """Something to be timed, with a lane for each seed and setting of hyperparameters."""

    workload: Workload | TrainerWorkload
    engine: str
    seeds: tuple[int, ...]
    settings: tuple[tuple[tuple[str, float], ...], ...]
    batch_size: int

    @property
    def network(self) -> Workload:
        """The workload of bpsweep's own network; a trainer has none."""
        assert isinstance(self.workload, Workload)  # noqa: S101 - who asks knows
        return self.workload

    @property
    def lanes(self) -> int:
        """Networks that are updated at once."""
        return len(self.seeds) * len(self.settings)

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What names it in the store."""
        return self.workload.identity, self.engine, self.lanes, self.batch_size


def time_updates(
    measurements: Sequence[Measurement], splits: Callable[[int], Split], rounds: int | None = None
) -> Iterator[Round]:
    """Measure everything several times, in turn, on the examples that `splits` gives for a seed."""
    # Whole batches only: the ragged last one of an epoch is left out.
    makers = {TENSOR: _tensor, PER_ITEM: _per_item, ONE_PIECE: _one_piece}
    works = [(timed.key, makers[timed.engine](timed, splits)) for timed in measurements]
    for _, work in works:
        work()
    for number in range(rounds or ROUNDS):
        for key, work in works:
            yield Round(*key, number, *_measure(work))


def _measure(work: Callable[[], int]) -> tuple[int, float, float, float]:
    started = time.time()
    wall, cpu, updates, elapsed = time.perf_counter(), time.process_time(), 0, 0.0
    while elapsed < LEAST_SECONDS:
        updates += work()
        elapsed = time.perf_counter() - wall
    return updates, elapsed, time.process_time() - cpu, started


def _tensor(
    measurement: Measurement, splits: Callable[[int], Split], *, at_once: int = 0
) -> Callable[[], int]:
    budget, workload = Budget(epochs=1), measurement.network
    shared = fields_from(Recipe, workload)
    recipe = Recipe(batch_size=measurement.batch_size, budget=budget, **shared)
    data = [splits(seed) for seed in measurement.seeds]
    settings = [dict(setting) | {"learning_rate": RATE} for setting in measurement.settings]
    network = Lockstep(workload.architecture, data, settings, recipe, at_once=at_once)
    whole = _whole(data[0], measurement.batch_size, MOST_EXAMPLES)
    examples, together = whole * measurement.batch_size, recipe.local_updates
    parts = list(segments(examples, recipe.batch_size_of, budget, (), together=together))

    def work() -> int:
        for part in parts:
            network.run(part)
        return whole

    return work


def _one_piece(measurement: Measurement, splits: Callable[[int], Split]) -> Callable[[], int]:
    return _tensor(replace(measurement, workload=replace(measurement.network, shards=1)), splits)


def _whole(split: Split, batch_size: int, most_examples: int) -> int:
    most = max(1, most_examples // batch_size)
    return min(len(split.train.inputs) // batch_size, MOST_UPDATES, most)


def _per_item(measurement: Measurement, splits: Callable[[int], Split]) -> Callable[[], int]:
    # In the same language and precision as what it is compared with.
    workload, size = measurement.network, measurement.batch_size
    if workload.numerics == KERNEL:
        return _tensor(measurement, splits, at_once=1)
    split = splits(measurement.seeds[0])
    architecture, dtype = workload.architecture, workload.dtype
    W = architecture.layers(initial_parameters(architecture, split.seed, dtype))
    inputs, targets = (part.astype(dtype) for part in (split.train.inputs, split.train.targets))
    bounds = pairwise(range(0, _whole(split, size, MOST_ITEMS) * size + 1, size))
    batches = [(inputs[start:stop], targets[start:stop]) for start, stop in bounds]

    def work() -> int:
        sequential.train(W, batches, RATE, reduction=workload.reduction)
        return len(batches)

    return work
