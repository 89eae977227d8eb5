"""Generated datasets: scikit-learn's generators under this project's words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sweeps.data.dataset import LEAST_OF_A_CLASS, classification, regression
from sweeps.data.parameters import Flag, Number, Parameter, Shares, Whole
from sweeps.data.splits import CLASSIFICATION, REGRESSION, Dataset, Source
from sweeps.data.table.features import COPIES, Room
from sweeps.errors import DataError, Problem

LARGEST_SEED = 2**32 - 1

LARGEST_BYTES = 4_000_000_000
"""Most memory for generated data, copies and what is computed on the way."""

_SEED = Parameter("seed", Whole(0, LARGEST_SEED), 0, "seed of the data, the same for all trials")
_NOISE = Parameter("noise", Number(0), 0.0, "standard deviation of the normal noise")


def _samples(default: int = 1000) -> Parameter:
    return Parameter("samples", Whole(10), default, "examples")


def _features(default: int, least: int = 1) -> Parameter:
    return Parameter("features", Whole(least), default, "features of an example")


def _no_contradictions(_values: Mapping[str, Any]) -> list[Problem]:
    return []


def _nothing(_values: Mapping[str, Any]) -> int:
    return 0


@dataclass(frozen=True)
class Generator:
    """A generator of data.

    Attributes:
        function: Its name in `sklearn.datasets`.
        task: classification or regression.
        parameters: What can be chosen.
        words: scikit-learn's words for those that it calls otherwise.
        contradictions: The problems of values that are right in themselves.
        features: Features of an example where that can't be chosen.
        on_the_way: How many numbers are drawn or computed beside the data.
    """

    function: str
    task: str
    parameters: tuple[Parameter, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    contradictions: Callable[[Mapping[str, Any]], list[Problem]] = _no_contradictions
    features: int = 2
    on_the_way: Callable[[Mapping[str, Any]], int] = _nothing


_WORDS = {"samples": "n_samples", "features": "n_features", "seed": "random_state"}


def _classification_contradictions(values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    parts = ("informative", "redundant", "repeated")
    total = sum(values[name] for name in parts)
    if total > values["features"]:
        text = f"informative + redundant + repeated = {total} must be at most {values['features']}."
        problems.append(Problem(".features", text))
    clusters = values["classes"] * values["clusters_per_class"]
    needed = math.ceil(math.log2(clusters))
    if needed > values["informative"]:
        text = (
            f"must be at least {needed}, as classes * clusters_per_class = {clusters} clusters "
            f"need a corner each, but is {values['informative']}."
        )
        problems.append(Problem(".informative", text))
    if values["weights"] and len(values["weights"]) != values["classes"]:
        text = f"must be {values['classes']} shares, one a class, not {len(values['weights'])}."
        problems.append(Problem(".weights", text))
    return problems


def _of_clusters(values: Mapping[str, Any]) -> int:
    informative, clusters = values["informative"], values["classes"] * values["clusters_per_class"]
    return int(informative * (informative + values["redundant"] + clusters))


def _of_a_linear_function(values: Mapping[str, Any]) -> int:
    samples, features = values["samples"], values["features"]
    rank = min(samples, features) if values["effective_rank"] else 0
    return int(features * values["targets"] + rank * (samples + features + rank))


def _regression_contradictions(values: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(f".{name}", f"must be at most features = {values['features']}, but is {value}.")
        for name in ("informative", "effective_rank")
        if (value := values[name]) > values["features"]
    ]


GENERATORS: dict[str, Generator] = {
    "blobs": Generator(
        "make_blobs",
        CLASSIFICATION,
        (
            _samples(),
            _features(2),
            Parameter("centers", Whole(2), 3, "classes, a blob each"),
            Parameter("spread", Number(0, open=True), 1.0, "standard deviation of a blob"),
            Parameter("box", Number(0, open=True), 10.0, "centers lie between -box and box"),
            _SEED,
        ),
        {"spread": "cluster_std", "box": "center_box"},
        on_the_way=lambda values: values["centers"] * values["features"],
    ),
    "circles": Generator(
        "make_circles",
        CLASSIFICATION,
        (
            _samples(),
            _NOISE,
            Parameter("factor", Number(0, 0.999), 0.8, "radius of the inner circle; outer is 1"),
            _SEED,
        ),
    ),
    "classification": Generator(
        "make_classification",
        CLASSIFICATION,
        (
            _samples(),
            _features(20),
            Parameter("informative", Whole(1), 2, "features the class depends on"),
            Parameter("redundant", Whole(0), 2, "features that are sums of informative ones"),
            Parameter("repeated", Whole(0), 0, "features that are copies of those"),
            Parameter("classes", Whole(2), 2, "classes"),
            Parameter("clusters_per_class", Whole(1), 2, "clusters of a class"),
            Parameter("weights", Shares(), (), "share of each class; all alike without it"),
            Parameter("flip", Number(0, 1), 0.01, "share of examples whose class is random"),
            Parameter("separation", Number(0, open=True), 1.0, "half the side of the hypercube"),
            Parameter("hypercube", Flag(), True, "clusters at corners of a cube, not a polytope"),
            Parameter("shift", Number(-math.inf), 0.0, "added to the features"),
            Parameter("scale", Number(0, open=True), 1.0, "what features are multiplied by"),
            _SEED,
        ),
        {
            "informative": "n_informative",
            "redundant": "n_redundant",
            "repeated": "n_repeated",
            "classes": "n_classes",
            "clusters_per_class": "n_clusters_per_class",
            "flip": "flip_y",
            "separation": "class_sep",
        },
        _classification_contradictions,
        on_the_way=_of_clusters,
    ),
    "friedman1": Generator(
        "make_friedman1", REGRESSION, (_samples(), _features(10, least=5), _NOISE, _SEED)
    ),
    "friedman2": Generator("make_friedman2", REGRESSION, (_samples(), _NOISE, _SEED), features=4),
    "friedman3": Generator("make_friedman3", REGRESSION, (_samples(), _NOISE, _SEED), features=4),
    "gaussian_quantiles": Generator(
        "make_gaussian_quantiles",
        CLASSIFICATION,
        (
            _samples(),
            _features(2),
            Parameter("classes", Whole(2), 3, "classes, shells around the origin"),
            Parameter("variance", Number(0, open=True), 1.0, "variance of each feature"),
            _SEED,
        ),
        {"classes": "n_classes", "variance": "cov"},
        on_the_way=lambda values: values["features"] ** 2,
    ),
    "hastie": Generator("make_hastie_10_2", CLASSIFICATION, (_samples(12000), _SEED), features=10),
    "moons": Generator("make_moons", CLASSIFICATION, (_samples(), _NOISE, _SEED)),
    "regression": Generator(
        "make_regression",
        REGRESSION,
        (
            _samples(),
            _features(100),
            Parameter("informative", Whole(1), 10, "features the targets depend on"),
            Parameter("targets", Whole(1), 1, "targets"),
            Parameter("bias", Number(-math.inf), 0.0, "added to the targets"),
            Parameter("effective_rank", Whole(0), 0, "rank of the inputs, about; 0 for full rank"),
            Parameter("tail_strength", Number(0, 1), 0.5, "weight of the inputs' noisy tail"),
            _NOISE,
            _SEED,
        ),
        {"informative": "n_informative", "targets": "n_targets"},
        _regression_contradictions,
        on_the_way=_of_a_linear_function,
    ),
    "s_curve": Generator("make_s_curve", REGRESSION, (_samples(), _NOISE, _SEED), features=3),
    "sparse_uncorrelated": Generator(
        "make_sparse_uncorrelated", REGRESSION, (_samples(), _features(10, least=4), _SEED)
    ),
    "swiss_roll": Generator(
        "make_swiss_roll",
        REGRESSION,
        (_samples(), _NOISE, Parameter("hole", Flag(), False, "whether it has a hole"), _SEED),
        features=3,
    ),
}
"""Every generator by name."""


def generator_problems(name: str, values: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with parameters that are right in themselves.

    Args:
        name: Name in `GENERATORS`.
        values: Its parameters, complete.
    """
    generator, samples = GENERATORS[name], values["samples"]
    problems = generator.contradictions(values)
    for parameter in ("classes", "centers"):
        classes = values.get(parameter, 1) * values.get("clusters_per_class", 1)
        if classes * LEAST_OF_A_CLASS > samples:
            least = classes * LEAST_OF_A_CLASS
            text = f"must be at least {least}, {LEAST_OF_A_CLASS} a cluster, but is {samples}."
            problems.append(Problem(".samples", text))
    features = values.get("features", generator.features)
    outputs = next(
        (values[word] for word in ("classes", "centers", "targets") if word in values), 2
    )
    way = COPIES * generator.on_the_way(values) * np.dtype(np.float64).itemsize
    too_large = Room(LARGEST_BYTES, way).problem(name, samples, features, outputs)
    if too_large:
        problems.append(Problem(".samples", f"is too large: {too_large}"))
    return problems


