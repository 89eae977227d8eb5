"""Specifications: every mistake at once, each with path, value and what is allowed."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.errors import SpecificationError
from sweeps.spec.axes import AXES, Axes
from sweeps.spec.model import (
    KEYS,
    StudySpecification,
    from_toml,
    parse,
    to_toml,
    toml_value,
)
from sweeps.spec.model import given as given_keys
from sweeps.spec.types import SimulatedCluster


def problems_of(keys: dict[str, Any]) -> dict[str, str]:
    return {problem.path: problem.text for problem in parse(keys)[1]}


MISTAKES: dict[str, tuple[Any, str, str]] = {
    "batch size of 0": ([4, 0], "batch_sizes[1]", "must be at least 1, but is 0."),
    "half a batch": ([1.5], "batch_sizes[0]", "must be a whole number, but is 1.5."),
    "batch size as text": (
        ["8"],
        "batch_sizes[0]",
        "must be 'full' or a whole number, but is '8'.",
    ),
    "batch size as flag": ([True], "batch_sizes[0]", "must be a whole number, but is True."),
    "scalar batch size of 0": (0, "batch_sizes", "must be at least 1, but is 0."),
    "empty axis": ([], "batch_sizes", "must hold at least one value."),
    "repetition": ([8, 4, 8], "batch_sizes", "holds [8] more than once."),
    "no power of two": (
        [2, {"powers_of_two": [1, 5]}],
        "batch_sizes[1].powers_of_two[1]",
        "must be a power of two, but is 5.",
    ),
    "powers that fall": (
        {"powers_of_two": [8, 4]},
        "batch_sizes.powers_of_two",
        "must be the smallest and a larger value, but is [8, 4].",
    ),
    "unknown range": (
        {"powers_of_ten": [1, 10]},
        "batch_sizes.powers_of_ten",
        "is not a key of 'batch_sizes'. Did you mean 'powers_of_two'?",
    ),
    "negative rate": ([-1.0], "learning_rates[0]", "must be at least 1e-30, but is -1.0."),
    "infinite rate": ([float("inf")], "learning_rates[0]", "must be at most 1e+30, but is inf."),
    "vanishing rate": ([1e-310], "learning_rates[0]", "must be at least 1e-30, but is 1e-310."),
    "bad rate beside a range": (
        [{"logspace": [1.0, 2.0], "count": 2}, -1.0],
        "learning_rates",
        "must be at least 1e-30, but is -1.0.",
    ),
    "bad range of rates": (
        {"logspace": [0.0, 2.0], "count": 2},
        "learning_rates.logspace[0]",
        "must be at least 1e-30, but is 0.0.",
    ),
    "misspelt range of rates": (
        {"logspac": [0.1, 2.0], "count": 2},
        "learning_rates.logspac",
        "is not a key of 'learning_rates'. Did you mean 'logspace'?",
    ),
    "misspelt range of seeds": (
        {"first": 1, "counts": 2},
        "seeds.counts",
        "is not a key of 'seeds'. Did you mean 'count'?",
    ),
    "negative seed": ([-1], "seeds[0]", "must be at least 0, but is -1."),
    "huge seed": ([2**63], "seeds[0]", f"must be at most {2**63 - 1}, but is {2**63}."),
    "repeated seed": ([1, {"first": 0, "count": 3}], "seeds", "holds [1] more than once."),
    "seeds without end": (
        {"first": 0, "count": 10**9},
        "seeds.count",
        "must be at most 100000, but is 1000000000.",
    ),
    "rates without end": (
        {"logspace": [0.1, 1.0], "count": 10**9},
        "learning_rates.count",
        "must be at most 1000, but is 1000000000.",
    ),
    "too many sizes": (
        [*range(1, 1002)],
        "batch_sizes",
        "must hold at most 1000 values.",
    ),
    "no epoch": (0, "epochs", "must be at least 1, but is 0."),
    "none for the test": (0, "test", "must be at least 1, but is 0."),
    "all for the test": (1.0, "test", "must be below 1.0, but is 1.0."),
    "number as text": ("a", "validation", "must be a number, but is 'a'."),
    "unit of 0": ([8, 0], "hidden_layers[1]", "must be at least 1, but is 0."),
    "unit of 0 in the second": ([[8], [0]], "hidden_layers[1][0]", "must be at least 1, but is 0."),
    "name of a folder": (
        "a/b",
        "name",
        (
            "must be a letter or digit, then letters, digits, '.', '_' and '-', 64 at most, but is "
            "'a/b'."
        ),
    ),
    "unknown choice": (
        "means",
        "reduction",
        "must be one of 'mean' or 'sum', but is 'means'. Did you mean 'mean'?",
    ),
    "unknown optimizer": (
        ["sgd", "adan"],
        "optimizer[1]",
        (
            "must be one of 'sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', 'adamw', "
            "'lars' or 'lamb', but is 'adan'. Did you mean 'adam'?"
        ),
    ),
    "number as optimizer": (7, "optimizer", "must be a table, but is 7."),
    "hyperparameter out of range": (
        [{"name": "adam", "beta1": [0.9, 1.0]}],
        "optimizer[0].beta1[1]",
        "must be below 1.0, but is 1.0.",
    ),
    "misspelt hyperparameter": (
        {"name": "adam", "beta": 0.9},
        "optimizer.beta",
        "is not a key of 'optimizer'. Did you mean 'beta2'?",
    ),
    "growth that stays": (
        {"factor": 1, "every": 2},
        "growth.factor",
        "must be at least 2, but is 1.",
    ),
    "growth by a name": ("some", "growth", "must be one of 'none', but is 'some'."),
    "axis of no study in a bundle": (
        ["dataset", "seeds"],
        "zip[1]",
        (
            f"must be one of {', '.join(map(repr, AXES[:-1]))} or {AXES[-1]!r}, but is 'seeds'. "
            "Did you mean 'seconds'?"
        ),
    ),
    "a bundle of one": (["loss"], "zip", "must be two or more axes, each once."),
    "unknown axis in an exclusion": (
        [{"batch_size": 1}],
        "exclude[0].batch_size",
        "is not a key of 'exclude'. Did you mean 'batch_sizes'?",
    ),
    "latency below 0": (
        {"latency": -1.0},
        "simulated_cluster.latency",
        "must be at least 0.0, but is -1.0.",
    ),
    "no bandwidth": (
        {"bandwidth": 0.0},
        "simulated_cluster.bandwidth",
        "must be above 0.0, but is 0.0.",
    ),
    "no worker": (
        {"workers": [4, 0]},
        "simulated_cluster.workers[1]",
        "must be at least 1, but is 0.",
    ),
    "workers without end": (
        {"workers": 2**20 + 1},
        "simulated_cluster.workers",
        "must be at most 1048576, but is 1048577.",
    ),
    "unknown way to combine": (
        {"combine": "rings"},
        "simulated_cluster.combine",
        ("must be one of 'ring', 'halving' or 'central', but is 'rings'. Did you mean 'ring'?"),
    ),
    "misspelt field of the cluster": (
        {"latencies": 1.0},
        "simulated_cluster.latencies",
        "is not a key of 'simulated_cluster'. Did you mean 'latency'?",
    ),
    "text expected": (7, "title", "must be text, but is 7."),
    "flag expected": (1, "timing", "must be true or false, but is 1."),
}


@pytest.mark.parametrize(("value", "path", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_place_value_and_remedy(
    value: object, path: str, text: str, keys: dict[str, Any]
) -> None:
    key = path.partition("[")[0].partition(".")[0]
    mistakes = problems_of(keys | {key: value})
    assert mistakes[path] == text
    assert {other for other in mistakes if not other.startswith(key)} == set()


def test_a_misspelt_key_gets_a_suggestion(keys: dict[str, Any]) -> None:
    keys["batchsizes"] = keys.pop("batch_sizes")
    assert problems_of(keys) == {
        "batchsizes": "is not a key of a study. Did you mean 'batch_sizes'?",
    }


def test_a_strange_key_gets_the_list_of_keys(keys: dict[str, Any]) -> None:
    mistakes = problems_of(keys | {"zzz": 1})
    assert mistakes == {"zzz": f"is not a key of a study. Known keys: {', '.join(KEYS)}."}


def test_all_mistakes_are_told_at_once_and_the_rest_is_read(keys: dict[str, Any]) -> None:
    mistakes, problems, wrong = parse(keys | {"epochs": 0, "reduction": "x", "seeds": [-1, -2]})
    assert [problem.path for problem in problems] == ["reduction", "epochs", "seeds[0]", "seeds[1]"]
    assert wrong == {"epochs", "reduction", "seeds"}
    assert mistakes.batch_sizes == (5, 40)
    assert mistakes.epochs == ()


def test_seeds_are_sorted_so_that_their_order_does_not_matter(keys: dict[str, Any]) -> None:
    assert parse(keys | {"seeds": [2, 1]}) == parse(keys)
    assert parse(keys | {"seeds": {"first": 1, "count": 2}}) == parse(keys)


FULL: dict[str, Any] = {
    "dataset": ["digits", {"name": "moons", "noise": 0.1, "odd key": [1, "x"]}],
    "hidden_layers": [[], [8, 4]],
    "optimizer": ["sgd", {"name": "adam", "beta1": [0.9, 0.8], "clip_norm": float("inf")}],
    "schedule": [{"kind": "step", "per": "epoch", "decay": 0.5, "every": 3}, "cosine"],
    "growth": ["none", {"factor": 2, "every": 3}],
    "batch_sizes": [3, {"powers_of_two": [4, "full"]}],
    "learning_rates": {"logspace": [0.1, 10.0], "count": 3},
    "zip": ["dataset", "hidden_layers"],
    "include": {"optimizer": "sgd", "updates": 50},
    "exclude": [{"batch_sizes": 3, "optimizer": "sgd"}],
    "simulated_cluster": {"latency": 1e-6, "workers": [1, 1024]},
    "split_seed": 7,
    "title": 'a "quoted"\n\\ \x7f \u202e title',
    "seeds": [0, 2**63 - 1],
    "epochs": 2,
}


def test_toml_gives_the_same_specification_back() -> None:
    written = StudySpecification.model_validate(FULL)
    read = from_toml(to_toml(written))
    assert read == written
    assert read.exclude[0].model_fields_set == written.exclude[0].model_fields_set
    assert to_toml(read) == to_toml(written)


def test_what_is_given_makes_the_same_specification() -> None:
    written = StudySpecification.model_validate(FULL)
    keys = given_keys(written)
    assert {*keys} == {*FULL}
    assert StudySpecification.model_validate(keys) == written


def test_one_value_is_written_as_one() -> None:
    text = to_toml(StudySpecification(hidden_layers=[[]], batch_sizes=[8], epochs=[3]))
    assert "\nbatch_sizes = 8\n" in text
    assert "\nepochs = 3\n" in text
    assert '\noptimizer = "sgd"\n' in text
    assert "\nupdates" not in text


TOML = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats(allow_nan=False),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=10,
)


@given(TOML)
def test_every_value_can_be_written(value: object) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}


def test_the_keys_are_the_axes_and_more() -> None:
    assert {*AXES} < {*KEYS}
    assert issubclass(StudySpecification, Axes)


def test_a_simulation_is_a_table_or_none() -> None:
    _, (problem,), _ = parse({"simulated_cluster": "nome"})
    assert problem.path == "simulated_cluster"
    assert problem.text.startswith("must be 'none' or a table, but is 'nome'.")


def test_nothing_is_simulated_unless_a_cluster_is_named() -> None:
    assert StudySpecification().simulated_cluster == "none"
    common = from_toml(to_toml(StudySpecification(simulated_cluster={}))).simulated_cluster
    assert isinstance(common, SimulatedCluster)
    assert common.workers == tuple(2**power for power in range(13))


@pytest.mark.parametrize("key", ["zip", "include", "exclude"])
def test_lists_of_tables_are_no_longer_than_any_other(key: str) -> None:
    axes = ["dataset", "epochs"] if key == "zip" else {"epochs": 2}
    _, problems, _ = parse({key: [axes] * 1001})
    text = problems[0].text
    assert problems[0].path == key
    assert text.startswith("must hold at most 1000 values, but is [")


def test_ranges_that_are_too_many_are_not_written_out() -> None:
    seeds, rates = {"first": 1, "count": 100_000}, {"logspace": [0.1, 1.0], "count": 1000}
    _, problems, _ = parse({"seeds": [seeds] * 20_000, "learning_rates": [rates] * 20_000})
    assert {(problem.path, problem.text) for problem in problems} == {
        ("seeds", "must hold at most 100000 seeds."),
        ("learning_rates", "must hold at most 1000 values."),
    }


def test_no_more_than_a_hundred_mistakes_are_told() -> None:
    _, problems, _ = parse({f"k{number}": 1 for number in range(50_000)})
    lines = str(SpecificationError("s.toml", problems)).splitlines()
    assert len(lines) == 101
    assert lines[-1] == "s.toml: There may be more mistakes than these 100."
