"""Axes: one value or a list, ranges, names in place of tables; every value within its range."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bpengine import Schedule
from bpengine.optim._optimizers import COMMON, OPTIMIZERS, check_settings
from sweeps.spec.axes import AXES, HYPERPARAMETERS, Axes, OptimizerChoice
from sweeps.spec.types import PowersOfTwo, rounded


def axis(name: str, value: object) -> Any:
    return getattr(Axes.model_validate({name: value}), name)


@pytest.mark.parametrize("name", [name for name in AXES if name != "hidden_layers"])
def test_one_value_is_a_list_of_one(name: str) -> None:
    values = {
        "dataset": "iris",
        "growth": {"factor": 2, "every": 3},
        "batch_sizes": "full",
        "learning_rates": 0.1,
    }
    default = Axes.model_fields[name].default
    value = values.get(name, default[0] if default else 7)
    assert axis(name, value) == axis(name, [value])
    assert len(axis(name, value)) == 1


def test_a_list_of_layers_is_one_network_and_a_list_of_lists_are_several() -> None:
    assert axis("hidden_layers", []) == ((),)
    assert axis("hidden_layers", 8) == ((8,),)
    assert axis("hidden_layers", [64, 32]) == ((64, 32),)
    assert axis("hidden_layers", [[64, 32], [8], []]) == ((64, 32), (8,), ())


def test_any_sequence_is_a_list() -> None:
    assert axis("batch_sizes", range(1, 4)) == (1, 2, 3)
    assert axis("batch_sizes", (1, 2)) == (1, 2)


def test_rates_at_equal_ratios_have_four_digits() -> None:
    rates = axis("learning_rates", {"logspace": [0.001, 10.0], "count": 9})
    assert rates == (0.001, 0.003162, 0.01, 0.03162, 0.1, 0.3162, 1.0, 3.162, 10.0)
    assert axis("learning_rates", [5, {"logspace": [0.1, 1.0], "count": 2}]) == (5.0, 0.1, 1.0)
    assert rounded(1 / 3) == 0.3333


def test_powers_of_two_end_where_their_limit_is_or_where_the_data_do() -> None:
    (powers,) = axis("batch_sizes", {"powers_of_two": [4, 32]})
    assert powers.sizes(10) == [4, 8, 16, 32]
    (all_of_them,) = axis("batch_sizes", {"powers_of_two": [1, "full"]})
    assert all_of_them.sizes(100) == [1, 2, 4, 8, 16, 32, 64]
    assert all_of_them.sizes(64) == [1, 2, 4, 8, 16, 32, 64]
    assert isinstance(powers, PowersOfTwo)


def test_names_stand_for_tables() -> None:
    assert axis("optimizer", "adam") == axis("optimizer", {"name": "adam"})
    assert axis("schedule", "cosine") == axis("schedule", [{"kind": "cosine"}])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_hyperparameter_of_an_optimizer_is_a_field_with_the_engines_range(
    optimizer: str,
) -> None:
    for name in OPTIMIZERS[optimizer].defaults:
        assert name in HYPERPARAMETERS
        for value in (-1.0, 0.0, 0.5, 1.0, 2.0, float("inf"), float("nan")):
            setting = {"learning_rate": 0.1, name: value}
            assert accepts(lambda: check_settings(optimizer, [setting])) == accepts(  # noqa: B023
                lambda: OptimizerChoice.model_validate({"name": optimizer, name: value})  # noqa: B023
            ), (name, value)


def accepts(check: Any) -> bool:
    try:
        check()
    except (ValueError, ValidationError):
        return False
    return True


def test_no_hyperparameter_belongs_to_no_optimizer() -> None:
    known = {name for optimizer in OPTIMIZERS.values() for name in optimizer.defaults}
    assert {*HYPERPARAMETERS} == known | {*COMMON}


def test_the_defaults_are_the_engines() -> None:
    (schedule,) = Axes().schedule
    assert schedule.kind == Schedule().kind
    assert schedule.warmup == Schedule().warmup
