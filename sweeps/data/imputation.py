"""Filling missing values from the training part. Imports NumPy alone: workers run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from bpengine.network.arrays import Array, IntArray


def filled(
    inputs: Annotated[Array, "item feature"],
    train: Annotated[IntArray, "item"],
    groups: Annotated[IntArray, "feature"],
    how: str,
) -> tuple[Annotated[Array, "item feature"], Annotated[IntArray, "feature"]]:
    """Return inputs without gaps: each is filled by what the training part has in its column.

    Args:
        inputs: Features, NaN where a value is missing; left as they are.
        train: Which examples are the training part.
        groups: Number of the categorical column that each feature stands for; -1 for none.
        how: Name in `FILLINGS`. Categories are always filled by the most frequent one.

    Returns:
        The filled copy, and the features that have no value in the training part to fill with.
    """
    values = inputs.copy()
    gaps = np.isnan(inputs)
    with_gaps = np.flatnonzero(gaps.any(axis=0))
    empty = with_gaps[gaps[train][:, with_gaps].all(axis=0)]
    if empty.size:
        return values, empty
    for feature in with_gaps[groups[with_gaps] < 0]:
        present = inputs[train, feature]
        fill = FILLINGS[how](present[~np.isnan(present)])
        values[gaps[:, feature], feature] = fill
    for group in np.unique(groups[with_gaps][groups[with_gaps] >= 0]):
        features = np.flatnonzero(groups == group)
        counts = np.nansum(inputs[np.ix_(train, features)], axis=0)
        row = np.eye(len(features))[counts.argmax()]
        values[np.ix_(gaps[:, features[0]], features)] = row
    return values, empty


def _mean(values: Array) -> float:
    return float(values.mean())


def _median(values: Array) -> float:
    return float(np.median(values))


def _most_frequent(values: Array) -> float:
    # The smallest of those that are equally frequent.
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[counts.argmax()])


FILLINGS: dict[str, Callable[[Array], float]] = {
    "mean": _mean,
    "median": _median,
    "most_frequent": _most_frequent,
}
"""Each filling by name: from the values that are there to the one for those that are not."""
