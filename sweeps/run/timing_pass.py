"""The benchmark of a study: what is measured, and on which data."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bpengine import Examples, Split
from reports.schema import ONE_PIECE, PER_ITEM, TENSOR
from sweeps.data import prepare
from sweeps.data.facts import sessions_of
from sweeps.data.registry import load
from sweeps.design import Cohort, TrainerConfiguration, Trial, plan
from sweeps.design.experiment import Experiment
from sweeps.design.families import Group
from sweeps.errors import EnvironmentFailedError, tell
from sweeps.machine import load_average
from sweeps.run._progress import MEASURING, progress, step_title
from sweeps.store import Store
from sweeps.worker.isolated import perform_apart
from sweeps.worker.measure import (
    LEAST_SECONDS,
    MOST_EXAMPLES,
    ROUNDS,
    Measurement,
    Round,
    TrainerWorkload,
    Workload,
    time_updates,
    workload_of,
)
from sweeps.worker.tasks import Task, received
from sweeps.worker.time_trainer import TRAINER_ROUNDS, TrainerTimes, time_trainer
from sweeps.worker.train import one_blas_thread
from sweeps.worker.workspace import Workspace

Planned = dict[Workload | TrainerWorkload, tuple[Group, list[Measurement]]]


def measurements_of(experiment: Experiment) -> Planned:
    """Return what a study's benchmark measures, by workload, on the data of its largest group."""
    workloads: dict[Workload | TrainerWorkload, tuple[Group, dict[object, Measurement]]] = {}
    # A batch that one group tries may be larger than another's training set.
    for group in sorted(experiment.groups, key=lambda group: -group.family.facts.train_items):
        workload = workload_of(group)
        _, measurements = workloads.setdefault(workload, (group, {}))
        for size in group.grid:
            for measurement in _measurements(experiment, group, workload, size):
                measurements.setdefault(measurement.key, measurement)
    return {
        workload: (group, [*by_key.values()]) for workload, (group, by_key) in workloads.items()
    }


def _measurements(
    experiment: Experiment, group: Group, workload: Workload | TrainerWorkload, size: int
) -> Iterable[Measurement]:
    specification = experiment.specification
    seeds = specification.seeds if specification.explore else specification.confirmation_seeds
    if isinstance(workload, TrainerWorkload):
        (trial,) = group.family.trials(size, group.grid[size][0], seeds[:1])
        yield Measurement(workload, TENSOR, (trial.seed,), (trial.settings,), size)
        return
    trials = [
        trial for rate in group.grid[size] for trial in group.family.trials(size, rate, seeds)
    ]
    full = max(plan(trials, jobs=1), key=lambda cohort: len(cohort.trials))
    single = Measurement(workload, TENSOR, full.seeds[:1], full.settings[:1], size)
    yield single
    if len(full.trials) > 1:
        yield Measurement(workload, TENSOR, full.seeds, full.settings, size)
    if workload.is_split:
        yield Measurement(workload, ONE_PIECE, single.seeds, single.settings, size)
    if workload.has_reference:
        yield Measurement(workload, PER_ITEM, single.seeds, single.settings, size)


def run_timing(store: Store, experiment: Experiment, *, anew: bool = False) -> None:
    """Measure and store what has not been measured yet, or everything `anew`."""
    # The batch sizes of a workload are to be compared, so they are measured together.
    timed = set() if anew else store.timed()
    missing = [
        (group, measurements)
        for group, measurements in measurements_of(experiment).values()
        if not timed >= {measurement.key for measurement in measurements}
    ]
    rounds_each = TRAINER_ROUNDS if experiment.specification.trainer else ROUNDS
    count = rounds_each * sum(len(measurements) for _, measurements in missing)
    if not count:
        return
    load_before = load_average()
    title = step_title(experiment.specification) if not anew else MEASURING
    with one_blas_thread(), progress(title, [LEAST_SECONDS] * count, count) as advance:
        for group, measurements in missing:
            rounds = []
            for measured in _rounds(group, measurements):
                rounds.append(measured)
                advance([LEAST_SECONDS], 1)
            store.take_timing([asdict(measured) for measured in rounds])
            store.checkpoint()
    load = {"load average around timing": f"{load_before} before, {load_average()} after"}
    recorded = sessions_of(store.facts()).provenance | load
    store.set_facts({"provenance": json.dumps(recorded)})


def _rounds(group: Group, measurements: Sequence[Measurement]) -> Iterable[Round]:
    if not isinstance(group.family.shared, TrainerConfiguration):
        largest = max(measurement.batch_size for measurement in measurements)
        return time_updates(measurements, splits_of(group, largest))
    try:
        return times_of_trainer(group, measurements, TRAINER_ROUNDS).rounds
    except EnvironmentFailedError as error:
        tell(f"note: {error}")
        return []


def times_of_trainer(
    group: Group, measurements: Sequence[Measurement], rounds: int
) -> TrainerTimes:
    """Have a trainer timed in a process of its own, which it may end."""
    trials = [
        Trial(group.family.configuration(each.batch_size), each.settings[0], each.seeds[0])
        for each in measurements
    ]
    work = functools.partial(time_trainer, measurements[0].workload.identity, trials, rounds)
    cohort = Cohort(trials[0].configuration, measurements[0].seeds, measurements[0].settings)
    task = Task(0, cohort, Workspace(Path(os.devnull)))
    report: Any = received(perform_apart(work, task), task)
    if isinstance(report, TrainerTimes):
        return report
    error = report[0].error if isinstance(report, list) else report.how
    reason = error.strip().rpartition("\n")[2]
    name = trials[0].configuration.source.name
    raise EnvironmentFailedError(f"{name} can't be timed: {reason}")


def splits_of(group: Group, largest: int) -> Callable[[int], Split]:
    """Return what gives the examples of a seed, no more than measurements work on."""
    facts, count = group.family.facts, max(MOST_EXAMPLES, largest)
    dataset = load(facts.source)

    @functools.cache
    def split_of(seed: int) -> Split:
        # All measurements of a workload are held at once: no more examples than they work on.
        split, _ = prepare(dataset, facts.preparation, seed)
        return replace(split, train=_first(split.train, count), held_out=_first(split.held_out, 1))

    return split_of


def _first(examples: Examples, count: int) -> Examples:
    return Examples(examples.inputs[:count].copy(), examples.targets[:count].copy())
