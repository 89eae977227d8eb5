"""Targets: classes or values, inferred from the column, or refused where it could be either."""

from __future__ import annotations

from typing import Any

import numpy as np
from refused import refusal as refused_by
from refused import states

from sweeps.data.table._target import Target, read_target


def read(*columns: Any, task: str = "") -> Target:
    named = {f"y{number}": np.asarray(column) for number, column in enumerate(columns, 1)}
    return read_target("my.csv", named, task, lambda row: f"line {row + 2}")


def texts(*cells: Any) -> Any:
    return np.array(cells, dtype=object)


def refusal(*columns: Any, task: str = "") -> str:
    return refused_by(read, *columns, task=task)


def test_text_is_classes_in_the_order_of_the_alphabet() -> None:
    target = read(texts("b", "a", "b"))
    assert target.task == "classification"
    assert target.classes == ("a", "b")
    assert target.labels.tolist() == [1, 0, 1]
    assert target.notes == ()


def test_flags_are_classes() -> None:
    target = read([True, False, True])
    assert target.classes == ("False", "True")
    assert target.labels.tolist() == [1, 0, 1]


def test_few_whole_numbers_are_classes_in_their_order() -> None:
    target = read(texts("10", "9", "10"))
    assert target.classes == ("9", "10")
    assert target.labels.tolist() == [1, 0, 1]
    states(*target.notes, "classification", "'y1' holds 2 whole numbers")
    assert read([10.0, 9.0]).classes == ("9", "10")


def test_numbers_that_are_not_whole_are_values() -> None:
    target = read(texts("1.5", "2", "1e1"))
    assert target.task == "regression"
    assert target.values.tolist() == [[1.5], [2], [10]]
    states(*target.notes, "regression", "'y1' holds numbers that are not whole")


def test_many_whole_numbers_are_values() -> None:
    target = read(np.arange(30))
    assert target.task == "regression"
    states(*target.notes, "regression", "'y1' holds 30 different whole numbers")


def test_many_whole_numbers_each_repeated_may_be_either() -> None:
    column = np.arange(300) % 25
    text = refusal(column)
    states(text, "my.csv", "'y1' holds 25 different whole numbers", '`task = "classification"`')
    assert len(read(column, task="classification").classes) == 25
    assert read(column, task="regression").values[24].tolist() == [24]


def test_numbers_among_text_may_be_either() -> None:
    column = texts("1", "2", "three")
    states(refusal(column), "'y1' holds numbers and text", "'three' in line 4", "`task = ")
    assert read(column, task="classification").classes == ("1", "2", "three")


def test_text_is_no_value() -> None:
    text = refusal(texts("1", "n/a"), task="regression")
    states(text, "my.csv", "'y1' holds 'n/a' in line 3", "must be numbers")


def test_several_columns_are_a_regression() -> None:
    target = read(texts("1", "2"), texts("3", "4"))
    assert target.task == "regression"
    assert target.names == ("y1", "y2")
    assert target.values.tolist() == [[1, 3], [2, 4]]
    assert target.notes == ()


def test_a_classification_has_one_column() -> None:
    states(refusal([1], [2], task="classification"), "my.csv", "one target column, not 2")


def test_missing_targets_are_counted() -> None:
    target = read(texts("a", None, "b", np.nan, " "))
    assert target.present.tolist() == [True, False, True, False, False]
    assert target.classes == ("a", "b")
    values = read([1.5, np.nan], task="regression")
    assert values.present.tolist() == [True, False]
    assert np.isnan(values.values[1, 0])


def test_words_for_nothing_are_classes() -> None:
    assert read(texts("NA", "None", "null")).classes == ("NA", "None", "null")


def test_a_target_without_values_is_refused() -> None:
    states(refusal(texts("", None)), "'y1' has no values")


def test_spellings_of_a_number_are_separate_classes_and_noted() -> None:
    target = read(texts("007", "7", "8"))
    assert target.classes == ("007", "7", "8")
    states(target.notes[1], "'007' and '7'")


def test_infinite_numbers_stay_for_the_dataset_to_refuse() -> None:
    assert read([1.0, np.inf], task="classification").classes == ("1", "inf")
