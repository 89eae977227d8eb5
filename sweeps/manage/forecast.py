"""What a run will do, before it does it: counts, costs, memory, and what is done already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.schema import CONFIRM, EXPLORE
from sweeps.design import Planned, Trial, cohort_cost, plan
from sweeps.design.cohorts import cohort_bytes
from sweeps.design.experiment import Experiment, trials_of
from sweeps.design.families import Group
from sweeps.errors import counted
from sweeps.store import FILE, Plan, Store
from sweeps.store.study_results import as_begun


@dataclass(frozen=True)
class GroupForecast:
    """How many trials are planned of a group."""

    group: str  # its label
    explore: int
    confirm: int  # if every batch size has a rate that can be selected
    most_extend: int  # that extending the rates adds at most, as refining and the target do
    most_refine: int
    most_target: int


@dataclass(frozen=True)
class Forecast:
    """What a run will do. Times are predictions for one machine of middling speed."""

    name: str  # of the study
    groups: tuple[GroupForecast, ...]
    trials: int  # of the explore and confirm stages, each counted once
    duplicates: int  # trials that groups share, which run once
    done: int  # trials that the folder holds already
    seconds_are_least: bool  # whether times are lower bounds: nobody knows a trainer's
    seconds_by_batch_size: dict[int, float]  # of what is missing, on one core
    seconds: float  # of what is missing, on all jobs
    jobs: int  # worker processes
    cohorts: int  # of what is missing
    largest_cohort_bytes: int  # memory of the largest


def forecast(experiment: Experiment, jobs: int, folder: Path | None = None) -> Forecast:
    """Return what a run will do."""
    done, planned = _done_and_planned(experiment, folder)
    trials = {trial.identity: trial for trial in planned}
    missing = [trial for identity, trial in trials.items() if identity not in done]
    cohorts = plan(missing, jobs)
    costs: defaultdict[int, float] = defaultdict(float)
    for cohort in cohorts:
        costs[cohort.configuration.batch_size] += cohort_cost(cohort) / 1e6
    longest = max((cohort_cost(cohort) / 1e6 for cohort in cohorts), default=0.0)
    return Forecast(
        name=experiment.specification.name,
        groups=tuple(_group_forecast(experiment, group) for group in experiment.groups),
        trials=len(trials),
        duplicates=len(planned) - len(trials),
        done=len(trials) - len(missing),
        seconds_are_least=experiment.specification.trainer is not None,
        seconds_by_batch_size=dict(sorted(costs.items())),
        seconds=max(longest, sum(costs.values()) / jobs),
        jobs=jobs,
        cohorts=len(cohorts),
        largest_cohort_bytes=max(map(cohort_bytes, cohorts), default=0),
    )


def _done_and_planned(experiment: Experiment, folder: Path | None) -> tuple[set[str], list[Trial]]:
    done: set[str] = set()
    stages: dict[str, Sequence[Planned]] = {}
    if folder is not None and (folder / FILE).is_file():
        with Store.read(folder) as store:
            begun = as_begun(store, experiment)
            done, stages = store.done(), {**Plan(store, begun).stages()}
    elif experiment.specification.explore:
        stages = {EXPLORE: experiment.explored}
    if CONFIRM not in stages:
        stages = {**stages, CONFIRM: provisional(experiment)}
    return done, [trial for planned in stages.values() for _, trial in planned]


def provisional(experiment: Experiment) -> list[Planned]:
    """Return trials that cost what those of the confirm stage will, whatever the rates."""
    cells = [
        (group, size, rates[len(rates) // 2])
        for group in experiment.groups
        for size, rates in group.grid.items()
    ]
    return trials_of(cells, experiment.specification.confirmation_seeds, evaluate_test=True)


def _group_forecast(experiment: Experiment, group: Group) -> GroupForecast:
    specification = experiment.specification
    sizes, seeds = len(group.grid), len(specification.seeds)
    explored = specification.explore * seeds
    extendable = sum(len(rates) > 1 for rates in group.grid.values())
    fresh = len(specification.confirmation_seeds)
    return GroupForecast(
        group=group.label,
        explore=explored * sum(map(len, group.grid.values())),
        confirm=sizes * fresh,
        most_extend=explored
        * extendable
        * (2 * specification.extensions + specification.insertions),
        most_refine=sizes * specification.refinement_seeds,
        most_target=specification.target_rates * specification.explore * extendable * fresh,
    )


def forecast_lines(expected: Forecast) -> list[str]:
    """Return a forecast as lines for a terminal."""
    groups = counted(len(expected.groups), "group")
    least = ", at least: a trainer's pace shows when trials run" * expected.seconds_are_least
    lines = [f"{expected.name}: {counted(expected.trials, 'trial')} in {groups}"]
    lines += [
        f"  {group.group}: explore {group.explore}, extend at most {group.most_extend}, "
        f"confirm {group.confirm}, refine at most {group.most_refine}, target at most "
        f"{group.most_target}"
        for group in expected.groups
    ]
    memory = [f"memory of the largest cohort: {expected.largest_cohort_bytes / 1e6:.1f} MB"]
    if not expected.largest_cohort_bytes:
        memory = []
    return [
        *lines,
        f"shared by groups, run once: {expected.duplicates}",
        f"done already: {expected.done}",
        f"to run: {expected.trials - expected.done} in {counted(expected.cohorts, 'cohort')}",
        f"predicted seconds on one core, by batch size{least}:",
        *(f"  {size}: {_seconds(value)}" for size, value in expected.seconds_by_batch_size.items()),
        f"predicted seconds with {counted(expected.jobs, 'job')}: {_seconds(expected.seconds)}",
        *memory,
    ]


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004
