"""A worker's outcomes: the engine's numbers, however often training is cut; nothing heavy."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faults import CutError, cohort, cut_after, made, stable
from refused import entered, refusal, states

from bpengine import Budget, Examples, Trainer, evaluate, train
from bpengine.diagnostics.sharpness import sharpness, top_eigenvalue
from bpengine.network import permutation
from bpengine.passes.compiled import KERNEL, NUMPY
from sweeps import Study
from sweeps.data import registry as datasets
from sweeps.data.splits import prepare, target_scaling
from sweeps.design.engine_recipe import recipe_of
from sweeps.design.trials import Cohort
from sweeps.errors import EnvironmentFailedError
from sweeps.worker import processes
from sweeps.worker import train as worker
from sweeps.worker.checkpoints import checkpoint_path, read_checkpoint
from sweeps.worker.train import (
    FINAL_VALUES,
    failed,
    limit_blas,
    one_blas_thread,
    run_cohort,
    threads,
)
from sweeps.worker.workspace import Workspace


def test_outcomes_are_what_the_engine_gives(workspace: Workspace) -> None:
    noise = {"noise_examples": 20, "noise_curvature": True, "noise_geometry": True}
    confirm = cohort(0.5, seeds=(3, 4), evaluate_test=True, **noise)
    configuration = confirm.configuration
    parts = [prepare(made(), configuration.preparation, seed) for seed in (3, 4)]
    trained = train(
        configuration.architecture,
        [split for split, _ in parts],
        [*map(dict, confirm.settings)],
        recipe_of(configuration),
    )
    tests = [test for _, test in parts]
    losses, metrics = evaluate(configuration.architecture, trained.parameters, tests)
    for index, outcome in enumerate(run_cohort(confirm, workspace)):
        assert (outcome.trial, outcome.status) == (confirm.trials[index].identity, "ok")
        assert (outcome.updates, outcome.examples) == (15, 108)
        assert (outcome.stopped_at_update, outcome.diverged_at_update) == (-1, -1)
        assert outcome.judged_at_update == 15
        finals = [getattr(outcome, name) for name in FINAL_VALUES[:4]]
        assert finals == outcome.curve[-1, 2:6].tolist()
        assert (outcome.test_loss, outcome.test_metric) == (losses[index, 0], metrics[index, 0])
        curves = trained.curves
        columns = (curves.examples, curves.updates, curves.train_loss, curves.train_metric)
        columns += (curves.held_out_loss, curves.held_out_metric, curves.gradient_trace)
        columns += (curves.gradient_squared_norm, curves.curvature_trace, curves.gradient_curvature)
        columns += (curves.geometry_trace, curves.geometry_squared_norm)
        for number, column in enumerate(columns):
            ours = column if column.ndim == 1 else column[:, index, 0]
            np.testing.assert_array_equal(outcome.curve[:, number], ours)
        assert np.isfinite(outcome.curve[:, :-2]).all()


LINEAR = {"activation": "identity", "output": "identity", "reduction": "sum"}


def test_divergence_is_a_result(workspace: Workspace) -> None:
    wild = cohort(0.1, 1e30, evaluate_test=True, **LINEAR)
    for trial, outcome in zip(wild.trials, run_cohort(wild, workspace), strict=True):
        if trial.learning_rate == 0.1:
            assert (outcome.status, outcome.diverged_at_update) == ("ok", -1)
            assert np.isfinite(outcome.curve[:, :6]).all()
        else:
            assert outcome.status == "diverged"
            assert 1 <= outcome.diverged_at_update <= 3
            assert outcome.updates == outcome.diverged_at_update
            assert (outcome.curve[:, 1] < outcome.updates).all()
            assert outcome.judged_at_update == -1
            assert np.isnan([getattr(outcome, name) for name in FINAL_VALUES]).all()


def test_early_stops_are_reported(workspace: Workspace) -> None:
    (outcome,) = run_cohort(cohort(0.5, seeds=(1,), target=0.0), workspace)
    assert (outcome.status, outcome.stopped_at_update) == ("ok", 0)


@pytest.mark.usefixtures("loadable")
def test_data_that_are_not_what_was_planned_are_refused(workspace: Workspace) -> None:
    text = refusal(run_cohort, cohort(0.1, fingerprint="old"), workspace)
    states(text, "made-fingerprint", "not old")


def test_without_a_workspace_the_dataset_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    # One that no other test has left loaded.
    monkeypatch.setattr(datasets, "load", lambda _source: replace(made(), fingerprint="another"))
    failures = run_cohort(cohort(0.1, fingerprint="another"))
    assert {outcome.status for outcome in failures} == {"ok"}


LONG = {"budget": Budget(epochs=200), "batch_size": 5, "optimizer": "sgd"}


def test_trials_of_a_cohort_began_and_ended_together(workspace: Workspace) -> None:
    before = time.time()
    outcomes = run_cohort(cohort(0.1, 0.2), workspace)
    after = time.time()
    ((started, ended),) = {(outcome.started, outcome.ended) for outcome in outcomes}
    assert before <= started <= ended <= after + 0.001
    assert 0 < sum(outcome.train_seconds for outcome in outcomes) <= ended - started


def test_a_cohort_that_goes_on_does_nothing_again_and_began_with_its_last_session(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = cohort(0.1, **LONG)
    cut_after(monkeypatch, 5)
    with pytest.raises(CutError):
        run_cohort(long, workspace)
    cut_after(monkeypatch, 10**9)
    names = [trial.identity for trial in long.trials]
    state = read_checkpoint(checkpoint_path(workspace.checkpoints, names), names)
    assert state is not None
    seen: list[float] = []
    restore = Trainer.restore

    def noted(trainer: Trainer, state: Any) -> None:
        seen.append(float(state["examples"]))
        restore(trainer, state)

    monkeypatch.setattr(Trainer, "restore", noted)
    between = time.time()
    first, *_ = outcomes = run_cohort(long, workspace)
    assert 0 < seen[0] <= first.examples
    assert between <= first.started <= first.ended
    # What was done before counts for the time it took, not for when it ran.
    assert 0 < state["seconds"].max() < sum(outcome.train_seconds for outcome in outcomes)


def test_a_clock_that_is_set_back_does_not_end_a_cohort_before_it_began(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(1e9, -1000.0)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    first, *_ = run_cohort(cohort(0.1), workspace)
    assert first.started <= first.ended < first.started + 60


@pytest.mark.usefixtures("loadable")
def test_a_cohort_in_which_no_lane_learns_any_more_is_not_trained_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = cohort(1e30, **LONG, **LINEAR)
    cut_after(monkeypatch, 10**9)
    whole = stable(run_cohort(dead))
    assert stable(run_cohort(dead, workspace)) == whole
    configuration = dead.configuration
    splits = [prepare(made(), configuration.preparation, seed)[0] for seed in dead.seeds]
    uncut = train(
        configuration.architecture, splits, [*map(dict, dead.settings)], recipe_of(configuration)
    )
    assert [outcome.updates for outcome in run_cohort(dead)] == uncut.updates.ravel().tolist()


def test_a_trial_that_takes_too_long_is_ended(workspace: Workspace) -> None:
    long = cohort(0.1, 0.2, evaluate_test=True, budget=Budget(epochs=3000))
    for outcome in run_cohort(long, workspace, trial_seconds=0.01):
        assert outcome.status == "timeout"
        assert 0.01 < outcome.train_seconds < 1
        states(outcome.error, f"{outcome.train_seconds:.3g} s", "0.01 s")
        assert outcome.updates > 0
        assert len(outcome.curve) > 1
        assert np.isnan(outcome.test_loss)


def test_a_limit_that_is_kept_changes_nothing(workspace: Workspace) -> None:
    limited = stable(run_cohort(cohort(0.1), workspace, trial_seconds=60.0))
    assert limited == stable(run_cohort(cohort(0.1), workspace))


def test_a_budget_in_seconds_is_not_cut(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_after(monkeypatch, 1)
    timed = cohort(0.1, budget=Budget(seconds=0.02))
    assert {outcome.status for outcome in run_cohort(timed, workspace)} == {"ok"}


def test_training_can_be_abandoned(workspace: Workspace) -> None:
    processes.abandoned.set()
    try:
        with pytest.raises(processes.Abandoned):
            run_cohort(cohort(0.1), workspace)
    finally:
        processes.abandoned.clear()


def test_prepared_data_are_kept_as_long_as_there_is_memory(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []

    def counted(dataset: Any, preparation: Any, seed: int) -> Any:
        prepared.append(seed)
        return prepare(dataset, preparation, seed)

    monkeypatch.setattr(worker, "prepare", counted)
    kept: dict[Any, Any] = {}
    monkeypatch.setattr(worker, "_prepared_parts", kept)
    for _ in range(2):
        run_cohort(cohort(0.1, seeds=(1, 2)), workspace)
    assert prepared == [1, 2]
    monkeypatch.setattr(worker, "PREPARED_BYTES", 5000)
    run_cohort(cohort(0.1, seeds=(3, 4, 5)), workspace)
    assert 0 < len(kept) < 3


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threads().info() if library["user_api"] == "blas"}


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Let BLAS use two threads, wherever this runs."""
    with threads().limit(limits=2, user_api="blas"):
        yield


