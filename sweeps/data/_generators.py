"""Generated datasets: scikit-learn's generators under this project's words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from pydantic import Field, create_model

from sweeps.data._dataset import classification, regression
from sweeps.data.parameters import Number, Shares, Strict, Whole
from sweeps.data.splits import CLASSIFICATION, LEAST_OF_A_CLASS, REGRESSION, Dataset, Source
from sweeps.data.table._features import COPIES, FLOAT_BYTES, Room, dense
from sweeps.errors import DataError, Problem

LARGEST_BYTES = 4_000_000_000  # of generated data, copies and what is computed on the way

_NAMES = {
    "seed": "random_state",
    "flip": "flip_y",
    "separation": "class_sep",
    "spread": "cluster_std",
    "box": "center_box",
    "variance": "cov",
}
"""What scikit-learn calls parameters; of others it has the name, or that with `n_` before it."""

_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "box": lambda box: (-box, box),
    "weights": lambda shares: [*shares] or None,
    "effective_rank": lambda rank: rank or None,
}
"""Parameters that scikit-learn takes in another form."""


class Parameters(Strict):
    """Parameters that every generator has."""

    samples: Whole = Field(1000, ge=10, description="examples")
    seed: int = Field(
        0, ge=0, le=2**32 - 1, description="seed of the data, the same for all trials"
    )


def _count(default: int, meaning: str, least: int = 1) -> Any:  # noqa: ANN401
    return Whole, Field(default, ge=least, description=meaning)


def _number(default: float, meaning: str, **bounds: Any) -> Any:  # noqa: ANN401
    return Number, Field(default, description=meaning, **bounds)


def _features(default: int, least: int = 1) -> Any:  # noqa: ANN401
    return _count(default, "features of an example", least)


_NOISE = _number(0.0, "standard deviation of the normal noise", ge=0)
_SHARES: Any = (
    Shares,
    Field((), description="list of each class's share, 1 in all; equal without it"),
)


def _classification_problems(given: Any) -> list[Problem]:  # noqa: ANN401 - a made model
    total = given.informative + given.redundant + given.repeated
    clusters = given.classes * given.clusters_per_class
    needed = math.ceil(math.log2(clusters))
    problems = []
    if total > given.features:
        text = f"informative + redundant + repeated = {total} must be at most {given.features}."
        problems.append(Problem(".features", text))
    if needed > given.informative:
        text = (
            f"must be at least {needed}, as classes * clusters_per_class = {clusters} "
            f"clusters need a corner each, but is {given.informative}."
        )
        problems.append(Problem(".informative", text))
    if given.weights and len(given.weights) != given.classes:
        text = f"must be {given.classes} shares, one per class, not {len(given.weights)}."
        problems.append(Problem(".weights", text))
    return problems


def _regression_problems(given: Any) -> list[Problem]:  # noqa: ANN401
    values = {"informative": given.informative, "effective_rank": given.effective_rank}
    return [
        Problem(f".{name}", f"must be at most features = {given.features}, but is {value}.")
        for name, value in values.items()
        if value > given.features
    ]


def _mixing(given: Any) -> int:  # noqa: ANN401
    """Return the numbers of matrices that mix informative features, and of a cube's corners."""
    clusters = given.classes * given.clusters_per_class
    return int(given.informative * (given.informative + given.redundant + clusters))


def _singular(given: Any) -> int:  # noqa: ANN401
    """Return how many coefficients there are, and numbers in vectors of inputs of low rank."""
    rank = min(given.samples, given.features) if given.effective_rank else 0
    return int(given.features * given.targets + rank * (given.samples + given.features + rank))


class Generator:
    """A function of `sklearn.datasets` that generates data, with the parameters it has here."""

    def __init__(
        self,
        task: str,
        fixed_features: int = 2,
        *,
        function: str = "",
        problems: Callable[[Any], list[Problem]] = lambda _: [],
        beside: Callable[[Any], int] = lambda _: 0,
        **fields: Any,  # noqa: ANN401 - of pydantic
    ) -> None:
        self.task, self.fixed_features, self.function = task, fixed_features, function
        self.problems, self.beside = problems, beside  # numbers computed besides the data
        self.parameters = create_model("Parameters", __base__=Parameters, **fields)

    def features(self, parameters: Parameters) -> int:
        """Return the features of an example."""
        return int(getattr(parameters, "features", self.fixed_features))


