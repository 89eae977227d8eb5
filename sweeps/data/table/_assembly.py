"""From tables to datasets: which examples are used, what becomes of gaps, what is suspicious."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bpengine.network import Array, BoolArray, IntArray
from sweeps.data._dataset import classification, regression
from sweeps.data.splits import LEAST_OF_A_CLASS, REGRESSION, Dataset
from sweeps.data.table._cells import Cells, Locate, Markers, Reading, TableError, of_array
from sweeps.data.table._choices import (
    CATEGORY,
    DROP,
    MERGE,
    REFUSE,
    DatasetParameters,
    TableParameters,
    check_columns,
    refusal,
)
from sweeps.data.table._features import (
    OFTEN_MISSING,
    Features,
    Room,
    cells_of,
    dense,
    read_features,
    sentinel_note,
    with_indicators,
)
from sweeps.data.table._target import Target, read_target
from sweeps.errors import counted, joined, shown

if TYPE_CHECKING:
    from pandas import DataFrame

_NUMBERS_BY = "median"  # numbers are imputed by it where categories are missing as one
_OTHER = "other"  # what rare classes are merged to
SEARCHED_CELLS = 20_000_000  # larger tables are not searched
GLANCE = 500  # examples that a first look is taken at
SAMPLE = 2_000  # examples that trees are fitted to, one half, and judged by, the other
_LEAST = 40  # examples from which trees say something
_BINS = 16  # ranges of a column, as a tree of depth 4 makes
_NEARLY, _ALL = 0.8, 0.95  # of what there is to explain: looked at again, and noted
_AS_WELL = 0.02  # as all features together, to within


def from_frame(name: str, frame: DataFrame, parameters: TableParameters) -> Dataset:
    """Return the dataset that a table's columns are."""
    known = [*map(str, frame.columns)]
    chosen, notes, obstacles = check_columns(name, known, parameters)
    targets = {column: of_array(frame[column].to_numpy()) for column in chosen.target}
    rest = [column for column in known if column not in {*chosen.target, *chosen.ignore}]
    table = {c: cells_of(frame[c], categorical=c in chosen.categorical) for c in rest}
    return from_columns(
        name, table, targets, chosen, lambda row: f"row {row + 1}", notes=notes, obstacles=obstacles
    )


def from_columns(
    name: str,
    table: Mapping[str, Cells],
    targets: Mapping[str, Cells],
    parameters: DatasetParameters,
    locate: Locate,
    *,
    notes: Iterable[str] = (),
    obstacles: Iterable[TableError] = (),
    decimal: str = ".",
    read: int = 0,
) -> Dataset:
    """Return the dataset that columns are, read from that many bytes in memory.

    The parameters of a table are those of `check_columns`. All that is wrong is reported at once.
    """
    notes, obstacles, target = [*notes], [*obstacles], None
    markers, declared = Markers.of(parameters.missing_markers), frozenset(table)
    if isinstance(parameters, TableParameters):  # without choices of columns, all are kept
        declared = frozenset((*parameters.keep, *parameters.categorical))
    often = {CATEGORY: 0.0, DROP: 1.0, REFUSE: 1.0}.get(parameters.missing, OFTEN_MISSING)
    reading = Reading(name, locate, markers, decimal, declared, often)
    columns = {column: cells.without(markers) for column, cells in table.items()}
    try:
        target = read_target(targets, parameters.task, reading)
        target, rows = _usable(name, target, parameters, notes, obstacles)
    except TableError as obstacle:
        obstacles.append(obstacle)
    else:
        columns = {column: cells.rows(rows) for column, cells in columns.items()}
        reading = replace(reading, locate=lambda row: locate(int(rows[row])))
    features = read_features(columns, reading)
    notes += features.notes
    obstacles += features.obstacles
    if (gaps := features.gaps()) and parameters.missing == REFUSE:
        obstacles.append(_gaps_obstacle(gaps, reading))
    if obstacles or target is None:
        raise refusal(obstacles, parameters)
    features = replace(features, notes=tuple(notes))
    return _finished(name, features, target, parameters, Room.of(parameters, read))


