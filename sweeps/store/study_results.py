"""From the store to a study: what is planned, and what there is to report."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from bpengine import default_numerics
from bpengine.optim import COMMON, MEMORIES
from bpengine.passes.compiled import KERNEL, NUMPY, why_not
from reports.schema import (
    CONFIRM,
    REFINE,
    Cluster,
    GroupDescription,
    StudyDescription,
    StudyResults,
)
from sweeps.data import REGRESSION, Source
from sweeps.data.facts import DataFacts, Facts, key_of, sessions_of
from sweeps.data.files.file_sources import parameters_of_file
from sweeps.data.parameters import pairs_of, read_parameters
from sweeps.data.registry import SourceError, read_source
from sweeps.data.splits import CLASSIFICATION, SCALINGS
from sweeps.design import EngineConfiguration, Planned, fields_from
from sweeps.design.checks.checking import experiment_of
from sweeps.design.checks.contradictions import contradictions
from sweeps.design.engine_recipe import totals_of
from sweeps.design.experiment import Experiment
from sweeps.design.families import Family, Group, budget_text, growth_text, schedule_text
from sweeps.design.stages import derived
from sweeps.errors import EnvironmentFailedError, StoreError, UsageError, pairs_text
from sweeps.spec import StudySpecification, given
from sweeps.spec.model import from_toml, to_toml
from sweeps.store._store import Store
from sweeps.store.folder import FILE
from sweeps.worker.measure import workload_of


def save_experiment(store: Store, experiment: Experiment) -> None:
    """Store what `read_experiment` needs."""
    store.set_facts(
        {
            "specification": to_toml(experiment.specification),
            "data": to_json(experiment.data),
            "numerics": experiment.numerics,
        }
    )
    store.checkpoint()


def read_experiment(store: Store) -> Experiment:
    """Return the study that a store is of, without looking at its data."""
    specification, data, numerics = map(store.fact, ("specification", "data", "numerics"))
    try:
        read = from_toml(specification)
        return _experiment(read, from_json(data, of_trainer=read.trainer is not None), numerics)
    except (ArithmeticError, KeyError, TypeError, ValueError, RecursionError):
        raise StoreError(
            "The store's facts `specification` and `data` don't make a study for this bpsweep: "
            "another version wrote them, or they were changed. Run the study again to go on. "
            "`bpsweep export` and `bpsweep show` work as it is."
        ) from None


def _experiment(specification: StudySpecification, data: Facts, numerics: str) -> Experiment:
    """Return a study of a store, which may come from anywhere, if it could have been specified."""
    for contradiction in contradictions(specification, set()):
        raise ValueError(contradiction.text)
    experiment = Experiment(specification, data, numerics)
    if not experiment.groups:
        raise ValueError("There is nothing to try.")
    return experiment


def to_json(data: Facts) -> str:
    """Return facts as JSON; where a file lies is left out."""
    shown = {
        key: replace(facts, source=replace(facts.source, path="")) for key, facts in data.items()
    }
    return json.dumps({key: asdict(facts) for key, facts in shown.items()})


def from_json(text: str, *, of_trainer: bool = False) -> Facts:
    """Return facts from what `to_json` wrote, or somebody else: a store may come from anywhere."""
    # A value error if they say what no specification can say, a key error for an unknown format.
    data = TypeAdapter(Facts).validate_json(text, strict=True)
    if of_trainer:
        facts = data[key_of(None)]
        if facts.features or not 0 <= facts.train_items <= _MOST:
            raise ValueError(f"{facts.source.name} is no trainer.")
        return {key_of(None): facts}
    return {key: _checked(facts) for key, facts in data.items()}


_MOST = 10**9


def _checked(facts: DataFacts) -> DataFacts:
    validation, test = int(facts.preparation.validation), int(facts.preparation.test)
    counts = (validation, test, facts.train_items, facts.features, facts.outputs)
    scales = [scale for _, of_seed in facts.target_scales for scale in of_seed]
    if not (
        facts.task in {CLASSIFICATION, REGRESSION}
        and facts.preparation.scaling in SCALINGS
        and all(0 < count <= _MOST for count in counts)
        and all(0 < scale < math.inf for scale in scales)
        and 0 <= (facts.most_frequent or 0.0) <= 1
        and 0 <= (facts.constant_loss or 0.0) < math.inf
    ):
        raise ValueError(f"{facts.source.name} can't be split so.")
    return replace(
        facts,
        source=_checked_source(facts.source),
        preparation=replace(facts.preparation, validation=validation, test=test),
    )


def _checked_source(source: Source) -> Source:
    """Return what names data, read as a specification is: a store never says where data are."""
    # What is empty was not written.
    given = {name: value for name, value in source.parameters if value not in ("", [])}
    if not source.content:
        try:
            return read_source(given | {"name": source.name}, folder=Path())
        except SourceError as error:
            raise ValueError(str(error)) from None
    # A file's parameters alone: nothing is read because a store names it.
    model = parameters_of_file(source.name)
    parameters, problems = read_parameters(given, model, source.name)
    if problems:
        raise ValueError(problems[0].text)
    return Source(source.name, pairs_of(parameters), source.content)


def stored_experiment(folder: Path) -> Experiment:
    """Return the study of a folder, with data described again by its specification."""
    with Store.read(folder) as store:
        experiment = read_experiment(store)
    if name := experiment.specification.trainer:
        raise UsageError(
            f"{folder} does not say where {name} is, and code is run only when it is named: name "
            f"the study's file in its place, and `--out {folder}`."
        )
    files = sorted(facts.source.name for facts in experiment.data.values() if facts.source.content)
    if files:
        raise UsageError(
            f"{folder} does not say where {', '.join(files)} is: name the study's file in its "
            f"place, and `--out {folder}`. `bpsweep run` so runs failed trials again, too."
        )
    return experiment_of(given(experiment.specification), str(folder), folder)


def as_begun(store: Store, experiment: Experiment) -> Experiment:
    """Return a study with the numerics that its store was begun with; refuse what isn't here."""
    numerics = store.facts().get("numerics", experiment.numerics)
    if numerics not in (NUMPY, default_numerics()) and not experiment.specification.trainer:
        why = f": {why_not()}" if numerics == KERNEL else ", but another version"
        raise EnvironmentFailedError(
            f"The study was begun with {numerics}, which is not here{why}. Results would differ: "
            "go on where it is, or begin anew with another --out."
        )
    # The same one, where that is so, keeps the trials that it has planned.
    return experiment if numerics == experiment.numerics else replace(experiment, numerics=numerics)


