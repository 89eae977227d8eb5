"""What is suspicious of a table: copies of examples, and features that give the target away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bpengine.network import Array, IntArray
from sweeps.errors import shown

SEARCHED_CELLS = 20_000_000  # larger tables are not searched
GLANCE = 500  # examples that a first look is taken at
SAMPLE = 2_000  # examples that trees are fitted to, one half, and judged by, the other
_LEAST = 40  # examples from which trees say something
_BINS = 16  # ranges of a column, as a tree of depth 4 makes
_NEARLY, _ALL = 0.8, 0.95  # of what there is to explain: looked at again, and noted
_AS_WELL = 0.02  # as all features together, to within


def suspicions(
    features: Array, columns: Mapping[str, Array], wanted: Array | IntArray
) -> list[str]:
    """Return notes on copies of examples and on columns that give the target away.

    The features are made of the columns, numbers for categories; whole numbers wanted are classes.
    """
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
