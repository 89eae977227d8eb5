"""The driver: runs what is missing, stage by stage, and keeps every result as it arrives."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from reports.schema import StudyResults
from sweeps.data.facts import sessions_of
from sweeps.data.registry import load
from sweeps.design import Cohort, Trial, cohort_cost, plan
from sweeps.design.experiment import Experiment
from sweeps.errors import counted, tell
from sweeps.machine import combined, provenance
from sweeps.run._executors import ISOLATING, opened
from sweeps.run._progress import Advance, progress, step_title
from sweeps.run._scheduler import Dispatch, Ended
from sweeps.run.live_report import reported
from sweeps.run.signals import Interruption, interruptible
from sweeps.run.timing_pass import run_timing
from sweeps.store import Plan, Store, save_experiment
from sweeps.store.rows import DONE
from sweeps.store.study_results import as_begun, results_of
from sweeps.worker.checkpoints import checkpoint_path, remove_checkpoints, unfinished_cohorts
from sweeps.worker.train import Outcome
from sweeps.worker.workspace import NAME, Workspace, hand_over

MICROSECONDS = 1e-6

KEEP_SECONDS = 0.1
"""Results that end within this of each other share a transaction: it waits for the disk."""


class Limit:
    """When trials are no more started: never, unless a subclass says so."""

    def fits(self, seconds: float) -> bool:  # noqa: ARG002 - for subclasses
        """Return whether something may start that is predicted to take these seconds."""
        return True

    def took(self, predicted: float, seconds: float) -> None:
        """Hear of cohorts that have ended: the seconds predicted for them, and those they took."""


@dataclass(frozen=True)
class _Session:
    """One run of a study: what it is about, and how it is run."""

    plan: Plan
    store: Store
    workspace: Workspace
    interruption: Interruption
    jobs: int
    backend: str
    scheduler: str | None
    resources: Mapping[str, float]
    limit: Limit

    @property
    def stopping(self) -> bool:
        """Whether nothing more is to be started."""
        return self.interruption.stopping or not self.limit.fits(0.0)


def run_study(
    experiment: Experiment,
    folder: Path,
    jobs: int = 1,
    *,
    backend: str = "loky",
    scheduler: str | None = None,
    resources: Mapping[str, float] | None = None,
    timing: bool = True,
    watch: bool = False,
    check_repeat: bool = False,
    limit: Limit | None = None,
) -> StudyResults:
    """Run what is missing of a study, then measure times, and return everything."""
    workspace = Workspace(folder / NAME)
    workspace.refuse_links()
    with (
        interruptible() as interruption,
        Store.write(folder, experiment.specification.name) as store,
    ):
        experiment = as_begun(store, experiment)
        session = _Session(
            Plan(store, experiment),
            store,
            workspace,
            interruption,
            jobs,
            backend,
            scheduler,
            resources or {},
            limit or Limit(),
        )
        save_experiment(store, experiment)
        with reported(folder) if watch else nullcontext():
            _run_missing(session)
        interruption.check()
        if check_repeat:
            _repeat_one(session)
        if timing and experiment.specification.timing:
            with interruption.at_once():
                run_timing(store, experiment)
        results = results_of(session.plan)
        interruption.check()
        return results


def _run_missing(session: _Session) -> None:
    tried: set[str] = set()
    with ExitStack() as stack:
        # Also what a session left that was killed when all its trials were stored.
        stack.callback(_tidy, session)
        dispatch: Dispatch | None = None
        while not session.stopping and (piece := session.plan.next_piece()):
            stage, planned = piece
            settled = session.store.done() | tried
            missing = {t.identity: t for _, t in planned if t.identity not in settled}
            if not missing:
                continue
            # What has nothing to run starts no worker.
            dispatch = dispatch or stack.enter_context(_dispatching(session))
            tried |= missing.keys()
            _run_stage(session, dispatch, stage, missing)


def _repeat_one(session: _Session) -> None:
    """Run a trial again, and keep whether that gave its result to the bit."""
    done = session.store.done()
    planned = [trial for stage in session.plan.stages().values() for _, trial in stage]
    again = [trial for trial in planned if trial.identity in done][:1]
    with ExitStack() as stack:
        stack.callback(_tidy, session)
        dispatch = stack.enter_context(_dispatching(session))
        ended = [outcomes for ended in dispatch.run(plan(again, 1)) for _, outcomes in ended]
    for (outcome,) in ended:
        is_same = outcome.status in DONE and not session.store.add(again, [outcome])
        text = f"{'the same' if is_same else 'another'} result"
        tell(f"A trial that was run twice gave {text}.")
        record = sessions_of(session.store.facts()).provenance | {"a trial run twice": text}
        session.store.set_facts({"provenance": json.dumps(record)})


@contextmanager
def _dispatching(session: _Session) -> Iterator[Dispatch]:
    # Results of earlier sessions stay, and so does what they were computed with.
    before = sessions_of(session.store.facts()).provenance
    record = json.dumps(combined([before, provenance()]))
    session.store.set_facts({"jobs": str(session.jobs), "provenance": record})
    session.workspace.open()
    trial_seconds = session.plan.experiment.specification.trial_seconds
    cluster = (session.scheduler, session.resources)
    with opened(session.backend, session.jobs, session.workspace, *cluster) as executor:
        yield Dispatch(executor, session.workspace, trial_seconds)


def _tidy(session: _Session) -> None:
    if not session.workspace.folder.exists():
        return
    # What another run works with, or is elsewhere now, is not for this one to remove.
    session.store.check()
    remove_checkpoints(session.workspace.checkpoints, session.store.done())
    session.workspace.close()


def _run_stage(
    session: _Session, dispatch: Dispatch, stage: str, missing: Mapping[str, Trial]
) -> None:
    store = session.store
    if session.backend in ISOLATING:
        for source in {trial.configuration.source for trial in missing.values()}:
            if not session.plan.experiment.specification.trainer:
                hand_over(load(source), session.workspace.data)
    cohorts = _cohorts(session, list(missing.values()))
    title, waiting = step_title(session.plan.experiment.specification, stage), False
    with (
        _clocked(store),
        progress(title, map(cohort_cost, cohorts), len(missing)) as advance,
        _Keeping(store, session.workspace.checkpoints, missing, advance) as keeping,
    ):
        for ended in dispatch.run(
            cohorts,
            lambda: session.stopping,
            lambda cohort: session.limit.fits(MICROSECONDS * cohort_cost(cohort)),
        ):
            for cohort, outcomes in ended:
                session.limit.took(MICROSECONDS * cohort_cost(cohort), _seconds(outcomes))
            if session.interruption.stopping and dispatch.running and not waiting:
                waiting = True
                tell(f"waiting for {counted(dispatch.running, 'trial')} under way")
            keeping.take(ended)
            store.checkpoint(if_due=True)
    store.checkpoint()


def _cohorts(session: _Session, missing: Sequence[Trial]) -> list[Cohort]:
    cut = unfinished_cohorts(session.workspace.checkpoints, missing)
    going_on = {trial.identity for cohort in cut for trial in cohort.trials}
    rest = [trial for trial in missing if trial.identity not in going_on]
    return cut + plan(rest, session.jobs)


@dataclass
class _Keeping:
    """Stores what has ended, together with what ended just before, and only then reports it."""

    store: Store
    checkpoints: Path
    missing: Mapping[str, Trial]
    advance: Advance
    ended: Ended = field(default_factory=list)
    kept: float = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._keep()

    def take(self, ended: Ended) -> None:
        """Take cohorts that have ended, if any."""
        self.ended += ended
        if time.monotonic() - self.kept >= KEEP_SECONDS:
            self._keep()

    def _keep(self) -> None:
        ended = [outcomes for _, outcomes in self.ended]
        outcomes = [outcome for cohort in ended for outcome in cohort]
        if outcomes:
            trials = [self.missing[outcome.trial] for outcome in outcomes]
            for trial in self.store.add(trials, outcomes):
                tell(f"note: trial {trial} gave another result than the stored one, which is kept.")
        for cohort in ended:
            names = [outcome.trial for outcome in cohort]
            checkpoint_path(self.checkpoints, names).unlink(missing_ok=True)
            shutil.rmtree(self.checkpoints / names[0], ignore_errors=True)
        self.advance([cohort_cost(cohort) for cohort, _ in self.ended], len(outcomes))
        self.ended = []
        self.kept = time.monotonic()


def _seconds(outcomes: Sequence[Outcome]) -> float:
    """Return how long a cohort was trained: until the last of its trials ended."""
    return len(outcomes) * max(outcome.train_seconds for outcome in outcomes)


@contextmanager
def _clocked(store: Store) -> Iterator[None]:
    """Add the time spent to what earlier sessions spent, however this one ends."""
    started = time.perf_counter()
    try:
        yield
    finally:
        spent = time.perf_counter() - started
        before = sessions_of(store.facts()).sweep_seconds
        store.set_facts({"sweep_seconds": repr(before + spent)})
