"""From arrays to a dataset: what makes examples usable, and their fingerprint."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bpengine.network import Array
from sweeps.data.splits import (
    CLASSIFICATION,
    LEAST_OF_A_CLASS,
    REGRESSION,
    SMALLEST_SPREAD,
    Dataset,
)
from sweeps.errors import DataError, counted, joined, shown

LARGEST_VALUE = 1e100  # beyond it sums of squares may overflow
IMBALANCE = 3.0  # how many times the smallest class the largest may be before it is noted


def classification(
    name: str,
    inputs: Annotated[npt.ArrayLike, "example feature"],
    labels: Annotated[npt.ArrayLike, "example"],
    classes: Iterable[str],
    target_name: str = "target",
    **about: Any,  # noqa: ANN401
) -> Dataset:
    """Return examples with their classes.

    `about` are `feature_names`, `groups`, `missing` and `notes` of the `Dataset`; without them the
    features are complete numbers.
    """
    names = tuple(classes)
    numbers = _read_only(labels, np.int64)
    if len(names) < 2:  # noqa: PLR2004
        only = f"only the class {shown(names[0])}" if names else "no class"
        raise DataError(f"{name} has {only}; at least two are needed.")
    counts = np.bincount(numbers, minlength=len(names))
    rare = np.flatnonzero(counts < LEAST_OF_A_CLASS)
    if rare.size:
        listed = joined([f"{shown(names[label])} ({counts[label]})" for label in rare])
        raise DataError(
            f"{name} has {counted(rare.size, 'class', 'classes')} of fewer than {LEAST_OF_A_CLASS} "
            f"examples, so that not every set can have one: {listed}."
        )
    targets = np.zeros((len(numbers), len(names)))
    targets[np.arange(len(numbers)), numbers] = 1
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    if counts[largest] >= IMBALANCE * counts[smallest]:
        most = shown(names[largest])
        note = (
            f"Classes are unbalanced: {counts[largest]} examples of {most}, {counts[smallest]} of "
            f"{shown(names[smallest])}; always saying {most} is right in "
            f"{counts[largest] / len(numbers):.1%}."
        )
        about["notes"] = (*about.get("notes", ()), note)
    learned = {"task": CLASSIFICATION, "target_names": (target_name,), "classes": names}
    return _dataset(name, inputs, targets, learned | {"labels": numbers}, **about)


def regression(
    name: str,
    inputs: Annotated[npt.ArrayLike, "example feature"],
    targets: Annotated[npt.ArrayLike, "example output"],
    target_names: Iterable[str],
    **about: Any,  # noqa: ANN401
) -> Dataset:
    """Return examples with their values; `about` is as for `classification`."""
    values, names = np.asarray(targets, np.float64), tuple(target_names)
    spread = _check_numbers(name, "target", values, names)
    constant = [shown(names[column]) for column in np.flatnonzero(spread == 0)]
    if constant:
        raise DataError(f"{name}: the target {joined(constant)} is the same in every example.")
    learned = {"task": REGRESSION, "target_names": names, "classes": (), "labels": None}
    return _dataset(name, inputs, values, learned, **about)


def fingerprint(*contents: npt.NDArray[Any] | str) -> str:
    """Return a content hash: shapes and values, whatever the machine's byte order."""
    digest = hashlib.sha256()
    for content in contents:
        if isinstance(content, str):
            text = content.encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(text), text))
        else:
            dtype = "<i8" if content.dtype.kind in "iu" else "<f8"
            digest.update(repr(content.shape).encode())
            digest.update(np.ascontiguousarray(content, dtype).reshape(-1).data)
    return digest.hexdigest()[:32]


def _dataset(
    name: str,
    inputs: npt.ArrayLike,
    targets: Array,
    learned: Mapping[str, Any],
    *,
    feature_names: Iterable[str] | None = None,
    groups: npt.ArrayLike | None = None,
    missing: str = "",
    notes: Iterable[str] = (),
) -> Dataset:
    values, wanted = _read_only(inputs, np.float64), _read_only(targets, np.float64)
    count = values.shape[1]
    names = tuple(feature_names or (f"feature {number}" for number in range(1, count + 1)))
    if not values.size:
        raise DataError(f"{name} has no features or no examples: its inputs are {values.shape}.")
    _check_numbers(name, "feature", values, names, missing)
    of_columns = _read_only(np.full(count, -1) if groups is None else groups, np.int64)
    digest = fingerprint(values, wanted, of_columns, learned["task"], missing, *learned["classes"])
    if constant := int((np.ptp(values, axis=0) == 0).sum()):
        notes = (*notes, f"Features that are the same in every example: {constant} of {count}.")
    return Dataset(
        name=name,
        inputs=values,
        targets=wanted,
        feature_names=names,
        groups=of_columns,
        missing=missing,
        fingerprint=digest,
        notes=tuple(notes),
        **learned,
    )


def _read_only(values: npt.ArrayLike, dtype: type) -> npt.NDArray[Any]:
    # A copy: whoever holds the original may still change it.
    array: npt.NDArray[Any] = np.array(values, dtype, order="C")
    if array.dtype.kind == "f":
        # One of the many NaN there are, for the fingerprint's sake.
        array[np.isnan(array)] = np.nan
    array.flags.writeable = False
    return array


def _check_numbers(
    name: str, what: str, values: Array, names: tuple[str, ...], missing: str = ""
) -> Array:
    """Return how far each column's numbers spread, all of which can be used."""
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    if (np.maximum(-low, high) > LARGEST_VALUE).any() or (not missing and np.isnan(values).any()):
        bad = ~(np.abs(values) <= LARGEST_VALUE) & ~(np.isnan(values) & bool(missing))
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{name}: the {what} {shown(names[column])} is {values[row, column]:g} in example "
            f"{row + 1}, not finite or beyond {LARGEST_VALUE:g}, as are {int(bad.sum())} in all."
        )
    spread: Array = high - low
    tiny = np.flatnonzero((spread > 0) & (spread < SMALLEST_SPREAD))
    if tiny.size:
        column = int(tiny[0])
        others = f", as do {tiny.size - 1} others" if tiny.size > 1 else ""
        raise DataError(
            f"{name}: the {what} {shown(names[column])} varies by {spread[column]:g} only{others}; "
            f"squares of differences below {SMALLEST_SPREAD:g} vanish. Give it in a smaller unit, "
            f"such as multiplied by 1e{math.ceil(-math.log10(spread[column]))}."
        )
    return spread
