"""Files of runs, as trainers leave them behind, become one table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.stats.models.steps_to_target import IN_RANGE, fit_steps_to_target
from sweeps import analyze
from sweeps.errors import DataError, UsageError
from sweeps.manage.run_tables import read_run_files

POINTS = Path(__file__).parents[3] / "benchmarks" / "mlperf_reference_points.csv"
CELLS = [(size, rate) for size in (8, 16, 32, 64) for rate in (0.05, 0.1, 0.2)]


def loss(size: int, rate: float) -> float:
    """Return a loss that is least at batch size 22 and rate 0.1."""
    off = abs(size / 22 - 1) + 3 * abs(rate - 0.1)
    return 1 + off


def test_a_table_is_read_by_its_content(tmp_path: Path) -> None:
    frame = pd.DataFrame([(*cell, loss(*cell)) for cell in CELLS], columns=["bs", "lr", "val_loss"])
    for name, write in {
        "runs.csv": lambda path: frame.to_csv(path, index=False),
        "runs.tsv": lambda path: frame.to_csv(path, index=False, sep="\t"),
        "runs.jsonl": lambda path: frame.to_json(path, orient="records", lines=True),
    }.items():
        write(tmp_path / name)
        read, notes = read_run_files([str(tmp_path / name)])
        np.testing.assert_allclose(read.astype("float64"), frame)
        assert notes == []


def test_a_trainer_state_is_a_run(tmp_path: Path) -> None:
    for size, rate in CELLS:
        state = {
            "train_batch_size": size,
            "log_history": [
                {"step": 10, "learning_rate": rate, "loss": 2.0},
                {"step": 10, "eval_loss": 2.5},
                {"step": 20, "learning_rate": rate / 2, "loss": 1.0},
                {"step": 20, "eval_loss": loss(size, rate)},
            ],
            "best_metric": None,
        }
        folder = tmp_path / f"bs{size}-{rate}" / "checkpoint-20"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text(json.dumps(state))
    results = analyze(tmp_path, loss="eval_loss")
    assert len(results.trials) == len(CELLS)
    assert len(results.curves) == 2 * len(CELLS)
    assert {*results.trials["learning_rate"]} == {0.05, 0.1, 0.2}
    assert results.trials["validation_metric"].max() == -loss(16, 0.1)
    assert {*results.trials["batch_size"]} == {8, 16, 32, 64}


def test_settings_beside_a_log_and_in_its_path_are_columns(tmp_path: Path) -> None:
    for number, (size, rate) in enumerate(CELLS):
        folder = tmp_path / f"version_{number}"
        folder.mkdir()
        rows = f"epoch,step,val_loss\n0,9,2.5\n1,19,{loss(size, rate)}\n"
        (folder / "metrics.csv").write_text(rows)
        (folder / "hparams.yaml").write_text(f"batch_size: {size}\nlr: {rate}\nnote: [1]\n")
    results = analyze([str(tmp_path)])
    assert len(results.trials) == len(CELLS)
    assert len(results.curves) == 2 * len(CELLS)
    flat = tmp_path / "flat"
    flat.mkdir()
    for size, rate in CELLS:
        text = f"epoch,val_loss\n0,2.5\n1,{loss(size, rate)}\n"
        (flat / f"bs{size}_lr{rate}.csv").write_text(text)
    assert {*analyze(flat).trials["batch_size"]} == {8, 16, 32, 64}


def test_mistakes_name_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("size,final\n8,0.5\n16,0.4\n")
    with pytest.raises(UsageError, match="--batch-size"):
        analyze(tmp_path / "runs.csv")
    with pytest.raises(DataError, match=r"runs\.csv"):
        analyze(tmp_path / "rums.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no runs"):
        analyze(tmp_path / "empty")


@pytest.mark.parametrize("items", [0, -1, float("nan"), float("inf")])
def test_an_example_consists_of_something(items: float) -> None:
    frame = pd.DataFrame({"bs": [8, 16], "val_loss": [0.5, 0.4]})
    with pytest.raises(UsageError, match="--examples-per-item"):
        analyze(frame, examples_per_item=items)


def reference_points(seeds: int, scatter: float) -> pd.DataFrame:
    """Return runs of MLPerf's benchmarks, whose geometric means are the published points."""
    points = pd.read_csv(POINTS, comment="#")
    # Epochs or examples to the target; with either, updates in some unit, often below 1.
    points["steps"] = points["mean"] / points["batch_size"]
    logs = np.random.default_rng(0).normal(0, scatter, (len(points), seeds))
    logs -= logs.mean(axis=1, keepdims=True)
    runs = points.loc[points.index.repeat(seeds)].reset_index(drop=True)
    runs["steps"] *= np.exp(logs.ravel())
    return runs.assign(seed=np.tile(np.arange(seeds), len(points)))


@pytest.mark.parametrize(("seeds", "scatter"), [(1, 0.0), (3, 0.01), (8, 0.5)])
def test_reference_points_of_mlperf_are_fitted_as_they_are(
    tmp_path: Path, seeds: int, scatter: float
) -> None:
    runs = reference_points(seeds, scatter)
    runs.to_csv(tmp_path / "points.csv", index=False)
    results = analyze(tmp_path / "points.csv", by=["benchmark"], steps="steps")
    rough, critical = set(), {}
    for group in results.analysis.groups:
        name = group.plan.group.removeprefix("benchmark=")
        rows = runs[runs["benchmark"] == name]
        fit = fit_steps_to_target(rows["batch_size"], rows["steps"])
        assert group.scaling.main is not None
        shown = group.scaling.main.fit
        assert (shown.runs, shown.plateau) == (len(rows), fit.plateau)
        assert shown.poor_fit == fit.poor_fit
        if fit.poor_fit:
            rough.add(name)
        if fit.plateau == IN_RANGE:
            critical[name] = shown.critical_batch_size
            assert critical[name] == pytest.approx(fit.critical_batch_size, rel=1e-6)
    assert len(results.analysis.groups) == 14
    assert critical["resnet"] == pytest.approx(46_464, rel=1e-3)
    assert critical["bert"] == pytest.approx(7_020, rel=1e-3)
    assert critical["deepcam"] == pytest.approx(834, rel=1e-3)
    assert len(critical) == 9
    # Where seeds scatter as widely as a curve misses, its misses show no lack of fit.
    more = {"bert", "gpt3", "retinanet", "unet3d"} if scatter < 0.1 else set()
    assert rough == {"cosmoflow", *more}