def _usable(
    name: str,
    target: Target,
    parameters: DatasetParameters,
    notes: list[str],
    obstacles: list[TableError],
) -> tuple[Target, IntArray]:
    """Return the target of the examples that can be used, and which they are."""
    notes += target.notes
    missing, names = ~target.present, ", ".join(map(shown, target.names))
    if missing.any() and parameters.missing_target == REFUSE:
        text = f"{name}: the target {names} is missing in {counted(int(missing.sum()), 'example')}."
        obstacles.append(TableError(text, missing_target=DROP))
    elif missing.any():
        notes.append(_dropped(missing, "without a target"))
    rows = np.flatnonzero(target.present)
    target = target.rows(rows)
    if target.task == REGRESSION:
        sentinels = filter(None, map(sentinel_note, target.values.T))
        notes += [f"The target {names}: {note}" for note in sentinels]
        return target, rows
    target, common = _common(name, target, parameters.rare, notes, obstacles)
    return target.rows(common), rows[common]


def _common(
    name: str, target: Target, rare: str, notes: list[str], obstacles: list[TableError]
) -> tuple[Target, IntArray]:
    """Return the target with its rare classes merged, and the examples of the others."""
    counts = np.bincount(target.labels)
    is_rare = counts < LEAST_OF_A_CLASS
    total, everything = int(counts[is_rare].sum()), np.arange(len(target.labels))
    listed = [f"{shown(target.classes[k])} ({counts[k]})" for k in np.flatnonzero(is_rare)]
    which, common = joined(listed), len(counts) - len(listed)
    # Where all classes are rare, no choice helps: the dataset itself is refused.
    if rare == REFUSE and listed and (common > 1 or (common and total >= LEAST_OF_A_CLASS)):
        classes = counted(len(listed), "class", "classes")
        text = f"{name} has {classes} of fewer than {LEAST_OF_A_CLASS} examples: {which}; "
        drops = '`rare = "drop"` drops them, ' if common > 1 else ""
        text = f'{text}{drops}`rare = "merge"` makes one class of them.'
        obstacles.append(TableError(text, rare=DROP if common > 1 else MERGE))
    if rare == REFUSE or not listed:
        return target, everything
    if rare == MERGE and total >= LEAST_OF_A_CLASS:
        other = next(o for o in (_OTHER, f"({_OTHER})", f"({_OTHER}s)") if o not in target.classes)
        notes.append(f"Merged to the class {shown(other)}: {which}.")
        labels = np.where(is_rare, len(counts), np.arange(len(counts)))[target.labels]
        return replace(target, labels=labels, classes=(*target.classes, other)), everything
    dropped = is_rare[target.labels]
    notes.append(_dropped(dropped, f"of classes that are too rare: {which}"))
    return target, np.flatnonzero(~dropped)


def _finished(
    name: str, features: Features, target: Target, parameters: DatasetParameters, room: Room
) -> Dataset:
    """Return the dataset of features and target, what is missing dropped or named."""
    notes, gaps, missing = [*features.notes], features.gaps(), ""
    if gaps and parameters.missing == DROP:
        lost = np.zeros(target.present.size, bool)
        lost[np.concatenate([*gaps.values()])] = True
        notes.append(_dropped(lost, "that miss a value"))
        if lost.all():
            text = f"{name}: no example is left of {lost.size}."
            raise refusal([TableError(text, missing=_NUMBERS_BY)], parameters)
        rows = np.flatnonzero(~lost)
        kept = tuple(replace(column, values=column.values[rows]) for column in features.columns)
        features, target = replace(features, columns=kept), target.rows(rows)
    elif gaps:
        missing = _NUMBERS_BY if parameters.missing == CATEGORY else parameters.missing
        listed = joined([f"{column} ({len(rows)})" for column, rows in gaps.items()])
        notes.append(
            f"Missing values are imputed from each training set, numbers by the "
            f"{missing.replace('_', ' ')} and categories by the most frequent one: {listed}."
        )
    complete = with_indicators(features)
    names, columns = complete.names, {column.name: column.values for column in features.columns}
    is_regression = target.task == REGRESSION
    outputs = target.values.shape[1] if is_regression else len(target.classes)
    room.check(*dense(name, target.present.size, len(names), outputs))
    values = complete.encoded()
    wanted = target.values[:, 0] if is_regression else target.labels
    notes += [*complete.notes, *suspicions(values, columns, wanted)]
    about: dict[str, Any] = {"groups": complete.groups, "missing": missing, "notes": notes}
    about["feature_names"] = names
    if is_regression:
        return regression(name, values, target.values, target.names, **about)
    return classification(name, values, target.labels, target.classes, *target.names, **about)


