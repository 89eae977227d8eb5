"""What Optuna and MLflow show of a study that `bpsweep export` wrote for them.

python benchmarks/exports/load_exports.py FOLDER
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import mlflow
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    storage = JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        states = Counter(trial.state.name for trial in study.trials)
        points = sum(len(trial.intermediate_values) for trial in study.trials)
        print(f"Optuna {optuna.__version__}, {name}: {dict(states)}, {points} intermediate values")
        print(f"{study.direction.name} {study.metric_names}: {study.best_value}")
        print(study.best_params)
    mlflow.set_tracking_uri(f"sqlite:///{folder.absolute() / 'mlflow.db'}")
    runs = mlflow.search_runs(experiment_names=["bpsweep"])
    points = sum(
        len(mlflow.MlflowClient().get_metric_history(run, "validation_loss"))
        for run in runs["run_id"]
    )
    states = Counter(runs["status"])
    print(f"MLflow {mlflow.__version__}: {dict(states)}, {points} validation losses")
    names = [name for name in map(str, runs) if name.startswith(("metrics.", "params."))]
    print(runs[names].describe(include="all").T[["count", "unique", "min", "max"]])
