"""A random search by Optuna 5.0.0: its table of trials, and the file of its storage."""

from __future__ import annotations

import sqlite3

import optuna
from digits import BATCH_SIZES, LEARNING_RATES, RESULTS, train

STORAGE = RESULTS / "optuna.db"
TRIALS = 40


def objective(trial: optuna.Trial) -> float:
    """Return the loss of a trial's network on the validation set, unless it is pruned."""
    batch_size = trial.suggest_categorical("batch_size", BATCH_SIZES)
    lr = trial.suggest_float("lr", LEARNING_RATES[0], LEARNING_RATES[-1], log=True)
    for epoch in train(batch_size, lr):
        trial.report(epoch.val_loss, epoch.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return epoch.val_loss


if __name__ == "__main__":
    STORAGE.unlink(missing_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{STORAGE}",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.PercentilePruner(75.0, n_startup_trials=10, n_warmup_steps=1),
    )
    study.optimize(objective, n_trials=TRIALS)
    study.trials_dataframe().to_csv(RESULTS / "optuna.csv")
    study.set_metric_names(["val_loss"])
    study.trials_dataframe().to_csv(RESULTS / "optuna_named.csv", index=False)
    with sqlite3.connect(STORAGE, isolation_level=None) as database:
        database.execute("PRAGMA page_size = 512")
        database.execute("VACUUM")
