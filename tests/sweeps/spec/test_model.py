"""Specifications: every mistake at once, each with path, value and what is allowed."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refused import states

from sweeps.errors import SpecificationError
from sweeps.spec.axes import AXES
from sweeps.spec.model import KEYS, StudySpecification, from_toml, parse, to_toml, toml_value
from sweeps.spec.model import given as given_keys
from sweeps.spec.types import SimulatedCluster


def problems_of(keys: dict[str, Any]) -> dict[str, str]:
    return {problem.path: problem.text for problem in parse(keys)[1]}


MISTAKES: list[tuple[str, Any, str]] = [
    ("batch_sizes[1]", [4, 0], "at least 1, but is 0."),
    ("batch_sizes[0]", [1.5], "a whole number, but is 1.5."),
    ("batch_sizes[0]", ["8"], "'full' or a whole number, but is '8'."),
    ("batch_sizes[0]", [True], "a whole number, but is True."),
    ("batch_sizes", 0, "at least 1, but is 0."),
    ("batch_sizes", [], "at least one value."),
    ("batch_sizes", [8, 4, 8], "holds [8] more than once."),
    ("batch_sizes[1].powers_of_two[1]", [2, {"powers_of_two": [1, 5]}], "power of two, but is 5."),
    ("batch_sizes.powers_of_two", {"powers_of_two": [8, 4]}, "larger value, but is [8, 4]."),
    ("batch_sizes.powers_of_ten", {"powers_of_ten": [1, 10]}, "Did you mean 'powers_of_two'?"),
    ("learning_rates[0]", [-1.0], "at least 1e-30, but is -1.0."),
    ("learning_rates[0]", [float("inf")], "at most 1e+30, but is inf."),
    ("learning_rates[0]", [1e-310], "at least 1e-30, but is 1e-310."),
    ("learning_rates", [{"logspace": [1.0, 2.0], "count": 2}, -1.0], "at least 1e-30, but is -1.0"),
    ("learning_rates.logspace[0]", {"logspace": [0.0, 2.0], "count": 2}, "1e-30, but is 0.0."),
    ("learning_rates.logspac", {"logspac": [0.1, 2.0], "count": 2}, "Did you mean 'logspace'?"),
    ("seeds.counts", {"first": 1, "counts": 2}, "Did you mean 'count'?"),
    ("seeds[0]", [-1], "at least 0, but is -1."),
    ("seeds[0]", [2**63], f"at most {2**63 - 1}, but is {2**63}."),
    ("seeds", [1, {"first": 0, "count": 3}], "holds [1] more than once."),
    ("seeds.count", {"first": 0, "count": 10**9}, "at most 100000, but is 1000000000."),
    ("learning_rates.count", {"logspace": [0.1, 1.0], "count": 10**9}, "at most 1000, but is "),
    ("batch_sizes", [*range(1, 1002)], "at most 1000 values."),
    ("epochs", 0, "at least 1, but is 0."),
    ("test", 0, "at least 1, but is 0."),
    ("test", 1.0, "below 1.0, but is 1.0."),
    ("validation", "a", "a number, but is 'a'."),
    ("hidden_layers[1]", [8, 0], "at least 1, but is 0."),
    ("hidden_layers[1][0]", [[8], [0]], "at least 1, but is 0."),
    ("name", "a/b", "'.', '_' and '-', 64 at most, but is 'a/b'."),
    ("reduction", "means", "'mean' or 'sum', but is 'means'. Did you mean 'mean'?"),
    ("optimizer[1]", ["sgd", "adan"], "'lars' or 'lamb', but is 'adan'. Did you mean 'adam'?"),
    ("optimizer", 7, "a table, but is 7."),
    ("optimizer[0].beta1[1]", [{"name": "adam", "beta1": [0.9, 1.0]}], "below 1.0, but is 1.0."),
    ("optimizer.beta", {"name": "adam", "beta": 0.9}, "Did you mean 'beta2'?"),
    ("growth.factor", {"factor": 1, "every": 2}, "at least 2, but is 1."),
    ("growth", "some", "'none', 'measured', 'seesaw' or a table"),
    ("zip[1]", ["dataset", "seeds"], f"{AXES[-1]!r}, but is 'seeds'. Did you mean 'seconds'?"),
    ("zip", ["loss"], "two or more axes, each once."),
    ("exclude[0].batch_size", [{"batch_size": 1}], "Did you mean 'batch_sizes'?"),
    ("simulated_cluster.latency", {"latency": -1.0}, "at least 0.0, but is -1.0."),
    ("simulated_cluster.bandwidth", {"bandwidth": 0.0}, "above 0.0, but is 0.0."),
    ("simulated_cluster.workers[1]", {"workers": [4, 0]}, "at least 1, but is 0."),
    ("simulated_cluster.workers", {"workers": 2**20 + 1}, "at most 1048576, but is 1048577."),
    ("simulated_cluster.combine", {"combine": "rings"}, "'central', but is 'rings'. Did you mean"),
    ("simulated_cluster.latencies", {"latencies": 1.0}, "Did you mean 'latency'?"),
    ("simulated_cluster", "nome", "'none' or a table, but is 'nome'."),
    ("zip", [["dataset", "epochs"]] * 1001, "at most 1000 values, but is ["),
    ("include", [{"epochs": 2}] * 1001, "at most 1000 values, but is ["),
    ("exclude", [{"epochs": 2}] * 1001, "at most 1000 values, but is ["),
    ("title", 7, "text, but is 7."),
    ("timing", 1, "true or false, but is 1."),
    ("batchsizes", 5, "Did you mean 'batch_sizes'?"),
    ("zzz", 1, f"Known keys: {', '.join(KEYS)}."),
]


@pytest.mark.parametrize(("path", "value", "text"), MISTAKES)
def test_a_mistake_is_reported_with_path_value_and_remedy(
    path: str, value: object, text: str, keys: dict[str, Any]
) -> None:
    key = path.partition("[")[0].partition(".")[0]
    mistakes = problems_of(keys | {key: value})
    assert text in mistakes[path]
    assert {other for other in mistakes if not other.startswith(key)} == set()


def test_all_mistakes_are_reported_at_once_and_the_rest_is_read(keys: dict[str, Any]) -> None:
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


def test_nothing_is_simulated_unless_a_cluster_is_named() -> None:
    assert StudySpecification().simulated_cluster == "none"
    common = from_toml(to_toml(StudySpecification(simulated_cluster={}))).simulated_cluster
    assert isinstance(common, SimulatedCluster)
    assert common.workers == tuple(2**power for power in range(13))


def test_ranges_that_are_too_many_are_not_written_out() -> None:
    seeds, rates = {"first": 1, "count": 100_000}, {"logspace": [0.1, 1.0], "count": 1000}
    _, problems, _ = parse({"seeds": [seeds] * 20_000, "learning_rates": [rates] * 20_000})
    texts = {problem.path: problem.text for problem in problems}
    assert texts.keys() == {"seeds", "learning_rates"}
    states(texts["seeds"], "at most 100000 seeds")
    states(texts["learning_rates"], "at most 1000 values")


def test_no_more_than_a_hundred_mistakes_are_reported() -> None:
    _, problems, _ = parse({f"k{number}": 1 for number in range(50_000)})
    lines = str(SpecificationError("s.toml", problems)).splitlines()
    assert len(lines) == 101
    states(lines[-1], "s.toml: ", "more mistakes than these 100")
