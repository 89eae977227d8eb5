"""A trial of a user's trainer: calling it, and what is made of what it yields."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bpengine.network import Array
from sweeps.data.trainer_code import digest_of, files_of
from sweeps.design import Cohort, Trial
from sweeps.errors import shown
from sweeps.worker.branching import branches_at, in_branch
from sweeps.worker.train import CURVE_WIDTH, DIVERGED, OK, TIMEOUT, Outcome
from sweeps.worker.trainer import Clock, Evaluation, OutOfTimeError, TrainerError, TrainerTrial
from sweeps.worker.workspace import Workspace

OVERRUN = 1.05  # times the budget that an evaluation may be beyond, besides a batch


def run_trainer(
    cohort: Cohort, workspace: Workspace | None = None, trial_seconds: float | None = None
) -> list[Outcome]:
    """Run a trainer for its one trial and return what that gave."""
    (trial,) = cohort.trials
    clock, began = Clock(trial_seconds), time.time()
    with alone(), folder_of(workspace, trial.identity) as folder:
        given, branches = TrainerTrial.of(trial, folder, clock), list[Array]()
        if trial.configuration.branching:
            late = not _carry_out_branches(trial, given, branches)
        else:
            late = not _carry_out(trial, given, _Record(folder))
    outcome = _outcome(trial, given, late=late)
    outcome = replace(outcome, curve=np.vstack([outcome.curve, *branches]))
    return [replace(outcome, train_seconds=clock.seconds, started=began, ended=time.time())]


class _Record:
    """The evaluations of a trial that was cut off, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".evaluations.json"

    def read(self) -> list[Evaluation]:
        """Return those before the cut."""
        with suppress(OSError, ValueError, TypeError):
            rows = json.loads(self._path.read_text("utf-8"))
            return [Evaluation(tuple(p), tuple(t), seconds=float(s)) for p, t, s in rows]
        return []

    def keep(self, evaluations: Sequence[Evaluation]) -> None:
        """Write them, whole or not at all. Failing to only costs time."""
        rows = [(each.point, each.test, each.seconds) for each in evaluations]
        with suppress(OSError):
            half = self._path.with_suffix(".half")
            half.write_text(json.dumps(rows), "utf-8")
            half.replace(self._path)


def _carry_out_branches(trial: Trial, given: TrainerTrial, branches: list[Array]) -> bool:
    """Train from point to point, and from each with larger batches; return whether in time."""
    configuration = trial.configuration
    state: Path | None = None
    for point in configuration.branching.at if configuration.branching else ():
        saved = given.folder / f"state-{point}"
        part = replace(given, load_from=state, save_to=saved, examples=point, cadence=(point,))
        in_time = _carry_out_part(trial, part)
        given.evaluations += part.evaluations
        if not in_time:
            return False
        last = part.evaluations[-1]
        if last.diverged:
            return True
        if not saved.exists():
            raise TrainerError(
                "The study has `branch`, but the trainer did not write its state to "
                "`trial.save_to` before its last evaluation."
            )
        state = saved
        for branch in branches_at(configuration, last.examples, configuration.train_items):
            part = replace(
                given,
                load_from=state,
                examples=branch.points[-1],
                cadence=branch.points[::-1],
                batch_size=branch.batch_size,
                learning_rate=branch.rate_factor * trial.learning_rate,
            )
            if not _carry_out_part(trial, part):
                return False
            curve = np.array([each.point for each in part.evaluations])[:, :-2]
            diverged = part.evaluations[-1].diverged
            branches.append(in_branch(curve, branch, diverged=diverged))
    return True


def _carry_out_part(trial: Trial, part: TrainerTrial) -> bool:
    """Train a part of a run, with evaluations of its own, and return whether that was in time."""
    part.evaluations, part.begun = [], False
    in_time = _carry_out(trial, part)
    if in_time and not part.evaluations:
        raise TrainerError("The trainer yielded no evaluation.")
    return in_time


def _carry_out(trial: Trial, given: TrainerTrial, record: _Record | None = None) -> bool:
    """Train to the end of the budget and return whether that was in time."""
    clock, evaluations = given.clock, given.evaluations
    evaluations += record.read() if record else []
    try:
        with ExitStack() as stack:
            for evaluation in yielded(trial, given, stack):
                clock.stop()
                _check(evaluation, given)
                evaluations.append(evaluation)
                if record:
                    record.keep(evaluations)
                if evaluation.diverged or evaluation.examples >= given.examples:
                    break
                clock.start()
    except OutOfTimeError:
        return False
    return True


def yielded(trial: Trial, given: TrainerTrial, stack: ExitStack) -> Iterator[Any]:
    """Yield what a trainer yields; the stack ends it."""
    source = trial.configuration.source
    trainer = function_of(source.name, source.path, source.content)
    # What is imported may use the common random numbers: it is once in a process.
    random.seed(trial.seed)
    np.random.seed(trial.seed % 2**32)  # noqa: NPY002 - what trainers may use
    given.clock.start()
    yielding = trainer(given)
    if not isinstance(yielding, Iterable):
        raise TrainerError(
            f"{source.name} must yield evaluations, but returned {shown(yielding)}: is there a "
            "`yield trial.evaluation(...)` in it?"
        )
    iterator = iter(yielding)
    if close := getattr(iterator, "close", None):
        stack.callback(_closed, close)
    yield from iterator


