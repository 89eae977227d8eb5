"""Designs: specification and data make groups of cells, whatever the order they are written in."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpengine import BatchGrowth, Budget, Schedule
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.design.trials import Branching, EngineConfiguration
from sweeps.spec.model import to_toml

KEYS: dict[str, Any] = {
    "dataset": "iris",
    "batch_sizes": [5, 40],
    "learning_rates": [0.5, 2.0],
    "seeds": [1, 2],
    "epochs": 2,
}


def experiment(**keys: Any) -> Experiment:
    return experiment_of(KEYS | keys, "study.toml", Path())


def identities(study: Experiment) -> set[str]:
    return {trial.identity for _, trial in study.explored}


def grids(study: Experiment) -> dict[str, dict[int, tuple[float, ...]]]:
    return {group.label: dict(group.grid) for group in study.groups}


AXES: dict[str, list[Any]] = {
    "hidden_layers": [[], [4], [4, 3]],
    "activation": ["relu", "tanh"],
    "optimizer": ["sgd", {"name": "momentum", "momentum": [0.8, 0.9]}, "adam"],
    "schedule": ["constant", "cosine", {"kind": "step", "decay": 0.5, "every": 2}],
    "growth": ["none", {"factor": 2, "every": 1}],
    "batch_sizes": [5, 16, "full"],
    "learning_rates": [0.1, 0.2, 1],
    "seeds": [1, 2, 3],
    "loss": ["squared_error", "cross_entropy"],
}


@settings(deadline=None, max_examples=25)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(st.sampled_from(values), min_size=1, unique_by=repr)
            for name, values in AXES.items()
        },
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_keys_and_values_does_not_matter(
    keys: dict[str, list[Any]], randomness: random.Random
) -> None:
    shuffled = [(name, randomness.sample(values, len(values))) for name, values in keys.items()]
    randomness.shuffle(shuffled)
    first, second = experiment(**keys), experiment(**dict(shuffled))
    assert identities(first) == identities(second)
    assert {frozenset(map(str, grid.items())) for grid in grids(first).values()} == {
        frozenset(map(str, grid.items())) for grid in grids(second).values()
    }
    assert len({group.label for group in first.groups}) == len(first.groups)


EQUAL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the whole and its number": ({"batch_sizes": "full"}, {"batch_sizes": 90}),
    "one value and a list of it": ({"batch_sizes": 5}, {"batch_sizes": [5]}),
    "range and list": ({"batch_sizes": {"powers_of_two": [2, 8]}}, {"batch_sizes": [2, 4, 8]}),
    "open range and list": (
        {"batch_sizes": {"powers_of_two": [16, "full"]}},
        {"batch_sizes": [16, 32, 64]},
    ),
    "rates": (
        {"learning_rates": {"logspace": [0.1, 10], "count": 3}},
        {"learning_rates": [0.1, 1, 10]},
    ),
    "default hyperparameters": (
        {"optimizer": "momentum"},
        {"optimizer": {"name": "momentum", "momentum": 0.9, "l2": 0}},
    ),
    "default output": ({"output": "auto"}, {"output": "sigmoid"}),
    "share and count": ({"validation": 0.2, "test": 0.2}, {"validation": 30, "test": 30}),
    "growth that never comes": ({}, {"growth": {"factor": 2, "every": 2}}),
    "growth without room": ({}, {"growth": {"factor": 19, "every": 1}, "exclude": []}),
    "name and table": ({"dataset": "iris"}, {"dataset": {"name": "iris"}}),
    "default schedule": ({}, {"schedule": {"kind": "constant", "warmup": 0}}),
    "a limit of time": ({}, {"trial_seconds": 9.0}),
    "bundle and inclusion": (
        {"zip": ["batch_sizes", "learning_rates"]},
        {
            "batch_sizes": 5,
            "learning_rates": 0.5,
            "include": {"batch_sizes": 40, "learning_rates": 2.0},
        },
    ),
    "product and exclusion": ({"batch_sizes": 5}, {"exclude": {"batch_sizes": 40}}),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_other_spellings_are_the_same_trials(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert identities(experiment(**first)) == identities(experiment(**second))


def test_a_cell_named_twice_is_tried_once() -> None:
    study = experiment(include={"learning_rates": [2.0, 4.0]})
    assert grids(study) == {"study": {5: (0.5, 2.0, 4.0), 40: (0.5, 2.0, 4.0)}}


def test_each_group_has_its_own_grid() -> None:
    study = experiment(
        optimizer=["sgd", {"name": "adam", "learning_rates": 0.01}],
        exclude={"optimizer": "sgd", "batch_sizes": 40, "learning_rates": 2.0},
    )
    assert grids(study) == {"sgd": {5: (0.5, 2.0), 40: (0.5,)}, "adam": {5: (0.01,), 40: (0.01,)}}


def test_rates_follow_the_batch_size_by_their_rule() -> None:
    study = experiment(rate_rule=["none", "linear", "sqrt"], reference_batch_size=10)
    assert grids(study) == {
        "one grid of rates": {5: (0.5, 2.0), 40: (0.5, 2.0)},
        "linear rates": {5: (0.25, 1.0), 40: (2.0, 8.0)},
        "sqrt rates": {5: (0.3536, 1.414), 40: (1.0, 4.0)},
    }


def test_groups_share_trials_where_a_choice_makes_no_difference() -> None:
    rules = experiment(rate_rule=["none", "linear"], reference_batch_size=5)
    assert len(rules.explored) == 16
    # The reference batch size is the same under both rules, and one rate of the other coincides.
    assert len(identities(rules)) == 16 - 4


def test_adam_s_rule_changes_rate_half_life_and_epsilon() -> None:
    study = experiment(optimizer="adam", rate_rule="adam", reference_batch_size=10)
    (group,) = study.groups
    assert group.grid == {5: (0.3536, 1.414), 40: (1.0, 4.0)}
    used = group.family.hyperparameters_at(40)
    assert used["epsilon"] == 5e-9
    assert [used["beta1"], used["beta2"]] == pytest.approx([0.9**4, 0.999**4], rel=1e-12)
    assert group.family.hyperparameters_at(10) == dict(group.family.hyperparameters)


@pytest.mark.parametrize(("rule", "factor"), [("none", 4), ("sqrt", 2), ("linear", 1)])
def test_the_weight_decay_s_timescale_is_the_same_in_examples(rule: str, factor: float) -> None:
    keys = {"weight_decay_rule": "timescale", "rate_rule": rule, "reference_batch_size": 10}
    study = experiment(optimizer={"name": "adamw", "weight_decay": [0.0, 0.02]}, **keys)
    idle, decaying = study.groups
    assert idle.family.decay_reference is None
    assert decaying.family.hyperparameters_at(40)["weight_decay"] == 0.02 * factor
    # B / (rate decay) is that of the reference.
    rate = {"none": 1, "sqrt": 2, "linear": 4}[rule]
    assert 40 / (rate * 0.02 * factor) == 10 / 0.02


def test_a_memory_in_examples_has_the_same_half_life_at_every_batch_size() -> None:
    study = experiment(optimizer=["sgd", "adam"], memory="examples", reference_batch_size=10)
    plain, adam = study.groups
    assert plain.family.memory_reference is None
    for name, share in (("beta1", 0.9), ("beta2", 0.999)):
        for size in (5, 40):
            kept = adam.family.hyperparameters_at(size)[name]
            assert kept == pytest.approx(share ** (size / 10), abs=1e-12)
            # Of the weight of a gradient, half is left after as many examples.
            half_life = size * math.log(0.5) / math.log(kept)
            assert half_life == pytest.approx(10 * math.log(0.5) / math.log(share), rel=1e-6)


def test_trials_hold_the_shares_that_were_used() -> None:
    study = experiment(optimizer="momentum", memory=["updates", "examples"], reference_batch_size=5)
    assert [*grids(study)] == ["memory in updates", "memory in examples"]
    used = {
        (trial.configuration.batch_size, trial.hyperparameters["momentum"])
        for _, trial in study.explored
    }
    assert used == {(5, 0.9), (40, 0.9), (40, round(0.9**8, 12))}
    # At the reference both are the same trials.
    assert len(identities(study)) == 16 - 4


def test_the_output_goes_with_loss_and_task() -> None:
    def outputs(**keys: Any) -> list[str]:
        return [group.family.shared.output for group in experiment(**keys).groups]

    assert outputs() == ["sigmoid"]
    assert outputs(activation="relu") == ["sigmoid"]
    assert outputs(loss=["cross_entropy", "binary_cross_entropy"]) == ["softmax", "sigmoid"]
    assert outputs(dataset="diabetes") == ["identity"]
    assert outputs(output="identity") == ["identity"]


AS_WRITTEN = {
    "activation": "tanh",
    "shards": 2,
    "local_updates": 4,
    "noise_examples": 20,
    "target": 0.5,
    "patience": 3,
    "dtype": "float64",
    "initialiser": "he_normal",
    "initial_scale": 2.0,
    "reduction": "sum",
}


def test_the_geometry_is_measured_on_fresh_seeds_of_optimizers_that_have_one() -> None:
    keys = {"noise_geometry": True, "noise_examples": 8, "confirmation_seeds": [11]}
    study = experiment(optimizer=["momentum", "rmsprop", "lars", "lamb"], **keys)
    families = [group.family for group in study.groups]
    fresh = [family.configuration(5, evaluate_test=True) for family in families]
    measured = {
        configuration.optimizer: configuration.noise_geometry
        for configuration in fresh
        if isinstance(configuration, EngineConfiguration)
    }
    assert measured == {"momentum": False, "rmsprop": True, "lars": False, "lamb": True}
    assert not any(family.configuration(5).noise_geometry for family in families)
    at = Branching((8,), (1, 2), 0.1, "none")
    (trial,) = families[1].trials(5, 0.1, [11], branching=at)
    assert trial.configuration.noise_geometry


def test_sharpness_is_measured_on_fresh_seeds_and_not_where_branches_leave() -> None:
    study = experiment(sharpness=True, stop_loss=["none", 0.5], confirmation_seeds=[11])
    assert [group.label for group in study.groups] == ["stop_loss=none", "stop_loss=0.5"]
    family = study.groups[1].family
    branching = Branching((8,), (1, 2), 0.1, "none")
    kinds: list[dict[str, Any]] = [{}, {"evaluate_test": True}, {"branching": branching}]
    trials = [trial for kind in kinds for trial in family.trials(5, 0.1, [11], **kind)]
    measured = [(t.configuration.sharpness, t.configuration.stop_loss) for t in trials]
    assert measured == [(False, 0.5), (True, 0.5), (False, None)]


def test_a_configuration_holds_what_was_asked_for() -> None:
    study = experiment(
        **AS_WRITTEN,
        dataset="diabetes",
        hidden_layers=[8],
        schedule={"kind": "step", "decay": 0.5, "every": 3, "per": "epoch", "warmup": 2},
        growth={"factor": 3, "every": 1, "limit": 100},
        updates=50,
        noise_curvature=True,
        confirmation_seeds=[11],
        split_seed=3,
        scaling="min-max",
    )
    (group,) = study.groups
    configuration = group.family.configuration(40, evaluate_test=True)
    assert {name: getattr(configuration, name) for name in AS_WRITTEN} == AS_WRITTEN
    assert configuration.architecture.widths == (10, 8, 1)
    assert configuration.schedule == Schedule("step", "epoch", 2, 0.5, 3)
    assert configuration.growth is None
    assert group.family.configuration(5).growth == BatchGrowth(((1, 15),))
    assert configuration.budget == Budget(epochs=2, updates=50)
    assert configuration.noise_curvature
    assert not group.family.configuration(40).noise_curvature
    assert (configuration.metric, configuration.output) == ("r2", "identity")
    preparation = configuration.preparation
    assert (preparation.split_seed, preparation.scaling) == (3, "min-max")
    assert configuration.evaluate_test


def test_the_default_metric_is_the_one_that_trials_have_without_the_key() -> None:
    plain, same, other = (
        identities(experiment(**keys))
        for keys in ({}, {"metric": "accuracy"}, {"metric": "balanced_accuracy"})
    )
    assert plain == same
    assert plain.isdisjoint(other)
    assert "metric" not in to_toml(experiment().specification)


def test_a_level_of_a_loss_is_its_negative_to_the_engine() -> None:
    study = experiment(metric="log_loss", target=1.5)
    shared = study.groups[0].family.shared
    assert (shared.metric, shared.target) == ("neg_log_loss", -1.5)
    assert study.specification.target == 1.5