GENERATORS: dict[str, Generator] = {
    "blobs": Generator(
        CLASSIFICATION,
        beside=lambda given: given.centers * given.features,
        features=_features(2),
        centers=_count(3, "classes, a blob each", 2),
        spread=_number(1.0, "standard deviation of a blob", gt=0),
        box=_number(10.0, "centers lie between -box and box", gt=0),
    ),
    "circles": Generator(
        CLASSIFICATION,
        noise=_NOISE,
        factor=_number(0.8, "radius of the inner circle; outer is 1", ge=0, le=0.999),
    ),
    "classification": Generator(
        CLASSIFICATION,
        problems=_classification_problems,
        beside=_mixing,
        features=_features(20),
        informative=_count(2, "features the class depends on"),
        redundant=_count(2, "features that are sums of informative ones", 0),
        repeated=_count(0, "features that are copies of those", 0),
        classes=_count(2, "classes", 2),
        clusters_per_class=_count(2, "clusters of a class"),
        weights=_SHARES,
        flip=_number(0.01, "share of examples whose class is random", ge=0, le=1),
        separation=_number(1.0, "half the side of the hypercube", gt=0),
        hypercube=(bool, Field(True, description="clusters at corners of a cube, not a polytope")),
        shift=_number(0.0, "added to the features"),
        scale=_number(1.0, "what features are multiplied by", gt=0),
    ),
    "friedman1": Generator(REGRESSION, noise=_NOISE, features=_features(10, 5)),
    "friedman2": Generator(REGRESSION, 4, noise=_NOISE),
    "friedman3": Generator(REGRESSION, 4, noise=_NOISE),
    "gaussian_quantiles": Generator(
        CLASSIFICATION,
        beside=lambda given: given.features**2,
        features=_features(2),
        classes=_count(3, "classes, shells around the origin", 2),
        variance=_number(1.0, "variance of each feature", gt=0),
    ),
    "hastie": Generator(
        CLASSIFICATION, 10, function="make_hastie_10_2", samples=_count(12000, "examples", 10)
    ),
    "moons": Generator(CLASSIFICATION, noise=_NOISE),
    "regression": Generator(
        REGRESSION,
        problems=_regression_problems,
        beside=_singular,
        noise=_NOISE,
        features=_features(100),
        informative=_count(10, "features the targets depend on"),
        targets=_count(1, "targets"),
        bias=_number(0.0, "added to the targets"),
        effective_rank=_count(0, "rank of the inputs, about; 0 for full rank", 0),
        tail_strength=_number(0.5, "weight of the inputs' noisy tail", ge=0, le=1),
    ),
    "s_curve": Generator(REGRESSION, 3, noise=_NOISE),
    "sparse_uncorrelated": Generator(REGRESSION, features=_features(10, 4)),
    "swiss_roll": Generator(
        REGRESSION, 3, noise=_NOISE, hole=(bool, Field(False, description="whether it has a hole"))
    ),
}


def generator_problems(name: str, parameters: Parameters) -> list[Problem]:
    """Return what is wrong with parameters that are right in themselves."""
    generator, samples = GENERATORS[name], parameters.samples
    problems = generator.problems(parameters)
    given = dict(parameters)
    outputs = next((given[key] for key in ("classes", "centers", "targets") if key in given), 2)
    least = outputs * given.get("clusters_per_class", 1) * LEAST_OF_A_CLASS
    if least > samples and generator.task == CLASSIFICATION:
        text = f"must be at least {least}, {LEAST_OF_A_CLASS} a cluster, but is {samples}."
        problems.append(Problem(".samples", text))
    room = Room(LARGEST_BYTES, COPIES * FLOAT_BYTES * generator.beside(parameters))
    what = dense(name, samples, generator.features(parameters), outputs)
    if too_large := room.problem(*what):
        problems.append(Problem(".samples", f"is too large: {too_large}"))
    return problems


def generate(source: Source) -> Dataset:
    """Return generated data; a data error where the parameters give none that can be used."""
    from sklearn import datasets  # noqa: PLC0415 - takes seconds

    generator = GENERATORS[source.name]
    function = getattr(datasets, generator.function or f"make_{source.name}")
    given = dict(generator.parameters.model_validate(dict(source.parameters)))
    given |= {key: _CONVERTED[key](given[key]) for key in given.keys() & _CONVERTED}
    known, called = signature(function).parameters, {key: _NAMES.get(key, key) for key in given}
    options = {name if name in known else f"n_{name}": given[key] for key, name in called.items()}
    # What overflows is refused with the rest that is not finite.
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            made = function(**options)
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
