"""One trial, all that is known of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import configuration
from refused import refusal, states
from stored import failure, fill, outcome, trials

from sweeps.design.trials import Trial, settings_of
from sweeps.errors import UsageError
from sweeps.manage.show import inspection, inspection_lines, listed, trials_like
from sweeps.store._store import Store
from sweeps.worker.train import CURVE_WIDTH


def inspected(folder: Path, trial: Trial) -> dict[str, Any]:
    (row,) = trials_like(folder, trial.identity)
    return inspection(row)


def test_a_trial_is_found_by_how_its_identity_starts(tmp_path: Path) -> None:
    first, second = trials(2)
    fill(tmp_path, [first, second])
    for start in (first.identity, first.identity[:9], first.identity[:9].upper()):
        assert trials_like(tmp_path, start)[0]["trial"] == first.identity


def test_everything_of_a_trial_is_reported_as_strict_json(tmp_path: Path) -> None:
    tested = replace(configuration(), evaluate_test=True)
    trial = Trial(tested, settings_of("momentum", 0.1, {}), 7)
    rest = [0] * (CURVE_WIDTH - 5)
    curve = np.array([[0, 0, 0.1, np.nan, np.inf, *rest], [36, 5, 0.5, 1, -np.inf, *rest]])
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [outcome(trial, test_loss=np.inf, curve=curve)])
    content = inspected(tmp_path, trial)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["configuration"]["seed"] == content["seed"] == 7
    assert content["configuration"]["configuration"]["widths"] == [3, 4, 2]
    settings = {"learning_rate": 0.1, "momentum": 0.9, "l2": 0.0, "weight_decay": 0.0}
    assert content["configuration"]["settings"] == {"clip_norm": "inf", **settings}
    assert content["test_loss"] == "inf"
    assert [point["validation_loss"] for point in content["curve"]] == ["inf", "-inf"]
    assert content["curve"][0]["train_metric"] is None
    assert content["curve"][1]["examples"] == 36
    assert isinstance(content["curve"][1]["examples"], int)


@pytest.mark.parametrize(
    ("metric", "outputs", "name", "unit"),
    [
        ("accuracy", 2, "accuracy", ""),
        ("neg_log_loss", 2, "log_loss", ""),
        ("neg_mae", 1, "mae", "the target's unit"),
        ("neg_mae", 2, "mae", "standard deviations"),
    ],
)
def test_a_metric_is_that_of_the_study_with_its_unit(
    tmp_path: Path, metric: str, outputs: int, name: str, unit: str
) -> None:
    tried = replace(configuration(), metric=metric, widths=(3, outputs), target=-0.5)
    trial = Trial(tried, settings_of("sgd", 0.1, {}), 7)
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [outcome(trial, validation_metric=-0.25)])
    content = inspected(tmp_path, trial)
    assert (content["metric"], content["metric_unit"]) == (name, unit)
    assert content["configuration"]["configuration"]["metric"] == name
    sign = 1 if metric == "accuracy" else -1
    assert content["configuration"]["configuration"]["target"] == sign * -0.5
    assert content["validation_metric"] == sign * -0.25
    assert content["test_metric"] is None
    assert content["curve"][0]["train_metric"] == sign * outcome(trial).curve[0, 3]


def test_the_text_has_all_sections(tmp_path: Path) -> None:
    first, second = trials(2)
    with Store.write(tmp_path, "made") as store:
        store.add([first], [outcome(first)])
        store.add([second], [failure(second, "error", 'Traceback:\n  File "x"\nOops: \x1b[2J\n')])
    lines = inspection_lines(inspected(tmp_path, first))
    assert lines[0] == f"trial: {first.identity}"
    assert "status: ok" in lines
    assert "schedule: none" in lines
    assert "  seed: 0" in lines
    assert "    learning_rate: 0.5" in lines
    assert lines[lines.index("    preparation:") + 1] == "      scaling: standardise"
    assert lines[lines.index("curve:") + 1].split()[:2] == ["examples", "updates"]
    assert lines[-1].split()[:2] == ["72", "10"]
    failed = inspection_lines(inspected(tmp_path, second))
    assert failed[-4:] == ["error:", "  Traceback:", '    File "x"', "  Oops: \x1b[2J"]
    assert "curve:" not in failed


@pytest.mark.parametrize("start", ["xyz", "0x", "%"])
def test_an_unknown_trial_is_reported(tmp_path: Path, start: str) -> None:
    fill(tmp_path, trials(1))
    text = refusal(trials_like, tmp_path, start, error=UsageError)
    states(text, tmp_path, "no trial", repr(start), f"bpsweep show {tmp_path}")


def test_trials_are_chosen_by_their_settings_and_listed_in_their_order(tmp_path: Path) -> None:
    made = trials(6)
    fill(tmp_path, made[::-1])
    entries = listed(trials_like(tmp_path))
    assert [entry["seed"] for entry in entries] == [trial.seed for trial in made]
    (row,) = trials_like(tmp_path, batch_size=entries[0]["batch_size"], seed=made[3].seed)
    assert row["trial"] == made[3].identity
    refused = refusal(trials_like, tmp_path, "", seed=99, batch_size=None, error=UsageError)
    states(refused, "seed 99")
    assert "batch size" not in refused
