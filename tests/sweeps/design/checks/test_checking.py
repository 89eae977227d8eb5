"""Checking: what is let through, the engine takes; what is not, says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bpengine import Trainer
from bpengine.network.activations import ACTIVATIONS
from bpengine.network.losses import LOSSES
from bpengine.optim.optimizers import OPTIMIZERS
from bpengine.optim.schedules import SCHEDULES
from sweeps.data.registry import load
from sweeps.data.splits import prepare
from sweeps.design.checks.checking import experiment_of
from sweeps.design.engine_recipe import recipe_of
from sweeps.design.stages import Experiment
from sweeps.errors import Problem, SpecificationError

KEYS: dict[str, Any] = {"learning_rates": 0.1, "seeds": 1, "batch_sizes": 8, "epochs": 1}


def lists(*values: Any) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique_by=repr)


OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "hidden_layers": lists([], [3], [4, 3]),
    "activation": lists("sigmoid", "gelu", "identity"),
    "output": lists("auto", *ACTIVATIONS),
    "loss": lists(*LOSSES),
    "optimizer": lists(
        *OPTIMIZERS,
        {"name": "adam", "beta1": 0.5, "clip_norm": float("inf")},
        {"name": "sgd", "momentum": 0.5},
    ),
    "schedule": lists(
        *SCHEDULES,
        {"warmup": 2, "per": "epoch"},
        {"kind": "inverse", "decay": 2.0},
        {"kind": "step", "decay": 0.0, "every": 2},
    ),
    "growth": lists("none", {"factor": 2, "every": 1}, {"factor": 3, "every": 2, "limit": 100}),
    "batch_sizes": lists(1, 2, 90, 100, "full", {"powers_of_two": [1, "full"]}),
    "shards": lists(1, 2, 3),
    "local_updates": lists(1, 2),
    "updates": lists(1, 5),
    "examples": lists(1, 500),
    "seconds": lists(1.0),
    "dtype": lists("float32", "float64"),
    "initialiser": lists("he_normal", "uniform"),
    "noise_examples": st.sampled_from([0, 1, 2, 90, 91]),
    "target": st.sampled_from([0.0, 0.5, 1.0]),
    "patience": st.sampled_from([1, 3]),
    "validation": st.sampled_from([0.2, 30, 0.5, 149]),
    "test": st.sampled_from([0.2, 30, 0.5, 0.001]),
    "split_seed": st.sampled_from([0, 7]),
    "scaling": st.sampled_from(["none", "min-max"]),
    "zip": st.sampled_from([["loss", "output"], ["shards", "local_updates"]]),
}


SOME = st.sets(st.sampled_from(sorted(OPTIONAL)), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: OPTIONAL[name] for name in names})
)


def problems_of(keys: dict[str, Any]) -> Experiment | tuple[Problem, ...]:
    try:
        return experiment_of(keys, "study.toml", Path())
    except SpecificationError as refused:
        return refused.problems


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(["iris", "linnerud"]), SOME)
def test_the_engine_takes_what_is_let_through(dataset: str, keys: dict[str, Any]) -> None:
    found = problems_of(KEYS | {"dataset": dataset} | keys)
    if isinstance(found, Experiment):
        assert count_trainable(found) > 0
    else:
        assert found
        assert len({*found}) == len(found)


def count_trainable(experiment: Experiment) -> int:
    configurations = {trial.configuration: trial for _, trial in experiment.explored}
    (facts,) = experiment.data.values()
    split, _ = prepare(load(facts.source), facts.preparation, 1)
    for configuration, trial in configurations.items():
        assert len(split.train.inputs) == configuration.train_items
        recipe = recipe_of(configuration)
        Trainer(configuration.architecture, [split], [dict(trial.settings)], recipe)
    return len(configurations)


def test_facts_hold_what_a_report_needs_of_the_data(keys: dict[str, Any]) -> None:
    experiment = experiment_of(
        keys | {"dataset": ["iris", "linnerud"], "batch_sizes": 5}, "x", Path()
    )
    iris, linnerud = experiment.data.values()
    assert (iris.task, iris.train_items, iris.features, iris.outputs) == (
        "classification",
        90,
        4,
        3,
    )
    assert iris.target_names == ("setosa", "versicolor", "virginica")
    assert iris.target_scales == ()
    assert (linnerud.task, linnerud.train_items, linnerud.outputs) == ("regression", 12, 3)
    assert len(linnerud.target_names) == 3
    assert [seed for seed, _ in linnerud.target_scales] == [1, 2, 11, 12]
    assert all(len(scales) == 3 and min(scales) > 0 for _, scales in linnerud.target_scales)