def _gaps_obstacle(gaps: Mapping[str, Any], reading: Reading) -> TableError:
    total = counted(sum(map(len, gaps.values())), "value")
    listed = [
        f"{shown(column)} ({len(rows)}, first in {reading.locate(int(rows[0]))})"
        for column, rows in gaps.items()
    ]
    text = f"{reading.name} misses {total} in {counted(len(gaps), 'column')}: {joined(listed)}."
    return TableError(text, missing=_NUMBERS_BY)


def _dropped(rows: BoolArray, which: str) -> str:
    return f"Dropped {int(rows.sum())} of {rows.size} examples {which}."


def suspicions(
    features: Array, columns: Mapping[str, Array], wanted: Array | IntArray
) -> list[str]:
    """Return notes on copies of examples and on columns that give the target away."""
    if features.size > SEARCHED_CELLS:
        return []
    goal = np.unique(wanted, return_inverse=True)[1]
    sample = np.random.default_rng(0).permutation(len(wanted))[:SAMPLE]
    leaks = {name: how for name, values in columns.items() if (how := _kind(values, goal))}
    rest = {name: values[sample] for name, values in columns.items() if name not in leaks}
    for name in _alone(rest, np.nan_to_num(features[sample]), wanted[sample]):
        leaks[name] = "alone predicts the target as well as all columns together"
    return [
        *_copies(features),
        *(f"{shown(name)} {how}. Is it known beforehand?" for name, how in leaks.items()),
    ]


def _copies(values: Array) -> list[str]:
    row = np.dtype((np.void, values[0].nbytes))
    copies = len(values) - len(np.unique(np.ascontiguousarray(values).view(row)))
    text = f"{copies} of {len(values)} examples repeat the features of an earlier one: copies of "
    return [f"{text}one example may be in the training and the test set."] if copies else []


def _kind(values: Array, goal: IntArray) -> str:
    """Return how a column determines the target; nothing if it doesn't."""
    # Most columns are dismissed by their first rows.
    for size in (min(GLANCE, goal.size), goal.size):
        codes = np.unique(values[:size], return_inverse=True)[1]
        kinds, goals = codes.max() + 1, np.unique(goal[:size]).size
        pairs = np.unique(codes * (goal.max() + 1) + goal[:size]).size
        if pairs > kinds:
            return ""
    # Where nearly every value is another, any column determines any other.
    if kinds == 1 or (2 * kinds > goal.size and not np.array_equal(codes, goal)):
        return ""
    return "determines the target" + (" and is determined by it" if kinds == goals else "")


def _alone(columns: dict[str, Array], features: Array, wanted: Array | IntArray) -> list[str]:
    """Return columns from which a shallow tree predicts the target as well as from all."""
    if wanted.dtype.kind == "f":
        # In units of the largest no square overflows.
        wanted = wanted / (np.abs(wanted).max() or 1)
    near = [name for name, values in columns.items() if _share(values, wanted) > _NEARLY]
    if len(wanted) < _LEAST or not near or len(columns) == 1:
        return []
    least = max(_ALL, _skill(features, wanted) - _AS_WELL)
    return [name for name in near if _skill(np.nan_to_num(columns[name])[:, None], wanted) >= least]


def _share(values: Array, wanted: Array | IntArray) -> float:
    """Return how much of the target's variation ranges of a column explain."""
    parts = np.array_split(wanted[np.argsort(values, kind="stable")], _BINS)
    return 1 - sum(_variation(part) for part in parts) / (_variation(wanted) or 1)


def _variation(wanted: npt.NDArray[Any]) -> float:
    """Return how far a constant is off: squares for values, examples for classes."""
    if wanted.dtype.kind == "f":
        return float(np.square(wanted - wanted.mean()).sum()) if wanted.size else 0.0
    return float(wanted.size - np.bincount(wanted, minlength=1).max())


def _skill(inputs: Array, wanted: Array | IntArray) -> float:
    """Return how much of what a constant leaves a shallow tree explains of unseen examples."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # noqa: PLC0415 - slow

    is_regression = wanted.dtype.kind == "f"
    kind: Any = DecisionTreeRegressor if is_regression else DecisionTreeClassifier
    half = len(wanted) // 2
    tree = kind(max_depth=6, random_state=0).fit(inputs[:half], wanted[:half])
    truth, predicted = wanted[half:], tree.predict(inputs[half:])
    wrong = np.square(truth - predicted).sum() if is_regression else (truth != predicted).sum()
    return 1 - float(wrong) / (_variation(truth) or 1)
