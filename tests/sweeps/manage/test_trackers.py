"""Optuna and MLflow load what is exported for them, and the runs in it give the same answer."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from faults import configuration
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from refused import refusal, states
from stored import outcome

from reports.output.json import answer_content
from reports.text.instruction import answer_lines
from sweeps import analyze
from sweeps.design.trials import Trial, settings_of
from sweeps.errors import EnvironmentFailedError
from sweeps.manage.export import export
from sweeps.store import Store
from sweeps.worker.train import FINAL_VALUES

SIZES, RATES, SEEDS = (4, 16, 64), (0.1, 0.4, 1.6), range(6)
METRIC = "validation_accuracy"


def accuracy(size: int, rate: float, seed: int) -> float:
    noise = 0.01 * math.sin(100 * size + 10 * rate + seed)
    slope = 0.05 * math.log(rate / 0.4) ** 2 + 0.05 * (math.log2(size) - 4) ** 2 / 4
    return round(0.9 - slope + noise, 6)  # the first pandas 3 reads longer texts inexactly


def grid(metric: str = "accuracy") -> list[Trial]:
    shared = replace(configuration(), metric=metric)
    return [
        Trial(replace(shared, batch_size=size), settings_of("sgd", rate, {}), seed)
        for size in SIZES
        for rate in RATES
        for seed in SEEDS
    ]


def study(folder: Path, trials: list[Trial]) -> Path:
    """Return the folder of a study with two trials that diverged and one that failed."""
    nothing = dict.fromkeys(FINAL_VALUES, math.nan) | {"judged_at_update": -1}
    diverged = nothing | {"status": "diverged", "diverged_at_update": 10}
    failed = nothing | {"status": "error", "error": "no reason", "curve": np.empty((0, 10))}
    with Store.write(folder, "grid") as store:
        for number, trial in enumerate(trials):
            size, rate = trial.configuration.batch_size, trial.learning_rate
            value = accuracy(size, rate, trial.seed)
            values = {"validation_metric": value, "train_seconds": 0.1 / size}
            store.add([trial], [outcome(trial, **(diverged if number < 2 else values))])
        last = replace(trials[0], seed=99)
        store.add([last], [outcome(last, **failed)])
    return folder


def exported(folder: Path, kind: str, out: Path) -> Path:
    (path,), _ = export(folder, out, kind)
    return path


def said(path: Path) -> tuple[str, list[str]]:
    """Return the answers to exported runs, as JSON and in words."""
    (group,) = analyze(path, metric=METRIC).analysis.groups
    content = json.dumps([answer_content(each) for each in group.answers])
    lines = answer_lines(group)
    named, *lines = (text.replace(group.plan.metric, METRIC) for text in (content, *lines))
    return named, lines


def storage_of(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


@pytest.mark.filterwarnings("ignore")  # MLflow's
def test_runs_give_the_same_answer_in_every_format(tmp_path: Path) -> None:
    folder = study(tmp_path / "study", grid())
    table, trials, database = (
        exported(folder, kind, tmp_path) for kind in ("wandb-csv", "optuna", "mlflow")
    )
    answers, lines = said(table)
    assert lines[0].startswith("Use batch size 16 with learning rate 0.4.")
    assert said(trials) == (answers, lines)
    assert said(database) == (answers, lines)
    for path in (table, trials, database):
        assert analyze(path, metric=METRIC).analysis.counts.diverged == 2
    check_in_mlflow(database)


def check_in_mlflow(database: Path) -> None:
    """Load runs with MLflow itself."""
    import mlflow  # noqa: PLC0415 - takes seconds

    client = mlflow.MlflowClient(f"sqlite:///{database}")
    (experiment,) = client.search_experiments(filter_string="name = 'bpsweep'")
    runs = client.search_runs([experiment.experiment_id])
    assert Counter(run.info.status for run in runs) == {"FINISHED": 54, "FAILED": 1}
    assert sum(math.isnan(run.data.metrics.get(METRIC, 0)) for run in runs) == 2
    (run,) = client.search_runs(
        [experiment.experiment_id],
        "params.batch_size = '4' and params.learning_rate = '0.1' and params.seed = '2'",
    )
    assert run.data.metrics[METRIC] == accuracy(4, 0.1, 2)
    assert (run.data.metrics["updates"], run.data.tags["status"]) == (10, "ok")
    curve = client.get_metric_history(run.info.run_id, METRIC)
    assert [(point.step, point.value) for point in curve][:2] == [(0, 0.5), (5, 0.75)]


def test_optuna_loads_a_study_with_its_parameters(tmp_path: Path) -> None:
    path = exported(study(tmp_path / "study", grid()), "optuna", tmp_path)
    loaded = optuna.load_study(study_name="accuracy", storage=storage_of(path))
    assert loaded.direction == optuna.study.StudyDirection.MAXIMIZE
    assert loaded.metric_names == [METRIC]
    assert loaded.trials[0].distributions == {
        "batch_size": IntDistribution(4, 64, log=True),
        "learning_rate": FloatDistribution(0.1, 1.6, log=True),
        "seed": IntDistribution(0, 99),
    }
    kinds = [trial.state for trial in loaded.trials]
    assert kinds == [TrialState.COMPLETE] * 54 + [TrialState.FAIL]
    assert [trial.value for trial in loaded.trials[:2]] == [-math.inf, -math.inf]
    assert loaded.trials[2].params == {"batch_size": 4, "learning_rate": 0.1, "seed": 2}
    assert loaded.trials[2].value == accuracy(4, 0.1, 2)
    assert loaded.trials[2].intermediate_values == {0: 0.5, 5: 0.75, 10: 1}


def test_a_loss_is_minimized(tmp_path: Path) -> None:
    path = exported(study(tmp_path / "study", grid("neg_mae")), "optuna", tmp_path)
    loaded = optuna.load_study(study_name="mae", storage=storage_of(path))
    assert loaded.direction == optuna.study.StudyDirection.MINIMIZE
    assert loaded.trials[0].value == math.inf
    assert loaded.trials[2].value == -accuracy(4, 0.1, 2)
    again = analyze(path, loss="validation_mae").trials
    assert (again["status"] == "diverged").sum() == 2


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_journal_that_optuna_wrote_is_read_as_its_table(tmp_path: Path) -> None:
    def objective(trial: optuna.Trial) -> float:
        size = trial.suggest_categorical("batch_size", [8, 32, 128])
        rate = trial.suggest_float("lr", 0.01, 1, log=True)
        trial.set_user_attr("updates", 10 * trial.number + 1)
        if trial.number == 3:
            raise optuna.TrialPruned
        return size * rate

    storage = storage_of(tmp_path / "journal.log")
    for name in ("deleted", "kept"):
        sampler = optuna.samplers.RandomSampler(seed=0)
        loaded = optuna.create_study(storage=storage, study_name=name, sampler=sampler)
        loaded.set_metric_names(["val_loss"])
        loaded.optimize(objective, n_trials=8)
    optuna.delete_study(study_name="deleted", storage=storage)
    expected = analyze(loaded.trials_dataframe(), loss="val_loss").trials
    trials = analyze(tmp_path / "journal.log", loss="val_loss").trials
    assert len(trials) == 7
    names = ["batch_size", "learning_rate", "updates", "validation_metric"]
    pd.testing.assert_frame_equal(trials[names], expected[names])


def test_without_mlflow_its_format_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.store.tracking.sqlalchemy_store", None)
    arguments = (tmp_path / "study", tmp_path / "out", "mlflow")
    text = refusal(export, *arguments, error=EnvironmentFailedError)
    states(text, "pip install 'bpsweep[mlflow]'")
    assert not (tmp_path / "out").exists()
