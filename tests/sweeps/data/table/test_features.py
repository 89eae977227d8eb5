"""Features: kinds inferred from columns, categories one-hot, strangers refused with their line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from refused import refusal as refused_by
from refused import states

from sweeps.data.table._features import Features, Room, cells_of, dense, read_features, refuse


def read(columns: dict[str, Any], *, categorical: tuple[str, ...] = ()) -> Features:
    frame = pd.DataFrame(columns)
    table = {name: cells_of(frame[name], categorical=name in categorical) for name in columns}
    return read_features("my.csv", table, lambda row: f"line {row + 2}", Room(10**6), 1)


def refusal(cells: list[Any], *, categorical: tuple[str, ...] = ()) -> str:
    return refused_by(read, {"x": cells}, categorical=categorical)


def test_numbers_and_flags_are_numbers() -> None:
    features = read({"a": [1, 2], "b": [0.5, np.nan], "c": [True, False], "d": ["1", " 2e3 "]})
    np.testing.assert_array_equal(features.values, [[1, 0.5, 1, 1], [2, np.nan, 0, 2000]])
    assert features.names == ("a", "b", "c", "d")
    assert features.groups.tolist() == [-1] * 4
    states(features.notes[0], "4 columns of numbers: a, b, c, d")


def test_text_is_one_hot_with_nan_where_missing() -> None:
    features = read({"n": [1, 2, 3, 4], "c": ["u", "v", None, "u"], "d": ["x", "x", " ", "y"]})
    assert features.names == ("n", "c=u", "c=v", "d=x", "d=y")
    assert features.groups.tolist() == [-1, 0, 0, 1, 1]
    gap = [np.nan, np.nan]
    np.testing.assert_array_equal(
        features.values[:, 1:], [[1, 0, 1, 0], [0, 1, 1, 0], [*gap, *gap], [1, 0, 0, 1]]
    )
    states(features.notes[0], "1 column of numbers: n")
    states(features.notes[1], "2 columns of categories", "c (2), d (2)")


def test_columns_with_gaps_are_reported_with_their_examples() -> None:
    features = read(
        {"c": ["u", "v", None], "n": [1, np.nan, np.nan], "d": ["x", "x", "y"], "m": [1, 2, 3]}
    )
    assert {name: rows.tolist() for name, rows in features.gaps()} == {"c": [2], "n": [1, 2]}


def test_declared_categories_are_some_whatever_they_hold() -> None:
    features = read({"zip": [10, 20, 10], "x": ["1", "2", "2"]}, categorical=("zip", "x"))
    assert features.names == ("zip=10", "zip=20", "x=1", "x=2")
    typed = read({"x": pd.Categorical(["1", "2", "1"])})
    assert typed.names == ("x=1", "x=2")


def test_marks_for_nothing_are_missing_among_numbers_only() -> None:
    features = read({"x": ["1", "NA", "?", "nan"], "c": ["NA", "None", "NA", "u"]})
    np.testing.assert_array_equal(features.values[:, 0], [1, np.nan, np.nan, np.nan])
    assert features.names[1:] == ("c=NA", "c=None", "c=u")


def test_categories_that_are_hard_to_distinguish_are_noted() -> None:
    states(read({"c": ["a", "A", "a", "A"]}).notes[1], "Column 'c'", "'A' and 'a'")


def test_text_among_numbers_is_refused_with_its_line() -> None:
    text = refusal(["1", "2", "three"])
    states(text, "my.csv, column 'x'", "'three' in line 4 is not a number", "`categorical`")


@pytest.mark.parametrize("cell", ["1,5", "1.234.567", "1_000", "1 000", "\u0661"])
def test_what_looks_like_a_number_but_is_none_is_refused(cell: str) -> None:
    text = refusal(["a", "b", cell, "a", "b"])
    states(text, "column 'x'", f"{cell!r} in line 4 looks like a number", "`categorical`")


@pytest.mark.parametrize("cells", [[1.0, np.inf], ["1", "1e999"]])
def test_numbers_that_are_not_finite_are_refused(cells: list[Any]) -> None:
    states(refusal(cells), "column 'x'", "inf in line 3")


@pytest.mark.parametrize("cells", [[1, 2**53], [1, 2**63 + 1], [1, 10**30], [np.nan, 2.0**60]])
def test_whole_numbers_that_float64_would_change_are_refused(cells: list[Any]) -> None:
    states(refusal(cells), "column 'x'", "line 3", "2^53", "`ignore`")


@pytest.mark.parametrize("cells", [[np.nan, np.nan], ["NA", ""], [None, None]])
def test_a_column_without_values_is_refused(cells: list[Any]) -> None:
    states(refusal(cells), "column 'x': has no values", "`ignore`")
    if cells[0] != "NA":
        assert refusal(cells, categorical=("x",)) == refusal(cells)


def test_texts_that_all_differ_are_refused() -> None:
    states(refusal(["ann", "bob", "cyd"]), "column 'x'", "no two texts", "`ignore`")


def test_too_many_categories_are_refused() -> None:
    text = refusal([f"t{number % 300}" for number in range(600)])
    states(text, "column 'x'", "300 different texts", "256", "`ignore`")


def test_all_columns_that_are_no_features_are_reported() -> None:
    assert refused_by(read, {"x": [np.nan, 1, np.inf], "y": ["a", "b", "c"]}).count("\n") == 1


def test_no_more_than_ten_problems_are_reported() -> None:
    *messages, rest = refused_by(refuse, [f"p{number}" for number in range(13)]).splitlines()
    assert messages == [f"p{number}" for number in range(10)]
    states(rest, "3 more")


def test_features_that_are_too_large_are_refused_with_their_size() -> None:
    Room(32_032_000 + 77, 77).check(*dense("my.csv", 1000, 1000, 1))
    refused_by(Room(32_032_000 + 76, 77).check, *dense("my.csv", 1000, 1000, 1))
    text = refused_by(Room(4 * 10**9).check, *dense("my.csv", 804414, 47236, 103))
    states(text, "my.csv: 804414 examples of 47236 features and 103 outputs", "305 GB")
    states(text, "1.22e+03 GB", "limit of 4 GB", "`limit_gb`")


def test_the_size_after_one_hot_counts() -> None:
    columns = {f"c{n}": [f"t{row % 200}" for row in range(400)] for n in range(2)}
    states(refused_by(read, columns), "400 examples of 400 features and 1 output")


def test_many_names_are_cut() -> None:
    assert read({f"c{n}": [1, 2] for n in range(25)}).notes[0].endswith("c18, c19, ....")
