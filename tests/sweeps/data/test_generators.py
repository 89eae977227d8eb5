"""Generators: scikit-learn's own data under this project's words, contradictions refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import refusal, states
from sklearn import datasets as sklearn_datasets

from sweeps.data._generators import GENERATORS
from sweeps.data.registry import SourceError, load, read_source
from sweeps.data.splits import Dataset
from sweeps.errors import DataError


def made(name: str, **parameters: Any) -> Dataset:
    return load(read_source({"name": name, **parameters}, folder=Path()))


def problems(value: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(SourceError) as refused:
        read_source(value, folder=Path())
    assert refused.value.exit_code == 2
    return [(problem.path, problem.text) for problem in refused.value.problems]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_gives_what_it_says(name: str) -> None:
    generator = GENERATORS[name]
    dataset = made(name, samples=50)
    assert dataset.task == generator.task
    assert dataset.inputs.shape == (50, generator.features(generator.parameters()))
    assert (dataset.labels is None) == (generator.task == "regression")


PARAMETERS: dict[str, dict[str, Any]] = {
    "moons": {"samples": 60, "noise": 0.2, "seed": 3},
    "circles": {"samples": 60, "noise": 0.2, "factor": 0.3},
    "blobs": {"samples": 60, "features": 3, "centers": 4, "spread": 2, "box": (-5, 5)},
    "classification": {
        "samples": 90,
        "features": 9,
        "informative": 4,
        "redundant": 1,
        "repeated": 1,
        "classes": 3,
        "clusters_per_class": 1,
        "weights": [0.5, 0.25, 0.25],
        "flip": 0.1,
        "separation": 2.0,
        "hypercube": False,
        "shift": 1.0,
        "scale": 2.0,
    },
    "gaussian_quantiles": {"samples": 60, "features": 3, "classes": 4, "variance": 2.0},
    "regression": {
        "samples": 60,
        "features": 9,
        "informative": 3,
        "targets": 2,
        "bias": 4.0,
        "effective_rank": 2,
        "tail_strength": 0.1,
        "noise": 1.0,
    },
    "swiss_roll": {"samples": 60, "noise": 0.1, "hole": True},
}
COUNTS = "samples features informative redundant repeated targets classes clusters_per_class"
THEIRS = {name: f"n_{name}" for name in COUNTS.split()} | {
    "seed": "random_state",
    "spread": "cluster_std",
    "box": "center_box",
    "flip": "flip_y",
    "separation": "class_sep",
    "variance": "cov",
}
"""scikit-learn's words for ours."""


@pytest.mark.parametrize(("name", "given"), PARAMETERS.items(), ids=PARAMETERS)
def test_data_are_those_of_scikit_learn(name: str, given: dict[str, Any]) -> None:
    theirs = {THEIRS.get(key, key): value for key, value in given.items()}
    make = getattr(sklearn_datasets, f"make_{name}")
    inputs, targets = make(**{"random_state": 0} | theirs)
    ours = given | ({"box": given["box"][1]} if "box" in given else {})
    dataset = made(name, **ours)
    np.testing.assert_array_equal(dataset.inputs, inputs)
    if dataset.labels is None:
        np.testing.assert_array_equal(dataset.targets, targets.reshape(len(inputs), -1))
    else:
        np.testing.assert_array_equal(dataset.labels, targets)


def test_hastie_keeps_its_classes() -> None:
    inputs, targets = sklearn_datasets.make_hastie_10_2(50, random_state=4)
    dataset = made("hastie", samples=50, seed=4)
    assert dataset.classes == ("-1", "1")
    np.testing.assert_array_equal(dataset.inputs, inputs)
    np.testing.assert_array_equal(2 * dataset.labels - 1, targets)  # type: ignore[operator]


def test_several_targets_are_numbered() -> None:
    assert made("regression", samples=20, targets=2).target_names == ("target 1", "target 2")
    assert made("regression", samples=20).target_names == ("target",)


def test_the_default_rank_is_full() -> None:
    inputs = sklearn_datasets.make_regression(20, 100, random_state=0)[0]
    np.testing.assert_array_equal(made("regression", samples=20).inputs, inputs)


