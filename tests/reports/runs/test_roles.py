"""Columns of runs are found by the names that programs give them, and asked for otherwise."""

from __future__ import annotations

import pandas as pd
import pytest

from reports.runs.names import attributes_of, unfolded
from reports.runs.roles import Choice, RunsError, plain, roles_of


@pytest.mark.parametrize(
    ("columns", "batch_size", "rate", "judged"),
    [
        (["params_batch_size", "params_lr", "value"], "params_batch_size", "params_lr", "value"),
        (
            ["run_id", "metrics.val_loss", "params.batch_size", "params.learning_rate"],
            "params.batch_size",
            "params.learning_rate",
            "metrics.val_loss",
        ),
        (["Name", "Batch Size", "LR", "eval/loss"], "Batch Size", "LR", "eval/loss"),
        (
            ["step", "train_batch_size", "learning_rate", "eval_loss"],
            "train_batch_size",
            "learning_rate",
            "eval_loss",
        ),
        (["config/bs", "config/lr", "val_acc"], "config/bs", "config/lr", "val_acc"),
    ],
    ids=["optuna", "mlflow", "wandb", "hugging face", "ray"],
)
def test_common_names_are_guessed(
    columns: list[str], batch_size: str, rate: str, judged: str
) -> None:
    roles = roles_of(pd.DataFrame([dict.fromkeys(columns, 1.0)]), Choice())
    assert (roles["batch_size"], roles["learning_rate"], roles[roles.judged]) == (
        batch_size,
        rate,
        judged,
    )
    assert {"batch_size", "learning_rate", roles.judged} <= roles.guessed


def test_what_is_named_is_not_guessed_beside() -> None:
    frame = pd.DataFrame({"bs": [1], "lr": [0.1], "val_loss": [1.0], "accuracy": [0.5]})
    roles = roles_of(frame, Choice({"metric": "accuracy"}))
    assert roles.judged == "metric"
    assert roles["loss"] == ""
    assert "metric" not in roles.guessed


def test_every_obstacle_is_told_at_once_with_a_guess() -> None:
    frame = pd.DataFrame({"size of batch": [8, 16], "final": [0.1, 0.2]})
    with pytest.raises(RunsError) as caught:
        roles_of(frame, Choice({"loss": "finall"}, by=("model",)))
    wrong_loss, wrong_by, no_size = caught.value.lines
    assert "'final'?" in wrong_loss
    assert "--by" in wrong_by
    assert "--batch-size" in no_size
    assert "size of batch" in no_size
    with pytest.raises(RunsError) as caught:
        roles_of(frame, Choice({"batch_size": "size of batch"}))
    assert "final" in caught.value.lines[0]
    assert "--loss" in caught.value.lines[0]
    with pytest.raises(RunsError, match="scheduler"):
        roles_of(frame, Choice({"scheduler": "final"}))


def test_names_are_compared_without_prefixes_and_signs() -> None:
    assert plain("params.model/Learning Rate") == "model_learning_rate"
    assert plain("metrics.eval/loss") == "eval_loss"
    assert plain("config.hparams.bs") == "bs"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bs64_lr0.01_seed3", {"batch_size": "64", "learning_rate": "0.01", "seed": "3"}),
        ("batch_size=8,lr=1e-3", {"batch_size": "8", "learning_rate": "1e-3"}),
        ("resnet18-run2", {}),
        ("sweep/lr-0.5 bs-16", {"batch_size": "16", "learning_rate": "0.5"}),
    ],
)
def test_names_of_runs_say_what_they_were(name: str, known: dict[str, str]) -> None:
    assert attributes_of(name) == known


def test_panel_with_a_column_a_run_becomes_rows() -> None:
    frame = pd.DataFrame(
        {
            "Step": [1, 2],
            "bs8-lr0.1 - val_loss": [0.5, 0.4],
            "bs8-lr0.1 - val_loss__MIN": [0.5, 0.4],
            "bs8-lr0.1 - val_loss__MAX": [0.5, 0.4],
            "bs16-lr0.1 - val_loss": [0.6, None],
        }
    )
    long = unfolded(frame)
    assert long["val_loss"].tolist() == [0.5, 0.4, 0.6]
    assert long["batch_size"].tolist() == ["8", "8", "16"]
    assert "Step" in long
    whole = pd.DataFrame({"a - b": [1]})
    assert unfolded(whole) is whole


def test_a_panel_without_values_stays_as_it_is() -> None:
    ranges = pd.DataFrame({"Step": [1], "bs8-lr0.1 - val_loss__MIN": [0.5]})
    assert unfolded(ranges) is ranges
