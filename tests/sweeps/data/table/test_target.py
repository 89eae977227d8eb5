"""Targets: classes or values, inferred from the column, or refused where it could be either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from refused import refusal as refused_by
from refused import states

from sweeps.data.table._cells import MISSING_MARKERS, Markers, Reading, TableError, of_array
from sweeps.data.table._target import Target, read_target


def read(*columns: Any, task: str = "", markers: Sequence[str] | None = None) -> Target:
    named = {f"y{number}": of_array(np.asarray(column)) for number, column in enumerate(columns, 1)}
    markers = Markers.of(MISSING_MARKERS if markers is None else markers)
    reading = Reading("my.csv", lambda row: f"line {row + 2}", markers, ".", frozenset(), 0.05)
    return read_target(named, task, reading)


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
    states(*target.notes, "classification", "'y1' holds 2 different whole numbers", "`task = ")
    assert read([10.0, 9.0], task="classification").notes == ()
    assert read([10.0, 9.0]).classes == ("9", "10")


def test_numbers_that_are_not_whole_are_values() -> None:
    target = read(texts("1.5", "2", "1e1"))
    assert target.task == "regression"
    assert target.values.tolist() == [[1.5], [2], [10]]
    states(*target.notes, "regression", "'y1' holds 3 different numbers")
    assert "`task" not in target.notes[0]


def test_many_whole_numbers_are_values() -> None:
    target = read(np.arange(30))
    assert target.task == "regression"
    states(*target.notes, "regression", "'y1' holds 30 different whole numbers")


def test_many_whole_numbers_each_repeated_are_values_unless_said_otherwise() -> None:
    column = np.arange(300) % 25
    target = read(column)
    assert target.task == "regression"
    states(*target.notes, "25 different whole numbers", '`task = "classification"`')
    assert len(read(column, task="classification").classes) == 25


def test_whole_numbers_of_which_some_are_rare_are_values() -> None:
    assert read([*range(11), *range(11), *range(10)]).task == "regression"
    assert read([*range(11)] * 3).task == "classification"
    assert read([*range(10), *range(9)]).task == "classification"


def test_a_few_numbers_among_text_are_classes() -> None:
    assert read(texts("1", "a", "b")).classes == ("1", "a", "b")


def test_words_among_numbers_may_be_missing() -> None:
    column = texts("1.5", "2", "three")
    with pytest.raises(TableError) as refused:
        read(column)
    states(str(refused.value), "'y1' holds numbers and text, 'three' in line 4")
    assert refused.value.remedy == {"missing_markers": ("three",)}
    assert read(column, task="classification").classes == ("1.5", "2", "three")
    many = texts(*map(str, np.arange(30) / 7), *"abcdef")
    with pytest.raises(TableError) as refused:
        read(many, task="regression")
    assert refused.value.remedy == {"task": "classification"}


def test_numbers_as_people_write_them_are_values() -> None:
    target = read(texts("$1,234.56", "$2.50", "NA"))
    assert target.values[:2, 0].tolist() == [1234.56, 2.5]
    assert target.present.tolist() == [True, True, False]
    states(target.notes[1], "'y1'", "'$1,234.56' is 1234.56")
    assert read(texts("10%", "5%", "10%")).classes == ("5%", "10%")


def test_markers_are_no_targets() -> None:
    assert read([1.5, -999, 2.25], markers=["-999"]).present.tolist() == [True, False, True]
    assert read(texts("NA", "x"), markers=[]).classes == ("NA", "x")


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


def test_words_for_nothing_are_missing() -> None:
    assert read(texts("NA", "None", "null", "a", True)).classes == ("True", "a")


def test_a_target_without_values_is_refused() -> None:
    states(refusal(texts("", None)), "'y1' has no values")


def test_spellings_of_a_number_are_separate_classes() -> None:
    target = read(texts("007", "7", "8"))
    assert target.classes == ("007", "7", "8")


def test_infinite_numbers_stay_for_the_dataset_to_refuse() -> None:
    assert read([1.0, np.inf], task="classification").classes == ("1", "inf")


def test_infinite_values_of_a_regression_are_refused_and_may_be_missing() -> None:
    with pytest.raises(TableError) as refused:
        read([1.5, np.inf, -np.inf])
    states(str(refused.value), "'y1'", "not finite")
    assert refused.value.remedy == {"missing_markers": ("-inf", "inf")}
