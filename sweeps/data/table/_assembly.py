"""From tables to datasets: what is missing, which classes are too rare, what is suspicious."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from bpengine.network import Array, BoolArray, IntArray
from sweeps.data._dataset import LEAST_OF_A_CLASS, LISTED, classification, regression
from sweeps.data.parameters import Limited, OneOf, Texts
from sweeps.data.splits import CLASSIFICATION, FILLINGS, REGRESSION, Dataset
from sweeps.data.table._cells import Cells, Locate
from sweeps.data.table._features import Features, Room, cells_of, read_features
from sweeps.data.table._target import Target, read_target
from sweeps.errors import DataError, counted, did_you_mean, shown

if TYPE_CHECKING:
    from pandas import DataFrame

REFUSE, DROP = "refuse", "drop"
SEARCHED_CELLS = 20_000_000  # larger tables are not searched for copies and leaks
GLANCE = 500  # examples that a first look is taken at

_RARE = f"classes of fewer than {LEAST_OF_A_CLASS} examples: refused, or their examples dropped"
Rare = Annotated[str, OneOf((REFUSE, DROP)), Field(description=_RARE)]


class DatasetParameters(Limited):
    """How features and targets become a dataset."""

    task: Annotated[str, OneOf((CLASSIFICATION, REGRESSION))] = Field(
        "", description="what is learned; inferred from the target without it"
    )
    missing: Annotated[str, OneOf((REFUSE, DROP, *FILLINGS))] = Field(
        REFUSE,
        description="missing values: refused, their examples dropped, or filled from the "
        "training set",
    )
    rare: Rare = REFUSE


class TableParameters(DatasetParameters):
    """How a table is read."""

    target: Texts = Field((), description="column to learn; a list of several is a regression")
    ignore: Texts = Field((), description="column to leave out, or a list of them")
    categorical: Texts = Field(
        (), description="column that is categories even if numbers, or a list of them"
    )


def from_frame(name: str, frame: DataFrame, parameters: TableParameters, locate: Locate) -> Dataset:
    """Return the dataset that a table's columns are."""
    target, categorical = parameters.target, parameters.categorical
    check_columns(name, [*map(str, frame.columns)], parameters)
    targets = {column: frame[column].to_numpy() for column in target}
    rest = frame.drop(columns=[*target, *parameters.ignore])
    table = {
        str(column): cells_of(rest[column], categorical=column in categorical) for column in rest
    }
    return from_columns(name, table, targets, parameters, locate)


def from_columns(
    name: str,
    table: Mapping[str, Cells],
    targets: Mapping[str, npt.NDArray[Any] | Cells],
    parameters: TableParameters,
    locate: Locate,
    *,
    read: int = 0,
) -> Dataset:
    """Return the dataset that columns are, which are read from that many bytes in memory."""
    target = read_target(name, targets, parameters.task, locate)
    room = Room.of(parameters, read)
    features = read_features(name, table, locate, room, target.outputs)
    return assembled(name, features, target, parameters, locate)


def check_columns(name: str, known: list[str], parameters: TableParameters) -> None:
    """Refuse choices of columns that are not there, or that contradict each other."""
    problems = [
        f"{name}: `{parameter}` names {shown(column)}, which is not a column."
        f"{did_you_mean(column, known) or ' Columns: ' + ', '.join(known[:20]) + '.'}"
        for parameter in ("target", "ignore", "categorical")
        for column in getattr(parameters, parameter)
        if column not in known
    ]
    for parameter in ("ignore", "categorical"):
        both = sorted({*parameters.target} & {*getattr(parameters, parameter)})
        problems += [f"{name}: `{parameter}` names the target {shown(column)}." for column in both]
    if not problems and len({*parameters.target} | {*parameters.ignore}) == len(known):
        problems = [f"{name} has no columns but the target and ignored ones."]
    if problems:
        raise DataError(*problems)


def assembled(
    name: str, features: Features, target: Target, parameters: DatasetParameters, locate: Locate
) -> Dataset:
    """Return a dataset of features and target."""
    notes = [*features.notes, *target.notes]
    kept = _with_target(name, target, parameters, locate, notes)
    gaps = dict(features.gaps())
    if gaps and parameters.missing == REFUSE:
        raise DataError(_gaps_text(name, gaps, locate))
    if gaps and parameters.missing == DROP:
        whole = ~np.isnan(features.values).any(axis=1)
        notes.append(_dropped(kept & ~whole, "that miss a value"))
        kept &= whole
    kept &= _common_enough(target, kept, parameters, notes)
    if not kept.all():
        features, target = _rows(features, target, kept)
    if not kept.any():
        raise DataError(f"{name}: no example is left of {kept.size}.")
    missing = parameters.missing if np.isnan(features.values).any() else ""
    if missing:
        notes.append(_filled(gaps, missing))
    notes += _suspicions(features, target)
    return _finished(name, features, target, missing, notes)