@pytest.mark.usefixtures("two_threads")
def test_one_blas_thread_meanwhile_and_for_good() -> None:
    assert blas_threads() == {2}
    with one_blas_thread():
        assert blas_threads() == {1}
    assert blas_threads() == {2}
    limit_blas.cache_clear()
    limit_blas()
    assert blas_threads() == {1}
    limit_blas.cache_clear()


@pytest.mark.usefixtures("two_threads")
def test_a_number_of_threads_that_another_thread_controls_is_reported() -> None:
    with ThreadPoolExecutor(1) as other:
        enter = other.submit(refusal, entered, one_blas_thread(), error=EnvironmentFailedError)
    states(enter.result(), "BLAS uses 2 threads")


def test_what_gave_nothing_has_no_numbers() -> None:
    lost: Cohort = cohort(0.1)
    for trial, outcome in zip(lost.trials, failed(lost, "crashed", "why"), strict=True):
        assert outcome.trial == trial.identity
        assert (outcome.status, outcome.error, outcome.updates) == ("crashed", "why", 0)
        assert outcome.curve.shape == (0, worker.CURVE_WIDTH)
        assert np.isnan([outcome.started, outcome.ended]).all()


def test_a_worker_imports_nothing_heavy() -> None:
    modules = "sweeps.worker.train, sweeps.worker.tasks, sweeps.worker.isolated"
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"matplotlib", "pandas", "pydantic", "rich", "scipy", "seaborn", "sklearn", "joblib"}
    assert not heavy & set(loaded.stdout.split())