def _closed(close: Callable[[], None]) -> None:
    # One that goes on yielding is left where it is.
    with suppress(RuntimeError):
        close()


def _check(evaluation: object, given: TrainerTrial) -> None:
    if not isinstance(evaluation, Evaluation):
        raise TrainerError(
            f"A trainer must yield `trial.evaluation(...)`, but yielded {shown(evaluation)}."
        )
    given.begin(evaluation.examples)
    last = given.evaluations[-1] if given.evaluations else None
    before = last.examples if last else -1
    if evaluation.examples <= before or (last and evaluation.updates < last.updates):
        raise TrainerError(
            f"Evaluations must go on, but one after {evaluation.examples} examples came after one "
            f"after {before}."
        )
    most = OVERRUN * given.examples + given.batch_size
    if evaluation.examples > most:
        raise TrainerError(
            f"An evaluation came after {evaluation.examples} examples, but the budget is "
            f"{given.examples}: call `trial.due` after every update."
        )


def _outcome(trial: Trial, given: TrainerTrial, *, late: bool) -> Outcome:
    """Return what evaluations say of a trial; when is still open."""
    evaluations = given.evaluations
    kept = [evaluation for evaluation in evaluations if not evaluation.diverged]
    curve = np.array([each.point for each in kept]).reshape(-1, CURVE_WIDTH)
    if late:
        text = f"Took {given.clock.seconds:.3g} s, more than the {given.clock.limit:g} s allowed."
        return Outcome(trial.identity, TIMEOUT, text, curve=curve)
    if not evaluations:
        raise TrainerError("The trainer yielded no evaluation.")
    last = evaluations[-1]
    outcome = Outcome(
        trial.identity, DIVERGED, updates=last.updates, examples=last.examples, curve=curve
    )
    if last.diverged:
        return replace(outcome, diverged_at_update=last.updates)
    # An epoch may end with a batch less.
    early = given.examples - last.examples > given.batch_size * (
        trial.configuration.budget.epochs or 1
    )
    train_loss, train_metric, validation_loss, validation_metric = last.point[2:6]
    test_loss, test_metric = last.test
    lacks_loss = np.isnan(test_loss) and not np.isnan(validation_loss)
    if given.evaluate_test and (lacks_loss or np.isnan(test_metric)):
        raise TrainerError(
            "On a fresh seed the last evaluation must have the test values of what it has of the "
            "validation set. Where there is no test set, give those of the validation set again."
        )
    return replace(
        outcome,
        status=OK,
        stopped_at_update=last.updates if early else -1,
        judged_at_update=last.updates,
        train_loss=train_loss,
        train_metric=train_metric,
        validation_loss=validation_loss,
        validation_metric=validation_metric,
        test_loss=test_loss,
        test_metric=test_metric,
    )


@functools.lru_cache(maxsize=4)
def function_of(name: str, path: str, content: str) -> Callable[[TrainerTrial], Any]:
    """Import a trainer whose code is what it was when the study was planned."""
    where, _, function = name.rpartition(":")
    if digest_of(name, path) != content:
        raise TrainerError(
            f"{where} is not here what it was when the study was planned. Run the study again."
        )
    _forget(files_of(name, path))
    module = _module_at(Path(path)) if path else importlib.import_module(where)
    trainer: Callable[[TrainerTrial], Any] = getattr(module, function)
    return trainer


def _forget(files: Sequence[Path]) -> None:
    """Have files imported anew: a worker of a cluster may have read them before they changed."""
    paths = {str(file) for file in files}
    for name, module in [*sys.modules.items()]:
        if getattr(module, "__file__", None) in paths:
            del sys.modules[name]
    importlib.invalidate_caches()


def _module_at(path: Path) -> ModuleType:
    """Import a file under its own name, with the modules next to it at hand."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TrainerError(f"{path} can't be imported.")
    module = importlib.util.module_from_spec(spec)
    # What it defines is found again where it is sent to other processes.
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


@contextmanager
def alone() -> Iterator[None]:
    """Keep what a trainer does from the trials after it: its folder, output, copies of itself."""
    process, folder, no_bytecode = os.getpid(), Path.cwd(), sys.dont_write_bytecode
    # Bytecode counts as current by second and size, which a changed digit keeps.
    sys.dont_write_bytecode = True
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if os.getpid() != process:
            os._exit(0)  # a copy that the trainer made of this process
        os.chdir(folder)
        sys.dont_write_bytecode = no_bytecode


@contextmanager
def folder_of(workspace: Workspace | None, identity: str) -> Iterator[Path]:
    """Make a trial's own folder: what is in it stays until the trial has ended."""
    if workspace is None or not workspace.checkpoints.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    kept = workspace.checkpoints / identity
    kept.mkdir(exist_ok=True)
    yield kept
