"""The datasets a study can use."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from sweeps.errors import DataError, did_you_mean, shown
from sweeps.splits import Dataset

_LOADERS = {
    "breast_cancer": "load_breast_cancer",
    "digits": "load_digits",
    "iris": "load_iris",
    "wine": "load_wine",
}

NAMES = tuple(_LOADERS)
"""Names of all datasets."""


def unknown(name: object) -> str:
    """Return the message about a name that is no dataset."""
    return f"{shown(name)} is no dataset. Known: {', '.join(NAMES)}.{did_you_mean(name, NAMES)}"


@functools.cache
def load(name: str) -> Dataset:
    """Load a dataset.

    Args:
        name: One of `NAMES`.

    Raises:
        DataError: There is no such dataset.
    """
    if name not in _LOADERS:
        raise DataError(unknown(name))
    # Takes a second or two: commands that need no data don't pay for it.
    from sklearn import datasets  # noqa: PLC0415

    loader: Callable[[], Any] = getattr(datasets, _LOADERS[name])
    bunch = loader()
    inputs = np.ascontiguousarray(bunch.data, np.float64)
    labels = np.ascontiguousarray(bunch.target, np.int64)
    inputs.flags.writeable = labels.flags.writeable = False
    classes = tuple(str(name) for name in bunch.target_names)
    return Dataset(name, inputs, labels, classes, fingerprint(inputs, labels))


def fingerprint(inputs: np.ndarray, labels: np.ndarray) -> str:
    """Return a content hash of data: shapes and values, whatever the machine's byte order."""
    digest = hashlib.sha256()
    for array, dtype in ((inputs, "<f8"), (labels, "<i8")):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype).tobytes())
    return digest.hexdigest()[:32]
