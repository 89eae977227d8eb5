"""Tables: what is missing is refused, dropped or left to be filled; leaks are noted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeps.data.splits import Dataset
from sweeps.data.table import assembly as tables
from sweeps.data.table.assembly import Choices, from_frame
from sweeps.data.table.features import Room
from sweeps.errors import DataError

COLUMNS: dict[str, Any] = {
    "x": [float(number) for number in range(12)],
    "c": ["u", "v", "w"] * 4,
    "y": ["a", "a", "b", "b"] * 3,
}


def read(changes: dict[str, Any] | None = None, **choices: Any) -> Dataset:
    frame = pd.DataFrame(COLUMNS | (changes or {}))
    chosen = Choices(**{"target": ("y",), **choices})
    return from_frame("my.csv", frame, chosen, lambda row: f"line {row + 2}")


def refusal(changes: dict[str, Any] | None = None, **choices: Any) -> str:
    with pytest.raises(DataError) as refused:
        read(changes, **choices)
    return str(refused.value)


def with_gaps(column: str, *rows: int) -> dict[str, Any]:
    return {column: [None if n in rows else cell for n, cell in enumerate(COLUMNS[column])]}


def test_a_table_becomes_a_dataset() -> None:
    dataset = read()
    assert dataset.feature_names == ("x", "c=u", "c=v", "c=w")
    assert dataset.groups.tolist() == [-1, 0, 0, 0]
    assert dataset.classes == ("a", "b")
    assert dataset.target_names == ("y",)
    assert dataset.missing == ""
    assert dataset.notes == (
        "1 column of numbers: x.",
        "1 column of categories, one-hot: c (3).",
    )


def test_several_targets_are_a_regression() -> None:
    dataset = read({"z": np.arange(12) / 7}, target=("x", "z"))
    assert dataset.task == "regression"
    assert dataset.target_names == ("x", "z")
    assert dataset.targets[3].tolist() == [3, 3 / 7]


def test_ignored_columns_are_left_out() -> None:
    assert read(ignore=("c",)).feature_names == ("x",)


def test_columns_that_are_not_there_are_told_all_at_once() -> None:
    assert refusal(target=("yy",), ignore=("q",), categorical=("C",)) == (
        "my.csv: `target` names 'yy', which is no column. Did you mean 'y'?\n"
        "my.csv: `ignore` names 'q', which is no column. Columns: x, c, y.\n"
        "my.csv: `categorical` names 'C', which is no column. Columns: x, c, y."
    )


def test_a_target_is_neither_ignored_nor_a_feature() -> None:
    assert refusal(ignore=("y",), categorical=("y",)) == (
        "my.csv: `ignore` names the target 'y'.\nmy.csv: `categorical` names the target 'y'."
    )


def test_a_table_without_features_is_refused() -> None:
    assert refusal(ignore=("x", "c")) == ("my.csv has no columns but the target and ignored ones.")


def test_missing_values_are_refused_unless_chosen() -> None:
    assert refusal(with_gaps("x", 3, 5) | with_gaps("c", 4)) == (
        "my.csv misses 3 values in 2 columns: 'x' (2, first in line 5), 'c' (1, first in line 6). "
        'Choose what becomes of them: `missing` is one of "drop", "mean", "median", '
        '"most_frequent".'
    )


def test_long_lists_of_gaps_are_cut() -> None:
    gaps = {f"g{number}": with_gaps("x", number)["x"] for number in range(7)}
    assert "'g4' (1, first in line 6), .... Choose" in refusal(gaps)


def test_examples_with_gaps_are_dropped_by_choice() -> None:
    dataset = read(with_gaps("x", 3) | with_gaps("y", 0, 1), missing="drop")
    assert dataset.inputs[:, 0].tolist() == [2, *range(4, 12)]
    assert dataset.missing == ""
    assert dataset.notes[2:4] == (
        "Dropped 2 of 12 examples without a target.",
        "Dropped 1 of 12 examples that miss a value.",
    )


def test_values_of_a_regression_are_dropped_with_their_examples() -> None:
    dataset = read(with_gaps("x", 3), target=("x",), missing="drop", task="regression")
    assert dataset.targets[:, 0].tolist() == [0, 1, 2, *range(4, 12)]


def test_no_example_left_is_refused() -> None:
    gaps = with_gaps("x", *range(0, 12, 2)) | with_gaps("c", *range(1, 12, 2))
    assert refusal(gaps, missing="drop") == "my.csv: no example is left of 12."


@pytest.mark.parametrize("how", ["mean", "median", "most_frequent"])
def test_gaps_stay_to_be_filled_from_the_training_part(how: str) -> None:
    dataset = read(with_gaps("x", 3) | with_gaps("c", 4), missing=how)
    assert dataset.missing == how
    assert np.isnan(dataset.inputs).sum() == 4
    assert dataset.notes[2] == (
        f"Missing values are filled from each training part, numbers by the "
        f"{how.replace('_', ' ')} and categories by the most frequent one: x (1), c (1)."
    )


def test_a_choice_for_gaps_changes_nothing_where_there_are_none() -> None:
    assert read(missing="mean").fingerprint == read().fingerprint


def test_a_missing_target_is_never_filled() -> None:
    assert refusal(with_gaps("y", 2), missing="mean") == (
        "my.csv: the target 'y' is missing in 1 example, first in line 4. A target is never "
        'filled; `missing = "drop"` drops such examples.'
    )


def test_rare_classes_are_refused_or_dropped_by_choice() -> None:
    rare = {"y": ["a", "a", "b", "b"] * 2 + ["a", "b", "c", "c"]}
    assert "1 class of fewer than 3 examples" in refusal(rare)
    dataset = read(rare, rare="drop")
    assert dataset.classes == ("a", "b")
    assert len(dataset.inputs) == 10
    assert dataset.notes[2] == "Dropped 2 of 12 examples of classes that are too rare."
    assert read(rare="drop").fingerprint == read().fingerprint


def test_copies_are_noted() -> None:
    copies = {"x": [1.0, 2.0, 3.0] * 4}
    assert read(copies).notes[-1] == (
        "9 of 12 examples repeat the features of an earlier one: copies of one example may be in "
        "the training and the test part."
    )


def test_a_column_that_is_the_target_is_noted() -> None:
    text = "'leak' determines the target and is determined by it. Is it known beforehand?"
    assert read({"leak": [7, 7, 3, 3] * 3}).notes[-1] == text
    values = np.arange(12) / 7
    dataset = read({"leak": values, "y": values})
    assert [note for note in dataset.notes if "determines" in note] == [text]


def test_large_tables_are_not_searched_for_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SEARCHED_CELLS", 10)
    assert not any("determines" in note for note in read({"leak": [7, 7, 3, 3] * 3}).notes)


def test_features_of_several_kinds_are_too_large_before_they_are_made() -> None:
    assert "more than the limit of 1e-07 GB" in refusal(room=Room(100))


def test_choices_are_found_among_parameters() -> None:
    parameters = {"missing": "drop", "limit_gb": 0.5, "encoding": "utf-8"}
    assert Choices.of(parameters, target=("y",)) == Choices(
        target=("y",), missing="drop", room=Room(500_000_000)
    )