def with_code_of(folder: Path, experiment: Experiment, *, changed: bool) -> Experiment | None:
    """Return a trainer's study whose code counts as that of the trials that a folder holds.

    None if it has changed since they ran, unless it may have `changed`.
    """
    if not experiment.specification.trainer or not (folder / FILE).is_file():
        return experiment
    with Store.read(folder) as store:
        before = read_experiment(store).data.get(key_of(None))
    facts = experiment.data[key_of(None)]
    if before is None or before.source.name != facts.source.name:
        return experiment
    if before.source.content != facts.source.content and not changed:
        return None
    return replace(experiment, data={key_of(None): replace(facts, fingerprint=before.fingerprint)})


class Plan:
    """The trials of a study as far as the results so far determine them; none is derived again."""

    def __init__(self, store: Store, experiment: Experiment) -> None:
        self.store = store
        self.experiment = experiment
        self._stages: dict[str, list[Planned]] = {}
        self._last: Sequence[Planned] = ()
        self._pieces = derived(
            experiment, lambda: store.deciding_table(self._stages), store.curves_table
        )

    def next_piece(self) -> tuple[str, Sequence[Planned]] | None:
        """Return a stage and what comes next of it; None at the end or until the last has ended."""
        if not {trial.identity for _, trial in self._last} <= self.store.ended():
            return None
        piece = next(self._pieces, None)
        if piece is not None:
            stage, self._last = piece
            self._stages.setdefault(stage, []).extend(self._last)
        return piece

    def stages(self) -> dict[str, list[Planned]]:
        """Return the trials of each stage that are known now."""
        while self.next_piece():
            pass
        return self._stages


def results(folder: str | os.PathLike[str]) -> StudyResults:
    """Return the results that a study's folder holds, complete or not.

    Args:
        folder: The study's folder; a run may be writing to it meanwhile.

    Raises:
        StoreError: There is no study in it.
    """
    with Store.read(Path(folder)) as store:
        return results_of(Plan(store, read_experiment(store)))