def _with_target(
    name: str, target: Target, parameters: DatasetParameters, locate: Locate, notes: list[str]
) -> BoolArray:
    missing = ~target.present
    if missing.any() and parameters.missing != DROP:
        raise DataError(
            f"{name}: the target {', '.join(map(shown, target.names))} is missing in "
            f"{counted(int(missing.sum()), 'example')}, first in {locate(int(missing.argmax()))}. "
            'A target is never filled; `missing = "drop"` drops such examples.'
        )
    if missing.any():
        notes.append(_dropped(missing, "without a target"))
    return ~missing


def _gaps_text(name: str, gaps: Mapping[str, Any], locate: Locate) -> str:
    total = counted(sum(map(len, gaps.values())), "value")
    listed = ", ".join(
        f"{shown(column)} ({len(rows)}, first in {locate(int(rows[0]))})"
        for column, rows in [*gaps.items()][:LISTED]
    )
    rest = ", ..." if len(gaps) > LISTED else ""
    return (
        f"{name} misses {total} in {counted(len(gaps), 'column')}: {listed}{rest}. Choose what "
        f"becomes of them: `missing` is one of {', '.join(map(repr, (DROP, *FILLINGS)))}."
    )


def _filled(gaps: Mapping[str, Any], missing: str) -> str:
    listed = ", ".join(f"{column} ({len(rows)})" for column, rows in gaps.items())
    how = missing.replace("_", " ")
    return (
        f"Missing values are filled from each training set, numbers by the {how} and categories "
        f"by the most frequent one: {listed}."
    )


def _dropped(rows: BoolArray, which: str) -> str:
    return f"Dropped {int(rows.sum())} of {rows.size} examples {which}."


def _common_enough(
    target: Target, kept: BoolArray, parameters: DatasetParameters, notes: list[str]
) -> BoolArray:
    if target.task == REGRESSION or parameters.rare == REFUSE:
        return np.ones_like(kept)
    counts = np.bincount(target.labels[kept], minlength=len(target.classes))
    common = counts[target.labels] >= LEAST_OF_A_CLASS
    if not common[kept].all():
        notes.append(_dropped(kept & ~common, "of classes that are too rare"))
    return common


def _rows(features: Features, target: Target, kept: BoolArray) -> tuple[Features, Target]:
    chosen = replace(features, values=features.values[kept])
    if target.task == REGRESSION:
        return chosen, replace(target, present=target.present[kept], values=target.values[kept])
    used, labels = np.unique(target.labels[kept], return_inverse=True)
    classes = tuple(target.classes[label] for label in used)
    return chosen, replace(target, present=target.present[kept], labels=labels, classes=classes)


def _suspicions(features: Features, target: Target) -> list[str]:
    if features.values.size > SEARCHED_CELLS:
        return []
    items = len(features.values)
    row = np.dtype((np.void, features.values[0].nbytes))
    copies = items - len(np.unique(np.ascontiguousarray(features.values).view(row)))
    notes = []
    if copies:
        notes.append(
            f"{copies} of {items} examples repeat the features of an earlier one: copies of one "
            "example may be in the training and the test set."
        )
    wanted = target.labels if target.task == CLASSIFICATION else target.values[:, 0]
    notes += [
        f"{shown(name)} determines the target and is determined by it. Is it known beforehand?"
        for name, values in zip(features.names, features.values.T, strict=True)
        # Most columns are told apart by their first rows.
        if _determine_each_other(values[:GLANCE], wanted[:GLANCE])
        and _determine_each_other(values, wanted, repeated=True)
    ]
    return notes


def _determine_each_other(
    values: Array, wanted: Array | IntArray, *, repeated: bool = False
) -> bool:
    import pandas as pd  # noqa: PLC0415 - takes a second

    codes = pd.factorize(values)[0]
    if not np.array_equal(codes, pd.factorize(wanted)[0]):
        return False
    # Where nearly every value is another, any column determines any other.
    often = 2 * (codes.max() + 1) <= codes.size
    return not repeated or often or np.array_equal(values, wanted)


def _finished(
    name: str, features: Features, target: Target, missing: str, notes: list[str]
) -> Dataset:
    about: dict[str, Any] = {"groups": features.groups, "missing": missing, "notes": notes}
    about["feature_names"] = features.names
    if target.task == REGRESSION:
        return regression(name, features.values, target.values, target.names, **about)
    (target_name,) = target.names
    labels, classes = target.labels, target.classes
    return classification(name, features.values, labels, classes, target_name, **about)
