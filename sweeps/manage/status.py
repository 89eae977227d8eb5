"""How far a study has come: counts, failures by cause, what is left, and who runs it now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from joblib import cpu_count

from reports.schema import CONFIRM, count_outcomes
from reports.schema.outcomes import Cause
from sweeps.data.facts import sessions_of
from sweeps.design import Planned, Trial, cohort_cost, plan
from sweeps.design.experiment import Experiment
from sweeps.errors import StoreError, counted
from sweeps.manage.forecast import provisional
from sweeps.run import measurements_of
from sweeps.store import Plan, Store, owner_of, read_experiment
from sweeps.store.lock import Owner
from sweeps.worker.train import CRASHED, DIVERGED, ERROR, OK, TIMEOUT

MISSING = "missing"  # stands for the status of a trial that is planned and has not ended

_ORDER = (OK, DIVERGED, ERROR, CRASHED, TIMEOUT, MISSING)


@dataclass(frozen=True)
class Count:
    """How many trials are of one kind."""

    group: str  # its label
    stage: str
    status: str  # or MISSING
    trials: int


@dataclass(frozen=True)
class Remaining:
    """What is left to run, as far as is known, and how long by what the finished trials cost."""

    trials: int  # without a result, or certain to be confirmed
    core_seconds: float
    seconds: float  # on all jobs
    jobs: int  # of the last session; all cores if there was none


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far a study has come; without what is planned where that isn't known."""

    name: str
    counts: tuple[Count, ...] = ()
    unplanned: int  # trials of the store that are not part of the study as it is now
    failures: tuple[Cause, ...] = ()  # the commonest first
    remaining: Remaining | None = None
    timing: str = ""  # measured, missing or off
    running: Owner | None
    damaged: int  # rows, which a run repeats
    sweep_seconds: float  # wall time spent on trials, over all sessions
    notes: tuple[str, ...] = ()  # what else a user should know, a sentence each


def status_of(folder: Path) -> Status:
    """Return how far a study has come."""
    running = owner_of(folder)
    with Store.read(folder) as store:
        facts, statuses = store.facts(), store.statuses()
        known = Status(
            name=facts.get("name", ""),
            unplanned=len(statuses),
            running=running,
            damaged=store.damaged(),
            sweep_seconds=sessions_of(facts).sweep_seconds,
        )
        try:
            experiment = read_experiment(store)
        except StoreError as error:
            return replace(known, notes=(str(error),))
        stages = Plan(store, experiment).stages()
        stages.setdefault(CONFIRM, provisional(experiment))
        planned = {trial.identity: trial for stage in stages.values() for _, trial in stage}
        failures = store.failures()
        return replace(
            known,
            counts=_counts(stages, statuses),
            unplanned=len(statuses.keys() - planned.keys()),
            failures=count_outcomes(failures[failures["trial"].isin(planned)]).causes,
            remaining=_remaining(store, planned),
            timing=_timing(store, experiment),
        )


def _counts(
    stages: Mapping[str, Sequence[Planned]], statuses: Mapping[str, str]
) -> tuple[Count, ...]:
    counts = Counter(
        (group, stage, statuses.get(trial.identity, MISSING))
        for stage, planned in stages.items()
        for group, trial in planned
    )
    places = {kind[:2]: -rank for rank, kind in enumerate(reversed(counts))}
    ordered = sorted(counts, key=lambda kind: (places[kind[:2]], _ORDER.index(kind[2])))
    return tuple(Count(*kind, counts[kind]) for kind in ordered)


def _remaining(store: Store, planned: Mapping[str, Trial]) -> Remaining:
    done, jobs = store.done(), sessions_of(store.facts()).jobs or cpu_count()
    missing = [trial for identity, trial in planned.items() if identity not in done]
    finished = [trial for identity, trial in planned.items() if identity in done]
    if not missing:
        return Remaining(0, 0.0, 0.0, jobs)
    costs = [*map(cohort_cost, plan(missing, jobs))]
    scale = _scale(store, finished, jobs)
    seconds = max(*costs, sum(costs) / jobs)
    return Remaining(len(missing), scale * sum(costs), scale * seconds, jobs)


def _scale(store: Store, finished: Sequence[Trial], jobs: int) -> float:
    """Return how many seconds finished trials took for each microsecond of predicted cost."""
    predicted = sum(map(cohort_cost, plan(finished, jobs)))
    took = store.train_seconds(trial.identity for trial in finished)
    return took / predicted if took else 1e-6


def _timing(store: Store, experiment: Experiment) -> str:
    if not experiment.specification.timing:
        return "off"
    wanted = {
        measurement.key
        for _, measurements in measurements_of(experiment).values()
        for measurement in measurements
    }
    return "measured" if store.timed() >= wanted else "missing"


def status_lines(status: Status) -> list[str]:
    """Return a status as lines for a terminal."""
    ended = sum(count.trials for count in status.counts if count.status != MISSING)
    planned = sum(count.trials for count in status.counts)
    lines = [f"{status.name}: {ended} of {planned} trials"]
    lines += [f"  {line}" for line in _stage_lines(status.counts)]
    lines += [f"  {cause.trials} {cause.words}: {cause.reason}" for cause in status.failures]
    lines += [f"  timing: {status.timing}"] if status.timing else []
    if status.unplanned:
        lines.append(f"  not part of the study as it is now: {counted(status.unplanned, 'trial')}")
    if status.damaged:
        lines.append(f"  damaged, to be run again: {counted(status.damaged, 'row')}")
    return [*lines, *_ahead(status), *status.notes]


def _stage_lines(counts: Sequence[Count]) -> list[str]:
    several = len({count.group for count in counts}) > 1
    lines: dict[str, list[str]] = {}
    for count in counts:
        name = f"{count.group}, {count.stage}" if several else count.stage
        lines.setdefault(name, []).append(f"{count.trials} {count.status}")
    return [f"{name}: {', '.join(texts)}" for name, texts in lines.items()]


def _ahead(status: Status) -> list[str]:
    lines = []
    if status.remaining and status.remaining.trials:
        left = status.remaining
        lines.append(
            f"  to run: {counted(left.trials, 'trial')}, about {left.core_seconds:.0f} s on one "
            f"core, {left.seconds:.0f} s with {counted(left.jobs, 'job')}"
        )
    lines.append(f"  running: {status.running}" if status.running else "  running: no")
    return lines
