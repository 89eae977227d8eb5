"""The datasets a study can name: what they are, how large, and whether they are downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sweeps.data.downloads import FETCHED
from sweeps.data.generators import GENERATORS, Generator
from sweeps.data.registry import BUNDLED, load
from sweeps.data.splits import CLASSIFICATION, REGRESSION, Source

INSTALLED, GENERATED, DOWNLOADED = "bundled", "generated", "downloaded"
"""Kinds of datasets."""

_DOWNLOADED = {
    "20newsgroups_vectorized": (CLASSIFICATION, 18_846, 130_107),
    "california_housing": (REGRESSION, 20_640, 8),
    "covtype": (CLASSIFICATION, 581_012, 54),
    "kddcup99": (CLASSIFICATION, 494_021, 41),
    "lfw": (CLASSIFICATION, 1_288, 2_914),
    "olivetti_faces": (CLASSIFICATION, 400, 4_096),
    "rcv1": (CLASSIFICATION, 804_414, 47_236),
}
"""Task, examples and features as scikit-learn describes them: looking would take a download."""


@dataclass(frozen=True)
class Entry:
    """A dataset that can be named.

    Attributes:
        name: What a specification calls it.
        kind: bundled, generated or downloaded.
        task: classification or regression.
        examples: How many, with the parameters at their defaults.
        features: Likewise; columns before categories are made features of their own.
        network: Whether it is downloaded when it is used for the first time.
    """

    name: str
    kind: str
    task: str
    examples: int
    features: int
    network: bool

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON knows it."""
        return asdict(self)


def catalogue() -> list[Entry]:
    """Return all datasets with a name of their own: bundled, generated, downloaded ones."""
    generated = [_generated(name, generator) for name, generator in GENERATORS.items()]
    downloaded = [
        Entry(name, DOWNLOADED, *_DOWNLOADED[name], network=True) for name in sorted(FETCHED)
    ]
    return [*map(_bundled, BUNDLED), *generated, *downloaded]


def _bundled(name: str) -> Entry:
    dataset = load(Source(name))
    examples, features = dataset.inputs.shape
    return Entry(name, INSTALLED, dataset.task, examples, features, network=False)


def _generated(name: str, generator: Generator) -> Entry:
    defaults: dict[str, Any] = {one.name: one.default for one in generator.parameters}
    features = defaults.get("features", generator.features)
    return Entry(name, GENERATED, generator.task, defaults["samples"], features, network=False)


def catalogue_lines(entries: Sequence[Entry]) -> list[str]:
    """Return datasets as lines for a terminal.

    Args:
        entries: From `catalogue`.
    """
    rows = [("name", "kind", "task", "examples", "features", "network")]
    rows += [
        (e.name, e.kind, e.task, f"{e.examples:,}", f"{e.features:,}", "yes" if e.network else "no")
        for e in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place in _NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return [*lines, "", *_OTHERS]


_NUMBERS = (3, 4)
_OTHERS = (
    "rcv1 is always refused, as it is too large.",
    "And: openml:NAME@VERSION, such as openml:mnist_784@1, downloaded once;",
    "files whose names end in .csv, .parquet or .npz. Parameters of all of them: docs/data.md.",
)
