"""The driver: runs what is missing, stage by stage, and keeps every result as it arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from reports.results import CONFIRM, EXPLORE, StudyDescription, StudyResults
from reports.selection import select_rates
from sweeps.datasets import load
from sweeps.executors import run_cohorts
from sweeps.plan import cohort_cost, plan
from sweeps.progress import progress
from sweeps.provenance import load_average, provenance
from sweeps.spec import StudySpecification, from_toml, to_toml
from sweeps.splits import Dataset, prepare
from sweeps.stages import (
    architecture_of,
    confirm_trials,
    explore_trials,
    facts_of,
    preparation_of,
)
from sweeps.store import Store
from sweeps.timing import ROUNDS, time_updates
from sweeps.trials import DataFacts, Trial
from sweeps.worker import one_blas_thread

METRIC = "accuracy"

Stages = dict[str, list[Trial]]


def run_study(specification: StudySpecification, folder: Path, jobs: int) -> StudyResults:
    """Run what is missing of a study, then measure times, and return everything.

    Args:
        specification: The study.
        folder: Its folder, new or holding the same study.
        jobs: Worker processes, at least 1.

    Raises:
        UserError: What the user can mend; every trial that had ended is kept.
    """
    dataset = load(specification.dataset)
    facts = facts_of(dataset, preparation_of(specification))
    with Store.write(folder, specification.name) as store:
        store.set_facts(
            {"specification": to_toml(specification), "data": json.dumps(asdict(facts))}
        )
        for stage in (EXPLORE, CONFIRM):
            _run_stage(stage, store, specification, dataset, facts, jobs=jobs)
        if not store.timed_batch_sizes() >= {*specification.batch_sizes}:
            _run_timing(store, specification, dataset, facts)
        return results_of(store)


def planned_stages(store: Store, specification: StudySpecification, facts: DataFacts) -> Stages:
    """Return the trials of each stage, as far as the results so far determine them.

    Args:
        store: The study's store.
        specification: The study.
        facts: Its data.
    """
    explore = explore_trials(specification, facts)
    stages = {EXPLORE: explore}
    ended = store.statuses()
    if all(trial.identity in ended for trial in explore):
        selected = select_rates(store.trials_table(stages))
        pairs = zip(selected["batch_size"], selected["learning_rate"], strict=True)
        stages[CONFIRM] = confirm_trials(
            specification, facts, [(int(size), float(rate)) for size, rate in pairs]
        )
    return stages


def results_of(store: Store) -> StudyResults:
    """Return the results of a study as they are now, complete or not.

    Args:
        store: The study's store.
    """
    stored = store.facts()
    specification = from_toml(stored["specification"])
    facts = _read_facts(stored["data"])
    stages = planned_stages(store, specification, facts)
    trials = store.trials_table(stages)
    return StudyResults(
        _description(specification, facts, stages, stored),
        trials,
        store.curves_table(trials["trial"]),
        store.timing_table(),
    )


def _read_facts(text: str) -> DataFacts:
    content = json.loads(text)
    return DataFacts(**content | {"classes": tuple(content["classes"])})


def _run_stage(
    stage: str,
    store: Store,
    specification: StudySpecification,
    dataset: Dataset,
    facts: DataFacts,
    *,
    jobs: int,
) -> None:
    done = store.done()
    planned = planned_stages(store, specification, facts).get(stage, [])
    missing = [trial for trial in planned if trial.identity not in done]
    if not missing:
        return
    cohorts = plan(missing, facts, jobs)
    cost = sum(cohort_cost(cohort, facts) for cohort in cohorts)
    store.set_facts({"jobs": str(jobs), "provenance": json.dumps(provenance())})
    with _clocked(store), progress(f"{stage} trials", cost, len(missing)) as advance:
        for cohort, outcomes in run_cohorts(cohorts, dataset, jobs):
            store.add(cohort.trials, outcomes)
            advance(cohort_cost(cohort, facts), len(outcomes))


@contextmanager
def _clocked(store: Store) -> Iterator[None]:
    """Add the time spent to what earlier sessions spent, however this one ends."""
    started = time.perf_counter()
    try:
        yield
    finally:
        spent = time.perf_counter() - started
        before = float(store.facts().get("sweep_seconds", "0"))
        store.set_facts({"sweep_seconds": repr(before + spent)})


def _run_timing(
    store: Store, specification: StudySpecification, dataset: Dataset, facts: DataFacts
) -> None:
    preparation = preparation_of(specification)
    split, _ = prepare(dataset, preparation, specification.seeds[0])
    count = 2 * ROUNDS * len(specification.batch_sizes)
    load_before = load_average()
    rounds = []
    with one_blas_thread(), progress("timing rounds", count, count) as advance:
        for measured in time_updates(
            architecture_of(specification, facts),
            split,
            specification.batch_sizes,
            specification.reduction,
        ):
            rounds.append(measured)
            advance(1, 1)
    store.replace_timing(rounds)
    recorded = json.loads(store.facts()["provenance"])
    recorded["load average around timing"] = f"{load_before} before, {load_average()} after"
    store.set_facts({"provenance": json.dumps(recorded)})


def _description(
    specification: StudySpecification, facts: DataFacts, stages: Stages, stored: dict[str, str]
) -> StudyDescription:
    unplanned = (
        0
        if CONFIRM in stages
        else len(specification.batch_sizes) * len(specification.confirmation_seeds)
    )
    return StudyDescription(
        name=specification.name,
        title=specification.title or f"Batch sizes on {specification.dataset}",
        dataset=facts.name,
        fingerprint=facts.fingerprint,
        train_items=facts.train_items,
        validation_items=facts.validation_items,
        test_items=facts.test_items,
        features=facts.features,
        outputs=len(facts.classes),
        hidden_layers=specification.hidden_layers,
        activation=specification.activation,
        loss=specification.loss,
        reduction=specification.reduction,
        optimizer=specification.optimizer,
        metric=METRIC,
        epochs=specification.epochs,
        batch_sizes=specification.batch_sizes,
        learning_rates=specification.learning_rates,
        seeds=specification.seeds,
        confirmation_seeds=specification.confirmation_seeds,
        planned_trials=sum(map(len, stages.values())) + unplanned,
        sweep_seconds=float(stored.get("sweep_seconds", "0")),
        jobs=int(stored.get("jobs", "0")),
        specification=stored["specification"],
        provenance=json.loads(stored.get("provenance", "{}")),
    )