# Arrow's texts cost more than they save where a study is planned by many small tables.
@pd.option_context("mode.string_storage", "python")
def results_of(plan: Plan) -> StudyResults:
    """Return the results of a study as they are now, complete or not."""
    store, experiment, stages = plan.store, plan.experiment, plan.stages()
    trials, ended = store.trials_table(stages), store.ended()
    workloads = {group.label: workload_of(group).identity for group in experiment.groups}
    return StudyResults(
        replace(
            describe(experiment, stages, store.facts(), ended),
            aside=len(ended) - trials["trial"].nunique(),
        ),
        trials,
        store.curves_table(trials["trial"]),
        _of_study(experiment, store.timing_table(workloads)),
    )


def _of_study(experiment: Experiment, timing: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of batch sizes that a study has now; others may have been measured before."""
    cells = pd.MultiIndex.from_frame(timing[["group", "batch_size"]])
    return timing[cells.isin([*experiment.grid])].reset_index(drop=True)


def describe(
    experiment: Experiment,
    stages: dict[str, list[Planned]],
    stored: dict[str, str],
    ended: Collection[str] = (),
) -> StudyDescription:
    """Return the description of a study, some of whose trials may have ended."""
    specification, sessions = experiment.specification, sessions_of(stored)
    refined: dict[str, dict[int, list[int]]] = {group.label: {} for group in experiment.groups}
    for label, trial in stages.get(REFINE, ()):
        # A refinement that time ran out for adds fewer seeds; it takes none that there were.
        if trial.identity in ended:
            refined[label].setdefault(trial.configuration.batch_size, []).append(trial.seed)
    names = dict.fromkeys(facts.source.name for facts in experiment.data.values())
    simulated, branch = specification.simulated_cluster, specification.branch
    scale = specification.scale_with
    planned = sum(map(len, stages.values()))
    if CONFIRM not in stages:
        # So many are certain to come.
        planned += len(experiment.grid) * len(specification.confirmation_seeds)
    values = fields_from(StudyDescription, specification, sessions) | {
        "title": specification.title or f"Batch sizes on {', '.join(names)}",
        "groups": tuple(
            replace(_group(group, refined[group.label]), scale=group.family.scale(scale))
            for group in experiment.groups
        ),
        "seeds": specification.seeds if specification.explore else (),
        "planned_trials": planned,
        "specification": stored["specification"],
        "cluster": None if isinstance(simulated, str) else Cluster(**simulated.model_dump()),
        "target_metric": specification.as_gain(specification.target_metric),
        "scale_name": scale or "",
        "branch_tolerance": None if isinstance(branch, str) else branch.tolerance,
    }
    return StudyDescription(**values)


def _group(group: Group, refined: Mapping[int, Sequence[int]]) -> GroupDescription:
    family, facts = group.family, group.family.facts
    budget = family.shared.budget
    # How much is done in a time, nobody knows.
    sizes = () if budget.seconds else group.grid
    totals = {size: totals_of(family.configuration(size)) for size in sizes}
    values = {
        "group": group.label,
        "metric": family.shared.metric,
        "task": facts.task,
        "train_items": facts.train_items,
        "fingerprint": facts.fingerprint,
        "hyperparameters": {k: v for k, v in family.hyperparameters if v != COMMON.get(k)},
        "rate_rule": family.rate_rule,
        "budget": budget_text(budget),
        "epochs": family.epochs,
        "batch_sizes": tuple(group.grid),
        "learning_rates": tuple(sorted({rate for rates in group.grid.values() for rate in rates})),
        "budget_updates": {size: updates for size, (updates, _) in totals.items()},
        "budget_examples": {size: examples for size, (_, examples) in totals.items()},
        "refinement_seeds": {size: tuple(seeds) for size, seeds in refined.items()},
    }
    known: dict[str, Any] = {"trainer": facts.source.name}
    if isinstance(family.shared, EngineConfiguration):
        known = _of_network(family)
    return GroupDescription(**known | values)


def _of_network(family: Family) -> dict[str, Any]:
    """Return what is known of a group that bpsweep trains itself, and of its data."""
    network, facts = family.network, family.facts
    return fields_from(GroupDescription, network, facts) | {
        "dataset": facts.source.name,
        "validation_items": int(facts.preparation.validation),
        "test_items": int(facts.preparation.test),
        "hidden_layers": network.widths[1:-1],
        "schedule": schedule_text(network.schedule),
        "target_scales": dict(facts.target_scales),
        "split_seed": facts.preparation.split_seed,
        "gradient_bytes": network.architecture.parameter_count * np.dtype(network.dtype).itemsize,
        "memory_reference": family.memory_reference,
        "decay_reference": family.decay_reference,
        "growth": growth_text(family.growth),
        "further": pairs_text(network.further),
        "memories": MEMORIES,
    }