@pytest.mark.parametrize(
    ("name", "parameters", "path", "parts"),
    [
        ("classification", {"features": 3}, ".features", ("repeated = 4", "at most 3")),
        ("classification", {"classes": 3}, ".informative", ("at least 3", "= 6", "is 2")),
        ("classification", {"weights": [0.2, 0.2, 0.6]}, ".weights", ("2 shares", "not 3")),
        ("classification", {"samples": 10}, ".samples", ("at least 12", "is 10")),
        ("blobs", {"samples": 10, "centers": 4}, ".samples", ("at least 12", "is 10")),
        ("regression", {"informative": 101}, ".informative", ("features = 100", "is 101")),
        ("regression", {"effective_rank": 101}, ".effective_rank", ("features = 100", "is 101")),
        ("moons", {"samples": 10**9}, ".samples", ("32 GB", "128 GB", "limit of 4 GB")),
    ],
)
def test_contradictions_are_refused(
    name: str, parameters: dict[str, Any], path: str, parts: tuple[str, ...]
) -> None:
    ((where, text),) = problems({"name": name, **parameters})
    assert where == path
    states(text, *parts)


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a parameter allows, small and extreme ones."""
    kind = schema["type"]
    if kind == "integer":
        most = schema["maximum"] if schema["maximum"] < 2**63 - 1 else schema["minimum"] + 100
        return st.integers(schema["minimum"], most)
    if kind == "number":
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1e300))
        above = "exclusiveMinimum" in schema
        return st.floats(least, schema.get("maximum", 1e300), exclude_min=above)
    if kind == "array":
        return st.sampled_from([(0.5, 0.5), (0.2, 0.3, 0.5), (0.999, 0.001)])
    assert kind == "boolean"
    return st.booleans()


@settings(deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(GENERATORS)))
def test_any_parameters_give_data_or_a_message(data: st.DataObject, name: str) -> None:
    properties = GENERATORS[name].parameters.model_json_schema()["properties"]
    chosen = data.draw(
        st.fixed_dictionaries(
            {}, optional={key: values_of(schema) for key, schema in properties.items()}
        )
    )
    try:
        dataset = made(name, **{"samples": 40, **chosen})
    except DataError:
        return
    assert np.isfinite(dataset.inputs).all()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"name": "blobs", "box": 1e308}, "blobs can't be generated"),
        ({"name": "blobs", "spread": 1e308}, "blobs: the feature"),
        (
            {"name": "blobs", "box": 1e-200, "spread": 1e-200},
            "blobs: the feature 'feature 1' varies",
        ),
        ({"name": "moons", "noise": 1e308}, "moons: the feature"),
        ({"name": "classification", "scale": 1e308}, "classification: the feature"),
        ({"name": "classification", "shift": -1e308}, "classification: the feature"),
        ({"name": "gaussian_quantiles", "variance": 1e308}, "gaussian_quantiles: the feature"),
        ({"name": "regression", "bias": 1e308}, "regression: the target 'target' is 1e+308"),
        ({"name": "friedman1", "noise": 1e308}, "friedman1: the target"),
    ],
)
def test_extreme_parameters_are_refused_in_words(parameters: dict[str, Any], expected: str) -> None:
    assert refusal(made, **parameters).startswith(expected)


@pytest.mark.parametrize(
    ("parameters", "outputs"),
    [
        ({"name": "blobs", "samples": 90_000, "centers": 30_000}, 30_000),
        ({"name": "classification", "features": 60_000, "informative": 60_000, "redundant": 0}, 2),
        ({"name": "gaussian_quantiles", "features": 60_000, "samples": 10}, 3),
        ({"name": "regression", "features": 30_000, "targets": 30_000, "samples": 10}, 30_000),
        ({"name": "regression", "samples": 20_000, "features": 9_000, "effective_rank": 1}, 1),
    ],
)
def test_all_that_is_made_counts_before_it_is_made(
    parameters: dict[str, Any], outputs: int
) -> None:
    ((path, text),) = problems(parameters)
    assert path == ".samples"
    states(text, f" and {outputs} output", "limit of 4 GB")


def test_numbers_beyond_64_bits_are_none() -> None:
    given = {"name": "moons", "samples": 10**400, "noise": 10**400}
    assert [path for path, _ in problems(given)] == [".samples", ".noise"]
