"""Combinations: a product of axes, except where axes are bundled, replaced or left out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.design._combinations import Combination, agrees, combinations, most_cells
from sweeps.design._grid import sizes_of
from sweeps.spec.axes import Axes
from sweeps.spec.model import StudySpecification


def combined(**keys: Any) -> list[Combination]:
    full = {"learning_rates": [0.1, 0.2], "batch_sizes": [1, 2], "dataset": "iris", "epochs": 1}
    return [*combinations(StudySpecification.model_validate(full | keys))]


def values_of(made: list[Combination], *axes: str) -> list[tuple[Any, ...]]:
    return [tuple(combination.get(axis) for axis in axes) for combination in made]


SOME = {
    "activation": st.lists(st.sampled_from(["relu", "tanh", "gelu"]), min_size=1, unique=True),
    "batch_sizes": st.lists(st.integers(1, 99), min_size=1, max_size=3, unique=True),
    "shards": st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
}


@given(st.fixed_dictionaries(SOME))
def test_axes_are_multiplied(axes: dict[str, list[Any]]) -> None:
    wanted = {*itertools.product(*axes.values())}
    made = values_of(combined(**axes), *axes)
    assert {*made} == wanted
    assert len(made) == len(wanted)
    assert all(combination.learning_rates == (0.1, 0.2) for combination in combined(**axes))


@given(st.permutations([1, 2, 3]), st.permutations([4, 5, 6]))
def test_bundled_axes_go_together(first: list[int], second: list[int]) -> None:
    made = combined(
        batch_sizes=first, shards=second, activation=["relu", "tanh"], zip=["shards", "batch_sizes"]
    )
    pairs = [(*pair, name) for pair in zip(first, second, strict=True) for name in ("relu", "tanh")]
    assert sorted(values_of(made, "batch_sizes", "shards", "activation")) == sorted(pairs)


def test_bundled_rates_come_one_by_one() -> None:
    made = combined(zip=["batch_sizes", "learning_rates"])
    assert [
        (combination.get("batch_sizes"), combination.learning_rates) for combination in made
    ] == [(1, (0.1,)), (2, (0.2,))]


def test_optimizers_bring_rates_and_hyperparameters_of_their_own() -> None:
    table = {"name": "adam", "learning_rates": 0.5, "beta1": [0.8, 0.9], "beta2": [0.98, 0.99]}
    made = combined(optimizer=["sgd", table], batch_sizes=1)
    assert [combination.learning_rates for combination in made] == [(0.1, 0.2)] + [(0.5,)] * 4
    assert [combination.hyperparameters for combination in made] == [{}] + [
        {"beta1": beta1, "beta2": beta2} for beta1 in (0.8, 0.9) for beta2 in (0.98, 0.99)
    ]


def test_an_inclusion_adds_the_study_with_other_values() -> None:
    include = [{"activation": ["relu", "tanh"], "batch_sizes": 8}, {"loss": "cross_entropy"}]
    made = combined(include=include)
    assert values_of(made, "activation", "loss", "batch_sizes") == [
        ("sigmoid", "squared_error", 1),
        ("sigmoid", "squared_error", 2),
        ("relu", "squared_error", 8),
        ("tanh", "squared_error", 8),
        ("sigmoid", "cross_entropy", 1),
        ("sigmoid", "cross_entropy", 2),
    ]


def test_an_inclusions_budget_replaces_the_whole_budget() -> None:
    made = combined(batch_sizes=1, seconds=5, include=[{"updates": 50}])
    assert values_of(made, "epochs", "updates", "seconds") == [(1, None, 5.0), (None, 50, None)]


def test_an_inclusion_takes_its_axes_out_of_bundles() -> None:
    made = combined(
        epochs=[1, 2],
        zip=["epochs", "batch_sizes"],
        include=[{"batch_sizes": [7, 8]}, {"updates": 5}],
    )
    assert values_of(made, "epochs", "updates", "batch_sizes") == [
        (1, None, 1),
        (2, None, 2),
        *((epochs, None, size) for size in (7, 8) for epochs in (1, 2)),
        (None, 5, 1),
        (None, 5, 2),
    ]


COUNTED: dict[str, tuple[dict[str, Any], int]] = {
    "product": ({"activation": ["relu", "tanh"]}, 2 * 2 * 2),
    "range": ({"batch_sizes": [3, {"powers_of_two": [4, 64]}]}, 2 * 6),
    "rates and hyperparameters of one's own": (
        {
            "optimizer": [
                "sgd",
                {"name": "adam", "learning_rates": [1.0, 2.0, 3.0], "beta1": [0.8, 0.9]},
            ]
        },
        2 * (2 + 3 * 2),
    ),
    "bundle": ({"zip": ["batch_sizes", "shards"], "shards": [1, 2]}, 2 * 2),
    "bundle with rates": ({"zip": ["batch_sizes", "learning_rates"]}, 2),
    "inclusion": ({"include": [{"batch_sizes": [5], "activation": ["relu", "tanh"]}]}, 4 + 2 * 2),
    "a bundle that an inclusion replaces": (
        {
            "zip": ["batch_sizes", "learning_rates"],
            "include": [{"learning_rates": [1.0, 2.0, 3.0]}],
        },
        2 + 2 * 3,
    ),
}


@pytest.mark.parametrize(("keys", "wanted"), COUNTED.values(), ids=COUNTED)
def test_cells_are_counted_without_making_them(keys: dict[str, Any], wanted: int) -> None:
    full = {"learning_rates": [0.1, 0.2], "batch_sizes": [1, 2], "dataset": "iris", "epochs": 1}
    specification = StudySpecification.model_validate(full | keys)
    made = sum(
        len(sizes_of(combination.get("batch_sizes"), 90)) * len(combination.learning_rates)
        for combination in combinations(specification)
    )
    assert most_cells(specification) == wanted == made


ADAM = {"name": "adam", "beta1": 0.8}
STEP = {"kind": "step", "decay": 0.5, "every": 2}
PATTERNS: dict[str, tuple[dict[str, Any], bool]] = {
    "batch size": ({"batch_sizes": 8}, True),
    "one of batch sizes": ({"batch_sizes": [2, 8]}, True),
    "name of a batch size": ({"batch_sizes": "full"}, True),
    "range of batch sizes": ({"batch_sizes": {"powers_of_two": [4, 16]}}, True),
    "open range of batch sizes": ({"batch_sizes": {"powers_of_two": [8, "full"]}}, True),
    "other range of batch sizes": ({"batch_sizes": {"powers_of_two": [16, 32]}}, False),
    "other batch size": ({"batch_sizes": 4}, False),
    "rate": ({"learning_rates": 0.1}, True),
    "other rate": ({"learning_rates": 0.2}, False),
    "optimizer": ({"optimizer": "adam"}, True),
    "other optimizer": ({"optimizer": "adamw"}, False),
    "hyperparameter": ({"optimizer": {"name": "adam", "beta1": [0.7, 0.8]}}, True),
    "other hyperparameter": ({"optimizer": {"name": "adam", "beta1": 0.9}}, False),
    "schedule": ({"schedule": {"kind": "step", "every": 2}}, True),
    "other schedule": ({"schedule": {"kind": "step", "every": 3}}, False),
    "name of data": ({"dataset": "moons"}, True),
    "data": ({"dataset": {"name": "moons", "noise": 0.2}}, True),
    "other data": ({"dataset": {"name": "moons"}}, False),
    "layers": ({"hidden_layers": [[4], []]}, True),
    "budget": ({"epochs": 1}, True),
    "budget it has not": ({"updates": 1}, False),
    "both of two": ({"epochs": 1, "optimizer": "adam"}, True),
    "one of two": ({"epochs": 1, "optimizer": "sgd"}, False),
}


@pytest.mark.parametrize(("pattern", "wanted"), PATTERNS.values(), ids=PATTERNS)
def test_a_combination_agrees_with_all_values_of_an_exclusion(
    pattern: dict[str, Any], wanted: bool
) -> None:
    (combination,) = combined(
        dataset={"name": "moons", "noise": 0.2}, batch_sizes=8, optimizer=ADAM, schedule=STEP
    )
    assert agrees(Axes.model_validate(pattern), combination, (8, "full"), 0.1) is wanted