def generate(source: Source) -> Dataset:
    """Return generated data.

    Args:
        source: A generator's name with all its parameters.

    Raises:
        DataError: The parameters give data that can't be used.
    """
    from sklearn import datasets  # noqa: PLC0415 - takes seconds

    generator = GENERATORS[source.name]
    words = _WORDS | dict(generator.words)
    arguments = {words.get(name, name): value for name, value in source.parameters}
    # What overflows is refused with the rest that is not finite.
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            made = getattr(datasets, generator.function)(**_translated(arguments))
    except (ArithmeticError, ValueError) as error:
        raise DataError(
            f"{source.name} can't be generated with these parameters: {error}. Choose smaller ones."
        ) from None
    inputs, targets = made[0], np.asarray(made[1])
    if generator.task == REGRESSION:
        columns = targets.reshape(len(inputs), -1)
        names = [f"target {number}" for number in range(1, columns.shape[1] + 1)]
        return regression(source.name, inputs, columns, names if len(names) > 1 else ["target"])
    values, labels = np.unique(targets, return_inverse=True)
    return classification(source.name, inputs, labels, [f"{value:g}" for value in values])


def _translated(arguments: dict[str, Any]) -> dict[str, Any]:
    if "center_box" in arguments:
        arguments["center_box"] = (-arguments["center_box"], arguments["center_box"])
    if "weights" in arguments:
        arguments["weights"] = list(arguments["weights"]) or None
    if "effective_rank" in arguments:
        arguments["effective_rank"] = arguments["effective_rank"] or None
    return arguments
