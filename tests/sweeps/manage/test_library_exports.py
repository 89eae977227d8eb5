"""What other libraries export is read with no option but the metric's name.

The files are in `benchmarks/exports/results`, made by the scripts next to them; Weights & Biases'
headers are written by hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweeps import analyze

RESULTS = Path(__file__).parents[3] / "benchmarks" / "exports" / "results"
SIZES = [4, 8, 16, 32, 64]
RATES = [0.03, 0.1, 0.3, 1.0]


@pytest.mark.parametrize(
    ("name", "loss", "runs", "sizes", "rates"),
    [
        ("mlflow.csv", "val_loss", 20, SIZES, RATES),
        ("lightning", "val_loss", 16, SIZES[1:], RATES),
        ("hugging_face", "eval_loss", 12, [8, 16, 32], [0.001, 0.003, 0.01, 0.03]),
        ("wandb_runs.csv", "val_loss", 40, SIZES, RATES),
        ("wandb_history.csv", "val_loss", 20, SIZES, RATES),
    ],
)
def test_a_grid_is_read_as_it_was_trained(
    name: str, loss: str, runs: int, sizes: list[int], rates: list[float]
) -> None:
    results = analyze(RESULTS / name, loss=loss)
    (group,) = results.analysis.groups
    assert len(results.trials) == runs
    assert results.trials["validation_metric"].notna().all()
    assert {*results.trials["batch_size"]} == {*sizes}
    assert {*results.trials["learning_rate"]} == {*rates}
    assert group.plan.metric.endswith(loss)
    cells = results.trials.groupby(["batch_size", "learning_rate"]).size()
    assert {*cells} == {runs // (len(sizes) * len(rates))}


@pytest.mark.parametrize(
    ("name", "loss"),
    [("optuna.csv", "value"), ("optuna_named.csv", "val_loss"), ("optuna.db", "value")],
)
def test_a_random_search_is_read_without_its_pruned_trials(name: str, loss: str) -> None:
    table = pd.read_csv(RESULTS / "optuna.csv")
    complete = table[table["state"] == "COMPLETE"]
    trials = analyze(RESULTS / name, loss=loss).trials.sort_values("learning_rate")
    expected = complete.sort_values("params_lr")
    assert 10 < len(expected) < len(table)
    assert trials["batch_size"].tolist() == expected["params_batch_size"].tolist()
    np.testing.assert_allclose(trials["learning_rate"], expected["params_lr"], rtol=1e-12)
    np.testing.assert_allclose(-trials["validation_metric"], expected["value"], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "loss", "points"), [("lightning", "val_loss", 48), ("hugging_face", "eval_loss", 36)]
)
def test_every_evaluation_of_a_log_is_on_its_curve(name: str, loss: str, points: int) -> None:
    results = analyze(RESULTS / name, loss=loss)
    curves = results.curves.merge(results.trials[["trial", "batch_size"]], on="trial")
    assert len(curves) == points
    # Three epochs of 1,257 examples, in logs that count from 0 or 1.
    last = curves.groupby("batch_size")["updates"].max()
    assert all(abs(last[size] - 3 * -(-1257 // size)) <= 1 for size in last.index)
