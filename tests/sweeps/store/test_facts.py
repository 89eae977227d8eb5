"""Facts as JSON: nothing is lost but where files lie, and nothing impossible is taken."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sweeps.data.facts import DataFacts, facts_of, key_of
from sweeps.data.files.file_sources import FORMATS
from sweeps.data.parameters import pairs_of, read_parameters
from sweeps.data.registry import load
from sweeps.data.splits import Preparation, Source
from sweeps.store.facts import from_json, to_json

PARAMETERS = {"target": ["a", "b"], "ignore": "c", "limit_gb": 1}
SOURCE = Source(
    "iris.csv",
    pairs_of(read_parameters(PARAMETERS, FORMATS[".csv"], "it")[0]),
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
