"""Facts of data: kept as JSON without losing anything but where files lie."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sweeps.data.facts import DataFacts, Sessions, facts_of, from_json, key_of, sessions_of, to_json
from sweeps.data.files.formats import FORMATS
from sweeps.data.parameters import read_parameters
from sweeps.data.registry import load
from sweeps.data.splits import Preparation, Source

PARAMETERS = {"target": ["a", "b"], "ignore": "c", "limit_gb": 1}
SOURCE = Source(
    "iris.csv",
    tuple(sorted(read_parameters(PARAMETERS, FORMATS[".csv"].parameters, "it")[0].items())),
    "abc",
    "/home/me/iris.csv",
)


@pytest.fixture
def facts() -> DataFacts:
    """Return facts of iris under a name with everything a name can have."""
    return facts_of(load(Source("iris")), SOURCE, Preparation(0.2, 30, "none", split_seed=4))


def test_json_gives_the_same_facts_back(facts: DataFacts) -> None:
    scaled = replace(facts, target_scales=((1, (0.1, 1 / 3)), (2, (0.5, 2.0))))
    data = {key_of("iris"): facts, key_of({"name": "iris"}): scaled}
    assert from_json(to_json(data)) == data


def test_where_a_file_lies_is_not_kept(facts: DataFacts) -> None:
    text = to_json({"x": facts})
    assert "/home/me" not in text
    assert from_json(text)["x"].source.path == ""


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("train_items", "90"),
        ("train_items", 0),
        ("outputs", None),
        ("target_names", "ab"),
        ("target_scales", [[1, 2]]),
        ("preparation", {"validation": 30, "test": 30, "scaling": "none", "split_seed": [1]}),
        ("preparation", {"validation": 30, "test": 30, "scaling": "evil"}),
        ("preparation", {"validation": 0.3, "test": 30, "scaling": "none"}),
        ("task", "clustering"),
        ("source", {"name": "iris.csv", "parameters": [["target", {}]], "content": "abc"}),
        ("source", {"name": "iris.pkl", "parameters": [], "content": "abc"}),
        ("source", {"name": "no such data"}),
        ("source", {"name": "/etc/passwd"}),
        ("source", {"name": "moons", "parameters": [["noise", -1]]}),
        ("source", {"name": "moons", "parameters": [["path", "moons.csv"]]}),
        ("source", {"name": "olivetti_faces", "parameters": [["data_home", "here"]]}),
        ("source", {"name": "openml:../../../home/me@1"}),
    ],
)
def test_what_no_specification_can_say_is_refused(
    facts: DataFacts, place: str, value: object
) -> None:
    content = json.loads(to_json({"x": facts}))
    content["x"][place] = value
    with pytest.raises((ValueError, KeyError)):
        from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("jobs", "-1"),
        ("jobs", "2.5"),
        ("jobs", "9" * 400),
        ("jobs", '"2"'),
        ("jobs", '2, "sweep_seconds": 9'),
        ("sweep_seconds", "inf"),
        ("sweep_seconds", "1e999"),
        ("sweep_seconds", "-0.5"),
        ("sweep_seconds", "soon"),
        ("provenance", "[1]"),
        ("provenance", '{"numpy": 2}'),
        ("provenance", "{" * 10_000),
    ],
)
def test_a_fact_of_sessions_that_cannot_be_is_unknown(key: str, value: str) -> None:
    stored = {"jobs": "2", "sweep_seconds": "1.5", "provenance": '{"numpy": "2"}', "name": "x"}
    right = sessions_of(stored)
    assert right == Sessions(jobs=2, sweep_seconds=1.5, provenance={"numpy": "2"})
    known = sessions_of(stored | {key: value})
    assert getattr(known, key) == getattr(Sessions(), key)
    assert known.model_copy(update={key: getattr(right, key)}) == right


def test_shares_become_counts(facts: DataFacts) -> None:
    assert facts.preparation == Preparation(30, 30, "none", split_seed=4)
    assert facts.train_items == 90


def test_the_most_frequent_class_is_known_of_classes_only(facts: DataFacts) -> None:
    assert facts.most_frequent == pytest.approx(1 / 3)
    diabetes = Source("diabetes")
    assert facts_of(load(diabetes), diabetes, facts.preparation).most_frequent is None


def test_a_dataset_has_one_key_however_its_table_is_ordered() -> None:
    first, second = {"name": "moons", "noise": 0.1}, {"noise": 0.1, "name": "moons"}
    assert key_of(first) == key_of(second) != key_of("moons")
