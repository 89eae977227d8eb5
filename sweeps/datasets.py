"""The datasets a study can use: read what names one, load it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.errors import DataError, Problem, did_you_mean, shown
from sweeps.examples import classification, regression
from sweeps.splits import Dataset, Source

_BUNDLED = {
    "breast_cancer": "load_breast_cancer",
    "diabetes": "load_diabetes",
    "digits": "load_digits",
    "iris": "load_iris",
    "linnerud": "load_linnerud",
    "wine": "load_wine",
}

NAMES = tuple(_BUNDLED)
"""Names of all datasets."""


class SourceError(DataError):
    """What is said to name data does not.

    Args:
        problems: Each with a path within what was written: empty for the whole, `.noise` for a
            parameter.
    """

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text for problem in problems))


def unknown(name: object) -> str:
    """Return the message about a name that is no dataset."""
    return f"{shown(name)} is no dataset. Known: {', '.join(NAMES)}.{did_you_mean(name, NAMES)}"


def read_source(value: object, *, folder: Path) -> Source:
    """Read what a specification says about data, without loading them.

    Args:
        value: A name, a file's path, or a table with either and parameters:
            `"digits"`, `{"name": "moons", "samples": 500}`, `{"path": "my.csv", "target": "y"}`.
        folder: What relative paths are relative to.

    Raises:
        SourceError: With every mistake in it.
    """
    del folder
    if value not in _BUNDLED:
        raise SourceError([Problem("", unknown(value), about_data=True)])
    return Source(str(value))


@functools.lru_cache(maxsize=8)
def load(source: Source) -> Dataset:
    """Load a dataset; the ones used last are kept in memory.

    Args:
        source: From `read_source`.

    Raises:
        DataError: It can't be loaded or used.
    """
    # Takes a second or two: commands that need no data don't pay for it.
    from sklearn import datasets  # noqa: PLC0415

    loader: Callable[[], Any] = getattr(datasets, _BUNDLED[source.name])
    bunch = loader()
    if source.name in {"diabetes", "linnerud"}:
        names = bunch.get("target_names", ["disease progression"])
        targets = bunch.target.reshape(len(bunch.data), -1)
        return regression(
            source.name, bunch.data, targets, names, feature_names=bunch.feature_names
        )
    classes = map(str, bunch.target_names)
    return classification(
        source.name, bunch.data, bunch.target, classes, feature_names=map(str, bunch.feature_names)
    )
