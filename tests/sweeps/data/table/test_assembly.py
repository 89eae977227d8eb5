"""Tables: what is missing is refused, dropped or left to be filled; leaks are noted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from refused import refusal as refused_by
from refused import states

from sweeps.data.splits import Dataset
from sweeps.data.table import _assembly as assembly
from sweeps.data.table._assembly import TableParameters, from_frame

COLUMNS: dict[str, Any] = {
    "x": [float(number) for number in range(12)],
    "c": ["u", "v", "w"] * 4,
    "y": ["a", "a", "b", "b"] * 3,
}


def read(changes: dict[str, Any] | None = None, **chosen: Any) -> Dataset:
    frame = pd.DataFrame(COLUMNS | (changes or {}))
    parameters = TableParameters(**{"target": ("y",), **chosen})
    return from_frame("my.csv", frame, parameters, lambda row: f"line {row + 2}")


def refusal(changes: dict[str, Any] | None = None, **chosen: Any) -> str:
    return refused_by(read, changes, **chosen)


def with_gaps(column: str, *rows: int) -> dict[str, Any]:
    return {column: [None if n in rows else cell for n, cell in enumerate(COLUMNS[column])]}


def test_a_table_becomes_a_dataset() -> None:
    dataset = read()
    assert dataset.feature_names == ("x", "c=u", "c=v", "c=w")
    assert dataset.groups.tolist() == [-1, 0, 0, 0]
    assert dataset.classes == ("a", "b")
    assert dataset.target_names == ("y",)
    assert dataset.missing == ""
    assert len(dataset.notes) == 2


def test_several_targets_are_a_regression() -> None:
    dataset = read({"z": np.arange(12) / 7}, target=("x", "z"))
    assert dataset.task == "regression"
    assert dataset.target_names == ("x", "z")
    assert dataset.targets[3].tolist() == [3, 3 / 7]


def test_ignored_columns_are_left_out() -> None:
    assert read(ignore=("c",)).feature_names == ("x",)


def test_columns_that_are_not_there_are_reported_all_at_once() -> None:
    target, ignore, rest = refusal(target=("yy",), ignore=("q",), categorical=("C",)).split("\n")
    states(target, "my.csv: `target` names 'yy'", "Did you mean 'y'?")
    states(ignore, "`ignore` names 'q'", "Columns: x, c, y")
    states(rest, "`categorical` names 'C'")


def test_a_target_is_neither_ignored_nor_a_feature() -> None:
    text = refusal(ignore=("y",), categorical=("y",))
    states(text, "`ignore` names the target 'y'", "`categorical` names the target 'y'")


def test_a_table_without_features_is_refused() -> None:
    states(refusal(ignore=("x", "c")), "my.csv", "no columns but the target")


def test_missing_values_are_refused_unless_chosen() -> None:
    text = refusal(with_gaps("x", 3, 5) | with_gaps("c", 4))
    states(text, "3 values in 2 columns", "'x' (2, first in line 5), 'c' (1, first in line 6)")
    states(text, "`missing`", "'drop', 'mean', 'median', 'most_frequent'")


def test_long_lists_of_gaps_are_cut() -> None:
    gaps = {f"g{number}": with_gaps("x", number)["x"] for number in range(7)}
    assert "'g4' (1, first in line 6), .... Choose" in refusal(gaps)


def test_examples_with_gaps_are_dropped_by_choice() -> None:
    dataset = read(with_gaps("x", 3) | with_gaps("y", 0, 1), missing="drop")
    assert dataset.inputs[:, 0].tolist() == [2, *range(4, 12)]
    assert dataset.missing == ""
    without_target, without_value = dataset.notes[2:4]
    states(without_target, "2 of 12 examples", "target")
    states(without_value, "1 of 12 examples", "value")


def test_values_of_a_regression_are_dropped_with_their_examples() -> None:
    dataset = read(with_gaps("x", 3), target=("x",), missing="drop", task="regression")
    assert dataset.targets[:, 0].tolist() == [0, 1, 2, *range(4, 12)]


def test_no_example_left_is_refused() -> None:
    gaps = with_gaps("x", *range(0, 12, 2)) | with_gaps("c", *range(1, 12, 2))
    states(refusal(gaps, missing="drop"), "my.csv", "no example", "12")


@pytest.mark.parametrize("how", ["mean", "median", "most_frequent"])
def test_gaps_stay_to_be_filled_from_the_training_set(how: str) -> None:
    dataset = read(with_gaps("x", 3) | with_gaps("c", 4), missing=how)
    assert dataset.missing == how
    assert np.isnan(dataset.inputs).sum() == 4
    states(dataset.notes[2], f"numbers by the {how.replace('_', ' ')}", "x (1), c (1)")


def test_a_choice_for_gaps_changes_nothing_where_there_are_none() -> None:
    assert read(missing="mean").fingerprint == read().fingerprint


def test_a_missing_target_is_never_filled() -> None:
    text = refusal(with_gaps("y", 2), missing="mean")
    states(text, "my.csv", "'y' is missing in 1 example", "line 4", '`missing = "drop"`')


def test_rare_classes_are_refused_or_dropped_by_choice() -> None:
    rare = {"y": ["a", "a", "b", "b"] * 2 + ["a", "b", "c", "c"]}
    assert "1 class of fewer than 3 examples" in refusal(rare)
    dataset = read(rare, rare="drop")
    assert dataset.classes == ("a", "b")
    assert len(dataset.inputs) == 10
    states(dataset.notes[2], "Dropped 2 of 12 examples", "too rare")
    assert read(rare="drop").fingerprint == read().fingerprint


def test_copies_are_noted() -> None:
    copies = {"x": [1.0, 2.0, 3.0] * 4}
    states(read(copies).notes[-1], "9 of 12 examples repeat", "earlier one")


def test_a_column_that_is_the_target_is_noted() -> None:
    states(read({"leak": [7, 7, 3, 3] * 3}).notes[-1], "'leak' determines the target")
    values = np.arange(12) / 7
    dataset = read({"leak": values, "y": values})
    (note,) = (note for note in dataset.notes if "determines" in note)
    states(note, "'leak'")


def test_large_tables_are_not_searched_for_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "SEARCHED_CELLS", 10)
    assert not any("determines" in note for note in read({"leak": [7, 7, 3, 3] * 3}).notes)


def test_features_of_several_kinds_are_too_large_before_they_are_made() -> None:
    states(refusal(limit_gb=1e-7), "limit of 1e-07 GB")
