"""A short study whose specification grows within a stated time, by docs/recommend.md."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from joblib import cpu_count

from reports.analysis import select_rates, summarise_cells
from reports.output.json import answer_content
from reports.recommend import Analysis
from reports.recommend.analysis import analyse
from reports.schema import CONFIRM, TENSOR, StudyResults, sizes
from reports.stats.non_inferiority import UNDECIDED
from reports.text import cautions
from sweeps.advise._grid_choice import (
    CORE,
    EPOCHS,
    LARGER,
    MORE_FRESH,
    SMALLEST,
    Grid,
    choose,
    keys_of,
    largest_size,
    trainer_keys,
)
from sweeps.advise._optimizer_choice import NO_TIME, comparison, decided
from sweeps.advise.request import (
    MOST,
    REPORT_SECONDS,
    START_SECONDS,
    Request,
    refuse_busy,
    too_short,
)
from sweeps.data.facts import summary_lines
from sweeps.design.cohorts import update_cost
from sweeps.design.experiment import Experiment
from sweeps.design.families import Group, budget_text
from sweeps.errors import UsageError, UserError, tell
from sweeps.run import measurements_of, run_study
from sweeps.run.driver import Limit
from sweeps.run.timing_pass import splits_of, times_of_trainer
from sweeps.spec import StudySpecification, given
from sweeps.spec.load import write_study
from sweeps.store import FILE, Store, read_experiment
from sweeps.worker.measure import RATE, ROUNDS, Measurement, time_updates
from sweeps.worker.time_trainer import TRAINER_ROUNDS
from sweeps.worker.train import one_blas_thread

CHOSEN = "Chosen by `bpsweep recommend`, by the rules of docs/recommend.md."
SHARE = 0.5  # of the time for trials, for the first grid; the rest is for what needs more seeds
PROMPT = 0.1  # of all the time: what has been refused by then is refused early enough
COMPARED = 0.15  # of it, for comparing optimizers; what that trains is kept
EXTENSION = 1.4  # with rates that are added at the edges and between, by what was planned
LEARNING = 1.0  # predicted seconds that show the load; what was before them counts half
WIDENINGS = 2  # of the batch sizes, at most
FURTHER_SEEDS = (40, 20, 10, 5)  # where the spread shows that more are needed: the most that fit
FURTHER_POWER = 0.999  # which also decides on most sizes that lose half of the margin


@dataclass
class TimeBudget(Limit):
    """The time there is, and what must be kept of it.

    Where training takes ever longer than predicted, less of it starts and more is kept.
    """

    total: float  # seconds
    started: float  # by the clock
    now: Callable[[], float] = time.monotonic
    slowdown: float = 1.0  # measured seconds by predicted ones
    reserve: float = 0.0  # seconds for the benchmark and the report, with the load at first
    first: tuple[float, float] = (0.0, 0.0)  # seconds of training, predicted and taken
    recent: tuple[float, float] = (0.0, 0.0)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.now() - self.started

    @property
    def kept(self) -> float:
        """Seconds to keep for the benchmark and the report, with the load there is now."""
        if not self.first[1]:
            return self.reserve
        return self.reserve * max(1.0, _ratio(self.recent) / _ratio(self.first))

    @property
    def spare(self) -> float:
        """Seconds left for trials."""
        return max(0.0, self.total - self.kept - self.spent)

    def fits(self, seconds: float) -> bool:
        """Return whether training would end in the time for trials."""
        pace = _ratio(self.recent) if self.recent[0] else self.slowdown
        return seconds * pace < self.spare

    def took(self, predicted: float, seconds: float) -> None:
        """Learn from training that has ended."""
        if self.first[0] < LEARNING:
            self.first = (self.first[0] + predicted, self.first[1] + seconds)
        left = 0.5 ** (predicted / LEARNING)
        self.recent = (left * self.recent[0] + predicted, left * self.recent[1] + seconds)


def _ratio(seconds: tuple[float, float]) -> float:
    predicted, taken = seconds
    return taken / predicted


@dataclass(frozen=True)
class Advice:
    """What a short study found."""

    experiment: Experiment
    analysis: Analysis
    page: Path
    seconds: float  # taken
    budget: float  # seconds allowed


def advise(request: Request, budget: TimeBudget) -> Advice:
    """Run a short study and return what it found; whatever ends it, trials that ended are kept."""
    experiment = _beginning(request, budget)
    tell(*summary_lines(experiment.data.values(), experiment.specification.metric))
    if len(experiment.specification.optimizer) > 1:
        compared = carry_on(request, budget, experiment)
        experiment = request.experiment(decided(given(experiment.specification), compared))
    tell(experiment.specification.title, _planned(experiment))
    results = carry_on(request, budget, experiment)
    for grow in (fuller, *WIDENINGS * [wider], closer, quickest):
        larger = grow(request, budget, experiment, results) if budget.spare else None
        if larger is None:
            continue
        grown = carry_on(request, budget, larger)
        if _lacks_confirmation(grown):
            # Time ran out: without what was added there is an answer.
            write_study(request.folder, given(experiment.specification), CHOSEN)
            break
        experiment, results = larger, grown
    results = run_study(experiment, request.folder, request.jobs, limit=budget)
    from reports import build_report  # noqa: PLC0415 - a refusal needs no matplotlib

    page = build_report(results, request.folder)
    (analysis,) = analyse(results)
    return Advice(experiment, analysis, page, budget.spent, budget.total)


def _planned(experiment: Experiment) -> str:
    (group, *_), specification = experiment.groups, experiment.specification
    what = f"trainer {specification.trainer}"
    if not specification.trainer:
        what = f"network {'-'.join(map(str, group.family.network.widths))}"
    return f"{what}, {budget_text(group.family.shared.budget)}, batch {sizes([*group.grid])}"


def _beginning(request: Request, budget: TimeBudget) -> Experiment:
    if (request.folder / FILE).is_file():
        experiment = _stored(request)
        calibrate(budget, experiment)
        return experiment
    # Paths of files lead out of the folder: it must be there.
    request.folder.mkdir(parents=True, exist_ok=True)
    try:
        return first_study(request, budget)
    except UserError:
        with suppress(OSError):
            request.folder.rmdir()
        raise


def _stored(request: Request) -> Experiment:
    with Store.read(request.folder) as store:
        keys = given(read_experiment(store).specification)
    if not request.is_of(keys) or keys["name"] != request.name:
        raise UsageError(f"{request.folder} holds another study. Choose another --out.")
    return request.experiment(keys)


def first_study(request: Request, budget: TimeBudget) -> Experiment:
    """Return the study that the time allows; a usage error if not even one epoch fits."""
    if request.trainer:
        train_items = examples_of_trainer(request)
        keys = partial(trainer_keys, request.name, request.trainer, train_items)
    else:
        dataset = request.sampled_dataset
        draft = request.experiment({"name": request.name, "dataset": dataset, **LEAST})
        (facts,) = draft.data.values()
        train_items = facts.train_items
        keys = partial(keys_of, request.name, dataset, facts)
        refuse_busy(request.name, budget.total, budget.spent)
    largest = largest_size(train_items)
    calibrate(budget, request.experiment(keys(Grid(1, largest, 1))))

    def needed(grid: Grid) -> float:
        seconds = request.seconds(request.experiment(keys(grid)))
        if request.trainer:
            return budget.slowdown * seconds * EXTENSION + START_SECONDS
        start = START_SECONDS * _apart(request, seconds)
        return budget.slowdown * (seconds * EXTENSION + start)

    grids = (
        choose(train_items, lambda grid: needed(grid) <= share * budget.spare)  # noqa: B023
        for share in (SHARE, MOST)
    )
    grid = next(filter(None, grids), None)
    if grid is None and (budget.spent < PROMPT * budget.total or not budget.spare):
        whole = needed(Grid(min(SMALLEST, largest // 2), largest, EPOCHS)) / SHARE
        what = f"{train_items} training examples"
        raise too_short(request.name, budget.total, what, budget.spent + budget.kept + whole)
    # It is late to refuse: what fits of the least study is better than nothing.
    grid = grid or Grid(min(LARGER, largest // 2), largest, 1)
    if request.trainer:
        return request.experiment(keys(grid.core))
    return compared_first(request, keys(grid.core), budget)


LEAST = {"batch_sizes": 1, "learning_rates": 1.0, "seeds": 1, "epochs": 1}


def examples_of_trainer(request: Request) -> int:
    """Return how many examples an epoch of a trainer has: as is said, or as it says itself."""
    least = {"name": request.name, "trainer": request.trainer, "training_examples": 2**40}
    draft = request.experiment(least | LEAST | {"batch_sizes": SMALLEST, "learning_rates": RATE})
    known = draft.specification.training_examples
    if known != least["training_examples"]:
        return known or 0
    ((group, measurements),) = measurements_of(draft).values()
    stated = times_of_trainer(group, measurements, rounds=1).training_examples
    if stated == known:
        raise UsageError(
            f"{request.trainer} does not say how many examples an epoch has: set "
            "`trial.training_examples` in it, or add `--set training_examples=N`."
        )
    return stated


def compared_first(request: Request, keys: dict[str, Any], budget: TimeBudget) -> Experiment:
    """Return what compares optimizers for a study if that takes little of the time; else it."""
    compared = request.experiment(comparison(keys))
    seconds = request.seconds(compared) * budget.slowdown * EXTENSION
    if seconds <= COMPARED * budget.spare:
        return compared
    return request.experiment(keys | {"title": f"{keys['title']} {NO_TIME}"})


def calibrate(budget: TimeBudget, experiment: Experiment) -> None:
    """Measure a few updates at each batch size: how fast is this machine, and its benchmark?"""
    (group, measurements), *_ = measurements_of(experiment).values()
    if experiment.specification.trainer:
        calibrate_trainer(budget, group, measurements)
        return
    largest = max(planned.batch_size for planned in measurements)
    began, processor = budget.now(), time.process_time()
    with one_blas_thread():
        rounds = list(time_updates(measurements, splits_of(group, largest), rounds=1))
    took = predicted = 0.0
    for planned, measured in zip(measurements, rounds, strict=True):
        if planned.engine != TENSOR:
            continue
        share = 1 / planned.batch_size
        took += share * measured.cpu_seconds / measured.updates
        predicted += share * update_cost(
            group.family.configuration(planned.batch_size), planned.lanes
        )
    # What waits for the processor here will wait in training and in the report, too, but a moment
    # alone may be unlucky: no longer than where all that runs shares the cores.
    waiting = (budget.now() - began) / max(time.process_time() - processor, 1e-3)
    waiting = min(waiting, 1 + os.getloadavg()[0] / cpu_count())
    budget.slowdown = max(1.0, 1e6 * took / predicted) * max(1.0, waiting)
    timing = ROUNDS * sum(measured.wall_seconds for measured in rounds)
    budget.reserve = budget.slowdown * REPORT_SECONDS + 1.2 * timing


def calibrate_trainer(
    budget: TimeBudget, group: Group, measurements: Sequence[Measurement]
) -> None:
    """Have a trainer timed at its smallest and its largest batch size, and keep what that took."""
    ends = [measurements[0], measurements[-1]]
    times = times_of_trainer(group, ends, rounds=1)
    ratios = [
        1e6
        * measured.wall_seconds
        / measured.updates
        / update_cost(group.family.configuration(planned.batch_size), lanes=1)
        for planned, measured in zip(ends, times.rounds, strict=True)
    ]
    budget.slowdown = max(ratios)
    timing = TRAINER_ROUNDS * times.seconds * len(measurements) / len(ends)
    budget.reserve = REPORT_SECONDS + START_SECONDS + timing


def _apart(request: Request, predicted: float) -> bool:
    """Whether workers are worth their start; what takes less than that runs in this process."""
    if request.trainer:
        return True  # what ends its process must not end this one
    return predicted * (request.jobs - 1) > START_SECONDS


def carry_on(request: Request, budget: TimeBudget, experiment: Experiment) -> StudyResults:
    """Run what is missing, and learn from how long it took."""
    predicted, before = request.seconds(experiment), budget.spent
    apart = _apart(request, predicted)
    jobs, backend = (request.jobs, "loky") if apart else (1, "sequential")
    results = run_study(
        experiment, request.folder, jobs, backend=backend, timing=False, limit=budget
    )
    if predicted > 1 and budget.spare:
        budget.slowdown = max(1.0, (budget.spent - before) / predicted)
    write_study(request.folder, given(experiment.specification), CHOSEN)
    return results


def fuller(
    request: Request, budget: TimeBudget, experiment: Experiment, _results: StudyResults
) -> Experiment | None:
    """Return the study with smaller batch sizes and more fresh seeds; None if none of them fit."""
    specification, tried = experiment.specification, [*experiment.groups[0].grid]
    seeds = specification.confirmation_seeds
    if not seeds:
        return None
    more = (*seeds, *range(seeds[-1] + 1, seeds[0] + MORE_FRESH))
    ends = (tried[0] // CORE, tried[0] // 2, tried[0])
    for smallest, fresh in itertools.product(ends, (more, seeds)):
        sizes = sorted({*tried, *Grid(max(smallest, 1), tried[0], 1).batch_sizes})
        changes = {"batch_sizes": sizes, "confirmation_seeds": [*fresh]}
        larger = request.experiment(given(specification) | changes)
        predicted = request.seconds(larger)
        if predicted * budget.slowdown * EXTENSION <= SHARE * budget.spare:
            return larger if predicted else None
    return None


def wider(
    request: Request, budget: TimeBudget, experiment: Experiment, results: StudyResults
) -> Experiment | None:
    """Return the study with a batch size more at an end where the best may lie; None if not."""
    (analysis,), (facts,) = analyse(results), experiment.data.values()
    tried, answer = [*experiment.groups[0].grid], analysis.answer
    if analysis.reference is None:
        return None
    extended = [*tried]
    if tried[-1] == (answer.batch_size or answer.reference) and 2 * tried[-1] <= largest_size(
        facts.train_items, 1
    ):
        extended.append(2 * tried[-1])
    if tried[0] == answer.reference and tried[0] > 1:
        extended.insert(0, tried[0] // 2)
    if extended == tried:
        return None
    larger = request.experiment(given(experiment.specification) | {"batch_sizes": extended})
    fits = request.seconds(larger) * budget.slowdown * EXTENSION <= budget.spare
    return larger if fits else None


def closer(
    request: Request, budget: TimeBudget, experiment: Experiment, results: StudyResults
) -> Experiment | None:
    """Return the study with as many more fresh seeds as fit; None for none."""
    (analysis,) = analyse(results)
    specification = experiment.specification
    if analysis.reference is None or not specification.confirmation_seeds:
        return None
    for count in FURTHER_SEEDS:
        further = _further_seeds(specification, analysis, count)
        larger = request.experiment(given(specification) | further)
        if request.seconds(larger) * budget.slowdown < budget.spare:
            return larger if further else None
    return None


def _further_seeds(
    specification: StudySpecification, analysis: Analysis, most: int
) -> dict[str, Any]:
    """Return what adds fresh seeds: by their spread alone at first, and later where undecided.

    A call that begins a study judges its sizes once, when all of these have run.
    """
    if specification.refinement_seeds < most:
        return {"refinement_seeds": most, "refinement_power": FURTHER_POWER}
    following = analysis.answer.next
    if following is None or following.verdict != UNDECIDED:
        return {}
    fresh = sorted({*specification.confirmation_seeds, *analysis.judged["seed"].tolist()})
    more = min(most, analysis.answer.more_seeds or 0)
    added = range(fresh[-1] + 1, fresh[-1] + 1 + more)
    return {"confirmation_seeds": [*fresh, *added]} if more else {}


def quickest(
    request: Request, budget: TimeBudget, experiment: Experiment, _results: StudyResults
) -> Experiment | None:
    """Return the study with rates tuned for the target on fresh seeds; None if these don't fit."""
    larger = request.experiment(given(experiment.specification) | {"target_rates": True})
    predicted = request.seconds(larger)
    return larger if 0 < predicted * budget.slowdown < budget.spare else None


def _lacks_confirmation(results: StudyResults) -> bool:
    """Whether a batch size with a selected rate has not run all the seeds of the confirm stage."""
    run, study = results.trials["stage"].eq(CONFIRM).sum(), results.description
    selected = select_rates(summarise_cells(results.trials, study.tuning_seeds))
    return bool(run < len(selected) * len(study.confirmation_seeds) or not run)


def advice_content(advice: Advice) -> dict[str, Any]:
    """Return advice as JSON knows it."""
    analysis, plan = advice.analysis, advice.analysis.plan
    return {
        "study": analysis.study.name,
        "page": str(advice.page),
        "seconds": advice.seconds,
        "budget_seconds": advice.budget,
        "architecture": plan.architecture,
        "optimizer": plan.optimizer,
        "budget": plan.budget,
        "batch_sizes": list(plan.batch_sizes),
        "answers": [answer_content(answer) for answer in analysis.answers],
        "warnings": [caution.text for caution in cautions(analysis)],
    }
