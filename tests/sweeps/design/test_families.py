"""Labels: made of what differs, unique, and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bpengine import BatchGrowth, Budget, Schedule
from sweeps.design.checks.checking import experiment_of
from sweeps.design.families import Family, Growth, budget_text, growth_text, schedule_text
from sweeps.design.trials import EngineConfiguration
from sweeps.errors import counted, pairs_text

BASE: dict[str, Any] = {
    "name": "mine",
    "dataset": "iris",
    "batch_sizes": 5,
    "learning_rates": 0.5,
    "seeds": 1,
    "epochs": 2,
}

LABELS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "one group": ({}, ["mine"]),
    "data": ({"dataset": ["iris", "wine"]}, ["iris", "wine"]),
    "data and optimizer": (
        {"dataset": ["iris", "wine"], "optimizer": ["sgd", "adam"]},
        ["iris, sgd", "iris, adam", "wine, sgd", "wine, adam"],
    ),
    "parameters of data": (
        {"dataset": [{"name": "moons", "noise": noise} for noise in (0.1, 0.25)]},
        ["noise=0.1", "noise=0.25"],
    ),
    "hyperparameters": (
        {"optimizer": ["sgd", {"name": "adam", "beta1": [0.8, 0.9]}]},
        ["sgd", "adam, beta1=0.8", "adam, beta1=0.9"],
    ),
    "layers": ({"hidden_layers": [[], [8, 4]]}, ["no hidden layer", "hidden 8-4"]),
    "schedule": (
        {"schedule": ["constant", {"kind": "cosine", "warmup": 1}]},
        ["constant rate", "cosine by updates, after a warm-up of 1 update"],
    ),
    "growth": (
        {"growth": ["none", {"factor": 2, "every": 1}]},
        ["constant batches", "batches times 2 every 1 epoch up to 90"],
    ),
    "budget": ({"include": {"updates": 100}}, ["2 epochs", "100 updates"]),
    "several": (
        {"shards": [1, 2], "dtype": ["float32", "float64"]},
        ["float32", "float64", "2 shards, float32", "2 shards, float64"],
    ),
    "what is as ever": (
        {
            "optimizer": ["sgd", "adam"],
            "include": [
                {"schedule": "cosine", "optimizer": "sgd"},
                {"batch_sizes": 8, "shards": 2},
            ],
        },
        ["sgd", "adam", "sgd, cosine by updates", "sgd, 2 shards", "adam, 2 shards"],
    ),
    "what goes together is named once": (
        {
            "dataset": ["iris", "wine"],
            "hidden_layers": [[4], [8]],
            "zip": ["dataset", "hidden_layers"],
        },
        ["iris", "wine"],
    ),
}


@pytest.mark.parametrize(("change", "labels"), LABELS.values(), ids=LABELS)
def test_a_label_shows_what_differs(change: dict[str, Any], labels: list[str]) -> None:
    study = experiment_of(BASE | change, "study.toml", Path())
    assert [group.label for group in study.groups] == labels


def test_choices_in_words() -> None:
    assert schedule_text(Schedule()) == ""
    assert schedule_text(Schedule(warmup=3)) == "a warm-up of 3 updates"
    assert schedule_text(Schedule("exponential", "epoch", decay=0.5)) == "times 0.5 every epoch"
    assert schedule_text(Schedule("inverse", decay=0.01)) == "1 / (1 + 0.01 updates)"
    assert growth_text(None) == ""
    assert growth_text(Growth("", 64, 2, 5)) == "batches times 2 every 5 epochs up to 64"
    assert budget_text(Budget(epochs=1)) == "1 epoch"
    assert budget_text(Budget(seconds=2.5)) == "2.5 s"
    assert counted(2, "seed") == "2 seeds"
    assert pairs_text({"momentum": 0.9, "samples": 500}) == "momentum=0.9, samples=500"


def family_of(**keys: Any) -> Family:
    return experiment_of(BASE | keys, "made", Path()).groups[0].family


def test_a_growth_has_the_steps_that_come_and_each_epoch_once() -> None:
    family, steps = family_of(epochs=5), [(1, 8), (1, 16), (2, 16), (3, 64), (5, 128)]
    assert family.growing(8, steps, "sqrt") == BatchGrowth(((1, 16), (3, 64)), "sqrt")
    assert family.growing(64, steps) is None


@pytest.mark.parametrize(("optimizer", "factors"), [("adam", [0.5**0.5, 0.5]), ("sgd", [1, 1])])
def test_seesaw_doubles_the_batch_where_the_schedule_has_halved_the_rate(
    optimizer: str, factors: list[float]
) -> None:
    schedule = {"kind": "step", "decay": 0.5, "every": 2, "per": "epoch"}
    family = family_of(epochs=8, schedule=schedule, growth="seesaw", optimizer=optimizer)
    configuration = family.configuration(4)
    assert isinstance(configuration, EngineConfiguration)
    growth = configuration.growth
    assert growth is not None
    assert growth.steps == ((2, 8), (4, 16), (6, 32))
    # What the schedule and the growth make of the rate together.
    rates = [0.5 * growth.rate_factor(4, 2), 0.25 * growth.rate_factor(4, 4)]
    assert rates == pytest.approx(factors)