def test_what_is_not_asked_for_is_not_measured(workspace: Workspace) -> None:
    for outcome in run_cohort(cohort(0.1, 0.2), workspace):
        assert np.isnan([outcome.test_loss, outcome.test_metric]).all()
        assert np.isnan(outcome.curve[:, 6:]).all()


def test_the_mae_of_one_target_is_in_its_own_unit() -> None:
    keys: dict[str, Any] = {"batch_sizes": 16, "learning_rates": 0.01, "seeds": 3, "epochs": 2}
    trial = Study(dataset="diabetes", metric="mae", **keys).experiment.explored[0].trial
    configuration = replace(trial.configuration, evaluate_test=True)
    (outcome,) = run_cohort(Cohort(configuration, (3,), (trial.settings,)))
    (standard,) = run_cohort(Cohort(replace(configuration, metric="r2"), (3,), (trial.settings,)))
    dataset = datasets.load(configuration.source)
    ((scale,),) = [target_scaling(dataset, configuration.preparation, 3)[1]]
    split, test = prepare(dataset, configuration.preparation, 3)
    trained = train(
        configuration.architecture, [split], [dict(trial.settings)], recipe_of(configuration)
    )
    _, metric = evaluate(configuration.architecture, trained.parameters, [test], metric="neg_mae")
    assert outcome.test_metric == metric.item() * scale
    assert outcome.validation_metric == trained.curves.held_out_metric[-1].item() * scale
    assert outcome.curve[-1, 5] == outcome.validation_metric
    assert outcome.train_loss == standard.train_loss


def test_sharpness_is_that_of_the_judged_network_over_drawn_examples(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MOST_SHARP", 20)
    measured = cohort(0.5, 0.1, seeds=(3, 4), evaluate_test=True, sharpness=True)
    configuration = measured.configuration
    splits = [prepare(made(), configuration.preparation, seed)[0] for seed in (3, 4)]
    trained = train(
        *(configuration.architecture, splits, [*map(dict, measured.settings)]),
        recipe_of(configuration),
    )
    drawn = [permutation(split.seed, "sharpness", len(split.train.inputs))[:20] for split in splits]
    examples = [
        Examples(split.train.inputs[rows], split.train.targets[rows])
        for split, rows in zip(splits, drawn, strict=True)
    ]
    network = (configuration.architecture, trained.parameters, examples)
    expected = [sharpness(*network).ravel(), top_eigenvalue(*network).value.ravel()]
    outcomes = run_cohort(measured, workspace)
    actual = [(outcome.sharpness, outcome.top_eigenvalue) for outcome in outcomes]
    np.testing.assert_array_equal(np.transpose(actual), expected)
    (plain, *_) = run_cohort(cohort(0.5, seeds=(3,), evaluate_test=True), workspace)
    assert np.isnan([plain.sharpness, plain.top_eigenvalue]).all()


@pytest.mark.parametrize("numerics", [KERNEL, NUMPY])
def test_a_trial_is_stopped_at_its_training_loss(workspace: Workspace, numerics: str) -> None:
    shared: dict[str, Any] = {"seeds": (3,), "numerics": numerics}
    (whole,) = run_cohort(cohort(0.5, **shared), workspace)
    losses = whole.curve[:, 2]
    (missed,) = run_cohort(cohort(0.5, **shared, stop_loss=float(losses.min()) / 2), workspace)
    assert stable([replace(missed, trial=whole.trial)]) == stable([whole])
    (stopped,) = run_cohort(cohort(0.5, **shared, stop_loss=float(losses[2])), workspace)
    first = int(np.flatnonzero(losses <= losses[2])[0])
    assert stopped.stopped_at_update == whole.curve[first, 1]
    assert stopped.train_loss == losses[first]
    np.testing.assert_array_equal(stopped.curve, whole.curve[: first + 1])
