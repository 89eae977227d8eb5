"""One suite for what trains: the rows are those of the protocol, whatever a trainer does."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.schema import StudyResults
from sweeps import Study
from sweeps.design import plan
from sweeps.errors import UsageError
from sweeps.worker import tasks
from sweeps.worker.run_trainer import run_trainer
from sweeps.worker.train import FINAL_VALUES
from sweeps.worker.trainer import Clock, TrainerError, TrainerTrial
from sweeps.worker.workspace import NAME, Workspace
from tests.sweeps.worker import trained

TRAINERS = Path(trained.__file__)


def study(function: str = "right", **changes: Any) -> Study:
    """Return a small study of a trainer of the tests."""
    keys: dict[str, Any] = {
        "trainer": f"{TRAINERS}:{function}",
        "training_examples": trained.EXAMPLES,
        "batch_sizes": [8, 16],
        "learning_rates": [0.1, 0.3],
        "seeds": [1, 2],
        "epochs": 2,
        "extensions": 0,
        "timing": False,
    }
    return Study("trained", **keys | changes)


def statuses(results: StudyResults) -> dict[str, tuple[str, str]]:
    """Return status and the last line of the error by what a trainer did."""
    rows = results.trials
    kinds = [text.removeprefix("how=") for text in rows["hyperparameters"]]
    lines = [text.strip().rpartition("\n")[2] for text in rows["error"]]
    return dict(zip(kinds, zip(rows["status"], lines, strict=True), strict=True))


ENDINGS = {
    "right": ("ok", ""),
    "raises": ("error", "ValueError: no such layer"),
    "leaves": ("error", "SystemExit: 3"),
    "leaks": ("error", "test_loss must be given only where `trial.evaluate_test` is true"),
    "backwards": ("error", "Evaluations must go on, but one after 8 examples came after one"),
    "beyond": ("error", "An evaluation came after 1000000 examples, but the budget is 128"),
    "strange": ("error", "A trainer must yield `trial.evaluation(...)`, but yielded 'nothing"),
    "no loss": ("error", "An evaluation must have validation_loss."),
    "text": ("error", "ValueError: could not convert string to float: 'small'"),
    "not a number": ("diverged", ""),
    "diverges": ("diverged", ""),
    "early": ("ok", ""),
    "prints": ("ok", ""),
    "moves": ("ok", ""),
    "globals": ("ok", ""),
    "forks": ("ok", ""),
}
"""How trials end by what their trainer does: status, and how the last line of the error begins."""
DEATHS = {
    "dies": ("crashed", "It ended its process 3 times, the last time by exit code 3"),
    "dies once": ("ok", ""),
    "hangs": ("timeout", "It had not ended after 3 s and was killed."),
}
"""Those that take their process with them."""


def swaying(hows: list[str], tmp_path: Path, **running: Any) -> StudyResults:
    single = {"batch_sizes": 16, "learning_rates": 0.3, "seeds": 1, "trial_seconds": 1.0}
    return study("swaying", parameters={"how": hows}, **single).run(tmp_path / "study", **running)


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_whatever_a_trainer_does_is_a_row(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], backend: str
) -> None:
    hows = [how for how in ENDINGS if backend == "loky" or how != "forks"]
    here = Path.cwd()
    ended = statuses(swaying(hows, tmp_path, backend=backend))
    assert ended.keys() == {*hows}
    for how in hows:
        status, start = ENDINGS[how]
        assert ended[how][0] == status, ended[how]
        assert ended[how][1].startswith(start)
    assert Path.cwd() == here
    assert "surely" not in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_what_ends_its_process_is_a_row_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr(tasks, "HARD_SECONDS", 1.0)
    ended = statuses(swaying(["right", *DEATHS], tmp_path, backend=backend, n_jobs=2))
    for how, (status, start) in {"right": ("ok", ""), **DEATHS}.items():
        assert ended[how][0] == status, ended[how]
        assert ended[how][1].startswith(start)


def test_a_trainer_that_yields_nothing_is_an_error(tmp_path: Path) -> None:
    results = study("returning").run(tmp_path / "study", backend="sequential")
    assert {*results.trials["status"]} == {"error"}
    assert "must yield evaluations, but returned" in results.trials["error"][0]


def test_a_trainer_has_every_stage_and_the_same_rows_everywhere(tmp_path: Path) -> None:
    full = study(confirmation_seeds=[11, 12, 13], refinement_seeds=2, extensions=1)
    columns = ["trial", "stage", "validation_loss", "test_loss", "updates", "examples"]
    tables = [
        full.run(tmp_path / backend, backend=backend, n_jobs=jobs)
        .trials[columns]
        .sort_values(["stage", "trial"], ignore_index=True)
        for backend, jobs in (("sequential", 1), ("loky", 2))
    ]
    assert tables[0].equals(tables[1])
    assert {"explore", "extend", "confirm"} <= {*tables[0]["stage"]}
    fresh = tables[0]["stage"].isin(["confirm", "refine"])
    assert (tables[0]["test_loss"].notna() == fresh).all()
    assert {*tables[0]["examples"]} == {128}
    assert not any((tmp_path / backend / NAME).exists() for backend in ("sequential", "loky"))


def test_the_engine_as_a_trainer_gives_its_own_rows(tmp_path: Path) -> None:
    grid: dict[str, Any] = {
        "batch_sizes": [5, 30],
        "learning_rates": [0.3, 3.0],
        "seeds": [1, 2],
        "confirmation_seeds": [11, 12],
        "epochs": 3,
        "extensions": 1,
        "timing": False,
    }
    network = Study("iris", dataset="iris", **grid)
    items = network.experiment.groups[0].family.facts.train_items
    wrapped = study("engine", metric="accuracy", **grid | {"training_examples": items})
    tables = [
        each.run(tmp_path / each.specification.name, backend="sequential")
        for each in (network, wrapped)
    ]
    names = ["stage", "batch_size", "learning_rate", "seed"]
    values = ["status", "updates", "examples", "judged_at_update", *FINAL_VALUES]
    rows = [
        table.trials.sort_values(names)[names + values].reset_index(drop=True) for table in tables
    ]
    pd.testing.assert_frame_equal(rows[0], rows[1], check_exact=True)
    points = [
        table.curves.merge(table.trials[["trial", *names]], on="trial").drop(columns="trial")
        for table in tables
    ]
    points = [table[table["examples"] > 0].sort_values([*names, "examples"]) for table in points]
    first, second = (table.reset_index(drop=True) for table in points)
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_updates_are_timed_alone_at_every_batch_size(tmp_path: Path) -> None:
    timed = study("ticking", batch_sizes=[8, 64], learning_rates=0.1, seeds=1, timing=True)
    table = timed.run(tmp_path / "study").timing
    each = table["wall_seconds"] / table["updates"]
    medians = each.groupby(table["batch_size"]).median()
    assert {*table["lanes"]} == {1}
    assert table["round"].nunique() == 5
    # Sleep never takes less than it is asked for.
    assert medians[8] >= 1e-3 + 8e-4
    assert medians[64] >= 1e-3 + 64e-4


def test_a_trainer_that_never_asks_is_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = study("engine", metric="accuracy", training_examples=90, epochs=3, timing=True).run(
        tmp_path / "study"
    )
    assert rows.timing.empty
    assert "it must call `trial.due` after every update" in capsys.readouterr().err


def test_the_curve_is_what_was_yielded(tmp_path: Path) -> None:
    results = study(batch_sizes=8, learning_rates=0.3, seeds=1).run(
        tmp_path / "study", backend="sequential"
    )
    # An eighth, a quarter, a half and all of the first epoch, and the second one.
    assert results.curves["examples"].tolist() == [8, 16, 32, 64, 128]
    assert results.curves["updates"].tolist() == [1, 2, 4, 8, 16]
    assert (results.curves["validation_metric"] == -results.curves["validation_loss"]).all()
    assert results.trials["validation_loss"][0] == results.curves["validation_loss"].iloc[-1]


@pytest.mark.parametrize("saves", [True, False])
def test_a_trial_that_was_cut_off_has_its_whole_curve(tmp_path: Path, *, saves: bool) -> None:
    whole = study(batch_sizes=8, learning_rates=0.3, seeds=1)
    parts = study("cut", parameters={"saves": saves}, batch_sizes=8, learning_rates=0.3, seeds=1)
    workspace = Workspace(tmp_path / NAME)
    workspace.open()
    first, second = (
        plan([planned.trial for planned in each.experiment.explored], 1)[0]
        for each in (whole, parts)
    )
    (expected,) = run_trainer(first, workspace)
    with pytest.raises(KeyboardInterrupt):
        run_trainer(second, workspace)
    (outcome,) = run_trainer(second, workspace)
    np.testing.assert_array_equal(outcome.curve, expected.curve)
    assert outcome.status == "ok"


def test_a_process_that_goes_on_imports_changed_code_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    trainer = tmp_path / "train.py"
    trainer.write_text(
        "from trainer_offset import OFFSET\n\n\ndef train(trial):\n"
        "    yield trial.evaluation(examples=trial.examples, validation_loss=OFFSET)\n"
    )
    for offset in (1.0, 2.0):
        (tmp_path / "trainer_offset.py").write_text(f"OFFSET = {offset}\n")
        os.utime(tmp_path / "trainer_offset.py", (1e9, 1e9))
        results = study(trainer=f"{trainer}:train", seeds=1, batch_sizes=8).run(
            tmp_path / f"study-{offset}", backend="sequential"
        )
        assert {*results.trials["validation_loss"]} == {offset}


def test_a_function_of_a_file_is_its_name() -> None:
    assert study(trainer=trained.right).experiment.explored == study().experiment.explored
    with pytest.raises(UsageError, match="must be a function at the top of a file"):
        study(trainer=lambda trial: trial)


@pytest.mark.parametrize(("how", "text"), [("right", "the same"), ("careless", "another")])
def test_a_trial_is_run_again_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, text: str
) -> None:
    small = study("swaying", parameters={"how": how}, batch_sizes=8, learning_rates=0.3, seeds=1)
    results = small.run(tmp_path / "study", backend="sequential", check_repeat=True)
    assert f"run twice gave {text} result." in capsys.readouterr().err
    assert results.description.provenance["a trial run twice"] == f"{text} result"
    assert len(results.trials) == 1
    assert results.trials["status"].tolist() == ["ok"]


@pytest.mark.slow
def test_workers_offer_what_a_trial_takes(tmp_path: Path) -> None:
    results = study().run(tmp_path / "study", backend="dask", n_jobs=2, resources={"GPU": 1})
    assert {*results.trials["status"]} == {"ok"}


def test_a_finished_study_runs_nothing_and_changed_code_runs_all(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(TRAINERS.read_text())

    def made() -> Study:
        return study(trainer=f"{file}:right")

    made().run(tmp_path / "study", backend="sequential")
    first = made().experiment.explored[0].trial.identity
    file.write_text(TRAINERS.read_text() + "\n# a thought\n")
    assert made().experiment.explored[0].trial.identity != first
    assert made().plan(tmp_path / "study").done == 0
    again = made().run(tmp_path / "study", backend="sequential", accept_code=True)
    assert first in {*again.trials["trial"]}
    assert again.description.aside == 0
    # What was accepted stays so.
    assert made().run(tmp_path / "study", backend="sequential").description.aside == 0


def handed(**changes: Any) -> TrainerTrial:
    """Return a trial as a trainer is handed it."""
    values: dict[str, Any] = {
        "batch_size": 8,
        "learning_rate": 0.1,
        "seed": 1,
        "parameters": {},
        "updates": 16,
        "examples": 128,
        "evaluate_test": False,
        "folder": Path(),
        "metric": "accuracy",
        "cadence": (128, 64, 8, 0),
    }
    return TrainerTrial(**values | changes)


def test_an_evaluation_is_due_once_for_every_point_that_was_passed() -> None:
    trial = handed()
    due = [trial.due(examples=examples) for examples in (4, 8, 12, 100, 120, 128, 136)]
    assert due == [True, True, False, True, False, True, False]


def test_time_stops_while_a_trainer_evaluates(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("sweeps.worker.trainer.time.perf_counter", lambda: now[0])
    trial = handed(clock=Clock())
    trial.clock.start()
    for seconds, due in ((1.0, True), (5.0, False)):
        now[0] += seconds
        if not due:
            trial.clock.start()  # as when a trainer goes on after it has yielded
            now[0] += 2.0
        trial.due(examples=8 if due else 9)
    with trial.paused():
        now[0] += 10.0
    trial.clock.stop()
    assert trial.clock.seconds == pytest.approx(1.0 + 2.0)


@pytest.mark.parametrize("metric", ["accuracy", "neg_perplexity", "neg_loss"])
def test_metrics_are_kept_so_that_more_is_better(metric: str) -> None:
    values = {"validation_loss": 0.5, "validation_metric": 0.25}
    point = handed(metric=metric).evaluation(examples=8, **values).point
    assert point[4] == 0.5
    assert point[5] == {"accuracy": 0.25, "neg_perplexity": -0.25, "neg_loss": -0.5}[metric]


def test_a_share_in_percent_is_refused() -> None:
    with pytest.raises(
        TrainerError, match=r"validation_metric is 97\.5, but accuracy is from 0 to"
    ):
        handed().evaluation(examples=8, validation_metric=97.5)


def test_the_last_evaluation_on_a_fresh_seed_needs_test_values(tmp_path: Path) -> None:
    fresh = study("swaying", parameters={"how": "blind"}, confirmation_seeds=[11])
    rows = fresh.run(tmp_path / "study", backend="sequential").trials
    confirmed = rows[rows["stage"] == "confirm"]
    assert {*confirmed["status"]} == {"error"}
    assert confirmed["error"].str.contains("must have the test values").all()


def test_norms_of_two_batch_sizes_give_noise_without_bias() -> None:
    # The mean gradient of B examples has an expected squared norm of |G|^2 + tr(Sigma) / B.
    rng = np.random.default_rng(0)
    gradients = rng.normal([1.0, 0.0, 2.0], size=(12, 3))
    mean, trace = gradients.mean(axis=0), gradients.var(axis=0).sum()
    norms = {size: float(mean @ mean + trace / size) for size in (4, 32)}
    point = handed().evaluation(examples=8, validation_metric=0.5, gradient_norms=norms).point
    assert point[6:8] == pytest.approx((trace, mean @ mean), rel=1e-12)
    with pytest.raises(TrainerError, match="by two batch sizes"):
        handed().evaluation(examples=8, validation_metric=0.5, gradient_norms={4: 1.0})


def test_a_loss_that_is_not_finite_ends_a_trial() -> None:
    assert handed().evaluation(examples=8, validation_metric=0.5, train_loss=math.inf).diverged
