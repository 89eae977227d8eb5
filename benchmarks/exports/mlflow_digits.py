"""A grid tracked by MLflow 3.17.2: the table of its runs."""

from __future__ import annotations

from contextlib import chdir
from itertools import product
from tempfile import TemporaryDirectory

import mlflow
from digits import BATCH_SIZES, LEARNING_RATES, RESULTS, train

if __name__ == "__main__":
    with TemporaryDirectory() as folder, chdir(folder):
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        mlflow.set_experiment("digits")
        for batch_size, lr in product(BATCH_SIZES, LEARNING_RATES):
            with mlflow.start_run():
                mlflow.log_params({"batch_size": batch_size, "learning_rate": lr, "seed": 0})
                for epoch in train(batch_size, lr):
                    losses = {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss}
                    accuracy = {"val_accuracy": epoch.val_accuracy}
                    mlflow.log_metrics(losses | accuracy, step=epoch.updates)
        mlflow.search_runs().to_csv(RESULTS / "mlflow.csv", index=False)
