"""Checking: what is let through, the engine takes; what is not, says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import states

from bpengine import Trainer
from bpengine.network._losses import LOSSES
from bpengine.network.activations import ACTIVATIONS
from bpengine.optim._optimizers import OPTIMIZERS
from bpengine.optim.schedules import SCHEDULES
from sweeps.data.registry import load
from sweeps.data.splits import prepare
from sweeps.design.checks.checking import experiment_of
from sweeps.design.engine_recipe import recipe_of
from sweeps.design.experiment import Experiment
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
    "noise_curvature": st.booleans(),
    "noise_geometry": st.booleans(),
    "target": st.sampled_from([0.0, 0.5, 1.0]),
    "patience": st.sampled_from([1, 3]),
    "validation": st.sampled_from([0.2, 30, 0.5, 149]),
    "test": st.sampled_from([0.2, 30, 0.5, 0.001]),
    "split_seed": st.sampled_from([0, 7]),
    "scaling": st.sampled_from(["none", "min-max"]),
    "zip": st.sampled_from([["loss", "output"], ["shards", "local_updates"]]),
}


CHOSEN = st.sets(st.sampled_from(sorted(OPTIONAL)), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: OPTIONAL[name] for name in names})
)


def problems_of(keys: dict[str, Any]) -> Experiment | tuple[Problem, ...]:
    try:
        return experiment_of(keys, "study.toml", Path())
    except SpecificationError as refused:
        return refused.problems


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(["iris", "linnerud"]), CHOSEN)
def test_the_engine_takes_what_is_let_through(dataset: str, keys: dict[str, Any]) -> None:
    checked = problems_of(KEYS | {"dataset": dataset} | keys)
    if isinstance(checked, Experiment):
        assert count_trainable(checked) > 0
    else:
        assert checked
        assert len({*checked}) == len(checked)


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


def mistakes_of(keys: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(SpecificationError) as refused:
        experiment_of(keys, "study.toml", Path())
    return [(problem.path, problem.text) for problem in refused.value.problems]


MISFITS: dict[str, tuple[Any, ...]] = {
    "batch larger than the training set": (
        {"batch_sizes": [90, 91]},
        "batch_sizes[1]",
        *("at most 90", "training examples of iris", "is 91"),
    ),
    "range larger than the training set": (
        {"batch_sizes": {"powers_of_two": [64, 128]}},
        "batch_sizes",
        *("at most 90", "is 128"),
    ),
    "batch larger than one of the training sets": (
        {"dataset": ["iris", "wine"], "batch_sizes": [8, 100]},
        "batch_sizes[1]",
        *("at most 90", "iris", "is 100"),
    ),
    "the whole twice": ({"batch_sizes": [90, "full"]}, "batch_sizes", "90 more than once", "iris"),
    "a number in a range": (
        {"batch_sizes": [8, {"powers_of_two": [4, 16]}]},
        "batch_sizes",
        "8 more than once",
    ),
    "more shards than examples": (
        {"shards": [1, 8]},
        "shards[1]",
        *("at most the batch size", "is 8 with 5 examples", "`exclude`"),
    ),
    "local updates without shards": (
        {"local_updates": [1, 4], "shards": [1, 2]},
        "local_updates[1]",
        *("is 4", "`shards` above 1", "`exclude`"),
    ),
    "growth beyond the training set": (
        {"growth": {"factor": 2, "every": 1, "limit": 91}},
        "growth.limit",
        *("at most 90", "is 91"),
    ),
    "noise over more than there is": (
        {"noise_examples": 91},
        "noise_examples",
        *("at most 90", "is 91"),
    ),
    "classes' loss for values": (
        {"dataset": "diabetes", "loss": "cross_entropy"},
        "loss",
        *("'cross_entropy'", "diabetes is a regression", "squared_error"),
    ),
    "bounded output for values": (
        {"dataset": "diabetes", "output": ["auto", "sigmoid"]},
        "output[1]",
        *("'identity' or 'leaky_relu'", "diabetes", "is 'sigmoid'"),
    ),
    "softmax without its loss": (
        {"output": "softmax"},
        "output",
        *("'softmax'", "cross_entropy", "not with squared_error"),
    ),
    "loss without its output": (
        {"output": "sigmoid", "loss": "cross_entropy"},
        "output",
        *("is 'sigmoid'", "cross_entropy", "'softmax'"),
    ),
    "useless exclusion": (
        {"exclude": [{"batch_sizes": 5}, {"batch_sizes": 5, "learning_rates": 3.0}]},
        "exclude[1]",
        *("no combination", "batch_sizes", "learning_rates"),
    ),
    "nothing left": ({"exclude": {"dataset": "iris"}}, "exclude", "nothing"),
    "a choice without exploring": ({"explore": False}, "explore", "is false", "must have one"),
    "the same data twice": (
        {"dataset": ["iris", {"name": "iris"}]},
        "dataset[1]",
        *("same data as 'iris'", "{'name': 'iris'}"),
    ),
    "unknown data": ({"dataset": ["iris", "wein"]}, "dataset[1]", "'wein'"),
    "updates without end": (
        {"include": [{"updates": 10**12}]},
        "include[0].updates",
        *("1,000,000 epochs of iris", "is 1,000,000,000,000"),
    ),
    "rates that vanish": (
        {"rate_rule": "linear", "reference_batch_size": 10**400},
        "reference_batch_size",
        *("learning rate", "1e-30 to 1e+30"),
    ),
    "memory without end": (
        {"optimizer": "momentum", "memory": "examples", "reference_batch_size": 10**15},
        "reference_batch_size",
        "forgets nothing",
    ),
    "target out of reach": ({"target": 0.0}, "target", "above 0", "accuracy on iris", "is 0.0"),
    "accuracy above all": ({"target_metric": 1.5}, "target_metric", "at most 1", "is 1.5"),
    "target of a loss in standard deviations": (
        {"dataset": "diabetes", "metric": "mae", "target": 0.5},
        "target",
        *("mae", "`target_metric`"),
    ),
    "log loss of no probabilities": (
        {"metric": "log_loss", "output": "tanh"},
        "metric",
        "softmax or sigmoid",
    ),
    "metric of another task": ({"metric": "r2"}, "metric", "'roc_auc'", "classification iris"),
    "no example for the test": ({"test": 0.001}, "test"),
    "a scale that is the same everywhere": (
        {"scale_with": "width", "hidden_layers": [[8, 4], [4, 8]]},
        "scale_with",
        *("'width'", "is 12 in all", "several `hidden_layers`"),
    ),
    "a scale that another budget may cut": (
        {"scale_with": "epochs", "epochs": [2, 4], "updates": 50},
        "scale_with",
        *("'epochs'", "known of none", "no other budget"),
    ),
}


@pytest.mark.parametrize("case", MISFITS.values(), ids=MISFITS)
def test_a_misfit_is_reported_with_path_value_and_remedy(
    case: tuple[Any, ...], keys: dict[str, Any]
) -> None:
    change, path, *words = case
    ((where, text),) = mistakes_of(keys | change)
    assert where == path
    states(text, *words)


FITTING: dict[str, dict[str, Any]] = {
    "the whole": {"batch_sizes": [1, "full"]},
    "an exclusion where the batch would be too large": {
        "dataset": ["iris", "wine"],
        "batch_sizes": [8, 100],
        "exclude": [{"dataset": "iris", "batch_sizes": 100}],
    },
    "shards only where there are examples for them": {
        "shards": [1, 8],
        "exclude": {"shards": 8, "batch_sizes": 5},
    },
    "a loss for each kind of data": {
        "dataset": ["iris", "diabetes"],
        "loss": ["cross_entropy", "squared_error"],
        "zip": ["dataset", "loss"],
    },
    "one rate without exploring": {"explore": False, "learning_rates": 0.5},
    "one rate for each batch size without exploring": {
        "explore": False,
        "zip": ["batch_sizes", "learning_rates"],
    },
    "any target of a regression": {"dataset": "diabetes", "target": -1.0},
    "data in an inclusion": {"include": {"dataset": "wine"}},
    "a scale that an inclusion changes": {"scale_with": "epochs", "include": {"epochs": 7}},
}


@pytest.mark.parametrize("change", FITTING.values(), ids=FITTING)
def test_what_fits_is_let_through(change: dict[str, Any], keys: dict[str, Any]) -> None:
    assert experiment_of(keys | change, "study.toml", Path()).groups


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (
            {
                "epochs": 0,
                "dataset": ["iris", "irs"],
                "optimizer": {"name": "sgd", "momentum": 0.9},
                "confirmation_seeds": [1],
            },
            ["epochs", "confirmation_seeds", "optimizer.momentum", "dataset[1]"],
        ),
        ({"exclude": [{}]}, ["exclude[0]"]),
        ({"zip": ["batch_sizes", "loss"]}, ["zip"]),
        ({"activation": ["relu", "thanh"], "exclude": {"activation": "tanh"}}, ["activation[1]"]),
        ({"validation": "x"}, ["validation"]),
    ],
)
def test_keys_and_names_are_checked_together_before_data_are_read(
    change: dict[str, Any], paths: list[str], keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.design.checks.checking.load", None)
    assert [path for path, _ in mistakes_of(keys | {"batch_sizes": [5, 91]} | change)] == paths


def test_what_is_wrong_with_a_file_is_reported_with_wrong_keys(
    tmp_path: Path, keys: dict[str, Any]
) -> None:
    (tmp_path / "one.csv").write_text("a,y\n1,x\n2,x\n")
    dataset = {"path": str(tmp_path / "one.csv"), "target": "y"}
    with pytest.raises(SpecificationError) as refused:
        experiment_of(keys | {"dataset": dataset, "epoks": 3}, "the study", tmp_path)
    assert [problem.path for problem in refused.value.problems] == ["epoks", "dataset"]


def test_data_that_cannot_be_loaded_are_reported_with_their_path(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text("x,y\n1,a\n2,b\n")
    change = {"dataset": ["iris", {"path": "bad.csv", "target": "y"}], "batch_sizes": [5, 91]}
    with pytest.raises(SpecificationError) as refused:
        experiment_of(keys | change, "study.toml", tmp_path)
    first, second = refused.value.problems
    assert (first.path, first.about_data) == ("dataset[1]", True)
    assert first.text.startswith("bad.csv has 2 classes of fewer than 3 examples")
    assert second.path == "batch_sizes[1]"


def test_mistakes_within_a_table_of_data_have_its_path(keys: dict[str, Any]) -> None:
    paths = [path for path, _ in mistakes_of(keys | {"dataset": {"name": "moons", "noise": "x"}})]
    assert paths == ["dataset.noise"]


def test_only_mistakes_of_the_data_exit_as_such(keys: dict[str, Any]) -> None:
    for change, code in (({"dataset": "irs"}, 3), ({"dataset": "irs", "epochs": 0}, 2)):
        with pytest.raises(SpecificationError) as refused:
            experiment_of(keys | change, "study.toml", Path())
        assert refused.value.exit_code == code
