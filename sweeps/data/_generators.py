"""Generated datasets: scikit-learn's generators under this project's words."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PlainSerializer

from sweeps.data._dataset import classification, regression
from sweeps.data.parameters import Number, Shares, Strict, Whole
from sweeps.data.splits import CLASSIFICATION, LEAST_OF_A_CLASS, REGRESSION, Dataset, Source
from sweeps.data.table._features import COPIES, FLOAT_BYTES, Room, dense
from sweeps.errors import DataError, Problem

LARGEST_SEED = 2**32 - 1
LARGEST_BYTES = 4_000_000_000  # of generated data, copies and what is computed on the way


def _count(default: int, meaning: str, least: int = 1, alias: str | None = None) -> Any:  # noqa: ANN401
    return Field(default, ge=least, serialization_alias=alias, description=meaning)


def _positive(default: float, meaning: str, alias: str | None = None) -> Any:  # noqa: ANN401
    return Field(default, gt=0, serialization_alias=alias, description=meaning)


def _features(default: int, least: int = 1) -> Any:  # noqa: ANN401
    return _count(default, "features of an example", least, "n_features")


class Parameters(Strict):
    """Parameters that every generator has. Aliases and dumps are as scikit-learn takes them."""

    samples: Whole = _count(1000, "examples", 10, "n_samples")
    seed: Annotated[int, Field(le=LARGEST_SEED)] = _count(
        0, "seed of the data, the same for all trials", 0, "random_state"
    )

    @property
    def outputs(self) -> int:
        """Classes, or targets of a regression."""
        names = ("classes", "centers", "targets")
        return next((int(getattr(self, name)) for name in names if hasattr(self, name)), 2)

    @property
    def intermediate_numbers(self) -> int:
        """How many numbers are drawn or computed besides the data."""
        return 0

    def contradictions(self) -> list[Problem]:
        """Return the problems of values that are right in themselves."""
        return []


class Noisy(Parameters):
    """Also normal noise."""

    noise: Number = Field(0.0, ge=0, description="standard deviation of the normal noise")


class Blobs(Parameters):
    """Of `make_blobs`."""

    features: Whole = _features(2)
    centers: Whole = _count(3, "classes, a blob each", 2)
    spread: Number = _positive(1.0, "standard deviation of a blob", "cluster_std")
    box: Annotated[Number, PlainSerializer(lambda box: (-box, box))] = _positive(
        10.0, "centers lie between -box and box", "center_box"
    )

    @property
    def intermediate_numbers(self) -> int:
        """The centers."""
        return self.centers * self.features


class Circles(Noisy):
    """Of `make_circles`."""

    factor: Number = Field(
        0.8, ge=0, le=0.999, description="radius of the inner circle; outer is 1"
    )


class Classification(Parameters):
    """Of `make_classification`."""

    features: Whole = _features(20)
    informative: Whole = _count(2, "features the class depends on", alias="n_informative")
    redundant: Whole = _count(2, "features that are sums of informative ones", 0, "n_redundant")
    repeated: Whole = _count(0, "features that are copies of those", 0, "n_repeated")
    classes: Whole = _count(2, "classes", 2, "n_classes")
    clusters_per_class: Whole = _count(2, "clusters of a class", alias="n_clusters_per_class")
    weights: Annotated[Shares, PlainSerializer(lambda shares: [*shares] or None)] = Field(
        (), description="list of each class's share, 1 in all; equal without it"
    )
    flip: Number = Field(
        0.01,
        ge=0,
        le=1,
        serialization_alias="flip_y",
        description="share of examples whose class is random",
    )
    separation: Number = _positive(1.0, "half the side of the hypercube", "class_sep")
    hypercube: bool = Field(True, description="clusters at corners of a cube, not a polytope")
    shift: Number = Field(0.0, description="added to the features")
    scale: Number = _positive(1.0, "what features are multiplied by")

    @property
    def intermediate_numbers(self) -> int:
        """Matrices that mix the informative features, and corners of the hypercube."""
        clusters = self.classes * self.clusters_per_class
        return self.informative * (self.informative + self.redundant + clusters)

    def contradictions(self) -> list[Problem]:
        """Return the problems of values that are right in themselves."""
        total = self.informative + self.redundant + self.repeated
        clusters = self.classes * self.clusters_per_class
        needed = math.ceil(math.log2(clusters))
        problems = []
        if total > self.features:
            text = f"informative + redundant + repeated = {total} must be at most {self.features}."
            problems.append(Problem(".features", text))
        if needed > self.informative:
            text = (
                f"must be at least {needed}, as classes * clusters_per_class = {clusters} "
                f"clusters need a corner each, but is {self.informative}."
            )
            problems.append(Problem(".informative", text))
        if self.weights and len(self.weights) != self.classes:
            text = f"must be {self.classes} shares, one per class, not {len(self.weights)}."
            problems.append(Problem(".weights", text))
        return problems


class Friedman1(Noisy):
    """Of `make_friedman1`."""

    features: Whole = _features(10, 5)


class GaussianQuantiles(Parameters):
    """Of `make_gaussian_quantiles`."""

    features: Whole = _features(2)
    classes: Whole = _count(3, "classes, shells around the origin", 2, "n_classes")
    variance: Number = _positive(1.0, "variance of each feature", "cov")

    @property
    def intermediate_numbers(self) -> int:
        """The covariance matrix."""
        return self.features**2


class Hastie(Parameters):
    """Of `make_hastie_10_2`."""

    samples: Whole = _count(12000, "examples", 10, "n_samples")


class LinearFunction(Noisy):
    """Of `make_regression`."""

    features: Whole = _features(100)
    informative: Whole = _count(10, "features the targets depend on", alias="n_informative")
    targets: Whole = _count(1, "targets", alias="n_targets")
    bias: Number = Field(0.0, description="added to the targets")
    effective_rank: Annotated[Whole, PlainSerializer(lambda rank: rank or None)] = _count(
        0, "rank of the inputs, about; 0 for full rank", 0
    )
    tail_strength: Number = Field(0.5, ge=0, le=1, description="weight of the inputs' noisy tail")

    @property
    def intermediate_numbers(self) -> int:
        """The coefficients, and the singular vectors of inputs of low rank."""
        rank = min(self.samples, self.features) if self.effective_rank else 0
        return self.features * self.targets + rank * (self.samples + self.features + rank)

    def contradictions(self) -> list[Problem]:
        """Return the problems of values that are right in themselves."""
        values = {"informative": self.informative, "effective_rank": self.effective_rank}
        return [
            Problem(f".{name}", f"must be at most features = {self.features}, but is {value}.")
            for name, value in values.items()
            if value > self.features
        ]


class SparseUncorrelated(Parameters):
    """Of `make_sparse_uncorrelated`."""

    features: Whole = _features(10, 4)


class SwissRoll(Noisy):
    """Of `make_swiss_roll`."""

    hole: bool = Field(False, description="whether it has a hole")


@dataclass(frozen=True)
class Generator:
    """A generator of data."""

    function: str  # in sklearn.datasets
    task: str
    parameters: type[Parameters]
    fixed_features: int = 2

    def features(self, parameters: Parameters) -> int:
        """Return the features of an example."""
        return int(getattr(parameters, "features", self.fixed_features))


GENERATORS: dict[str, Generator] = {
    "blobs": Generator("make_blobs", CLASSIFICATION, Blobs),
    "circles": Generator("make_circles", CLASSIFICATION, Circles),
    "classification": Generator("make_classification", CLASSIFICATION, Classification),
    "friedman1": Generator("make_friedman1", REGRESSION, Friedman1),
    "friedman2": Generator("make_friedman2", REGRESSION, Noisy, 4),
    "friedman3": Generator("make_friedman3", REGRESSION, Noisy, 4),
    "gaussian_quantiles": Generator("make_gaussian_quantiles", CLASSIFICATION, GaussianQuantiles),
    "hastie": Generator("make_hastie_10_2", CLASSIFICATION, Hastie, 10),
    "moons": Generator("make_moons", CLASSIFICATION, Noisy),
    "regression": Generator("make_regression", REGRESSION, LinearFunction),
    "s_curve": Generator("make_s_curve", REGRESSION, Noisy, 3),
    "sparse_uncorrelated": Generator("make_sparse_uncorrelated", REGRESSION, SparseUncorrelated),
    "swiss_roll": Generator("make_swiss_roll", REGRESSION, SwissRoll, 3),
}
"""Every generator by name."""


def generator_problems(name: str, parameters: Parameters) -> list[Problem]:
    """Return what is wrong with parameters that are right in themselves."""
    generator, samples = GENERATORS[name], parameters.samples
    problems = parameters.contradictions()
    clusters = parameters.outputs * getattr(parameters, "clusters_per_class", 1)
    least = clusters * LEAST_OF_A_CLASS
    if least > samples and generator.task == CLASSIFICATION:
        text = f"must be at least {least}, {LEAST_OF_A_CLASS} a cluster, but is {samples}."
        problems.append(Problem(".samples", text))
    features = generator.features(parameters)
    room = Room(LARGEST_BYTES, COPIES * FLOAT_BYTES * parameters.intermediate_numbers)
    if too_large := room.problem(*dense(name, samples, features, parameters.outputs)):
        problems.append(Problem(".samples", f"is too large: {too_large}"))
    return problems


def generate(source: Source) -> Dataset:
    """Return generated data; a data error where the parameters give none that can be used."""
    from sklearn import datasets  # noqa: PLC0415 - takes seconds

    generator = GENERATORS[source.name]
    parameters = generator.parameters.model_validate(dict(source.parameters))
    # What overflows is refused with the rest that is not finite.
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            made = getattr(datasets, generator.function)(**parameters.model_dump(by_alias=True))
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
