"""Features: kinds inferred from columns, categories one-hot, strangers refused with their line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from refused import refusal as refused_by
from refused import states

from sweeps.data.table._cells import MISSING_MARKERS, Markers, Reading, TableError
from sweeps.data.table._choices import refuse
from sweeps.data.table._features import (
    Features,
    Room,
    cells_of,
    dense,
    read_features,
    with_indicators,
)


def read(
    columns: dict[str, Any], *, categorical: tuple[str, ...] = (), keep: tuple[str, ...] = ()
) -> Features:
    frame, markers = pd.DataFrame(columns), Markers.of(MISSING_MARKERS)
    table = {
        name: cells_of(frame[name], categorical=name in categorical).without(markers)
        for name in columns
    }
    declared = frozenset((*categorical, *keep))
    reading = Reading("my.csv", lambda row: f"line {row + 2}", markers, ".", declared, 0.05)
    return read_features(table, reading)


def obstacle(cells: list[Any], **chosen: Any) -> TableError:
    """Return what keeps a column from being a feature."""
    columns = {"x": cells, "z": np.arange(len(cells)) / 7}
    (error,) = read(columns, **chosen).obstacles
    return error


def test_numbers_and_flags_are_numbers() -> None:
    features = read({"a": [1, 2], "b": [0.5, np.nan], "c": [True, False], "d": ["1", " 2e3 "]})
    np.testing.assert_array_equal(features.encoded(), [[1, 0.5, 1, 1], [2, np.nan, 0, 2000]])
    assert features.names == ("a", "b", "c", "d")
    assert features.groups.tolist() == [-1] * 4
    states(features.notes[0], "4 columns of numbers: a, b, c, d")


def test_text_is_one_hot_with_nan_where_missing() -> None:
    texts = {"c": ["u", "v", None, "u"] + ["u"] * 36, "d": ["x", "x", " ", "y"] + ["y"] * 36}
    features = read({"n": np.arange(40) / 7, **texts})
    assert features.names == ("n", "c=u", "c=v", "d=x", "d=y")
    assert features.groups.tolist() == [-1, 0, 0, 1, 1]
    gap = [np.nan, np.nan]
    np.testing.assert_array_equal(
        features.encoded()[:4, 1:], [[1, 0, 1, 0], [0, 1, 1, 0], [*gap, *gap], [1, 0, 0, 1]]
    )
    assert {name: rows.tolist() for name, rows in features.gaps().items()} == {"c": [2], "d": [2]}
    states(features.notes[0], "1 column of numbers: n")
    states(features.notes[1], "2 columns of categories", "c (2), d (2)")


def test_text_that_is_often_missing_has_a_category_for_it() -> None:
    features = read({"c": ["u", "v", "NA", "u"]})
    assert features.names == ("c=u", "c=v", "c=(missing)")
    assert features.encoded()[2].tolist() == [0, 0, 1]
    states(features.notes[1], "'c'", "25%")


def test_numbers_that_are_often_missing_have_a_feature_for_it() -> None:
    gaps = [*[None] * 3, *np.arange(37) / 7]
    seldom = [None, *np.arange(39) / 7]
    dates = [*[None] * 3, *["2024-02-03"] * 37]
    features = with_indicators(read({"x": gaps, "y": seldom, "z": gaps, "d": dates}))
    assert features.names[-1] == "x is missing"
    assert features.groups.tolist() == [-1] * 7 + [0]
    assert features.encoded()[:5, -1].tolist() == [1, 1, 1, 0, 0]


def test_declared_categories_are_some_whatever_they_hold() -> None:
    features = read({"zip": [10, 20, 10], "x": ["1", "2", "2"]}, categorical=("zip", "x"))
    assert features.names == ("zip=10", "zip=20", "x=1", "x=2")
    typed = read({"x": pd.Categorical(["1", "2", "1"])})
    assert typed.names == ("x=1", "x=2")


@pytest.mark.parametrize("marker", ["NA", "N/A", "NaN", "nan", "null", "None", "?", ".", "", " "])
def test_markers_are_missing_among_numbers_and_in_text(marker: str) -> None:
    features = read({"x": ["1", marker, "3"], "c": ["u", marker, "u"]})
    np.testing.assert_array_equal(features.encoded()[:, 0], [1, np.nan, 3])
    assert features.names[1:] == ("c=u", "c=(missing)")


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["$1,234.56", "$7", "-$0.5"], [1234.56, 7, -0.5]),
        (["1.234,56 €", "7 €", "0,5 €"], [1234.56, 7, 0.5]),
        (["12%", "7.5 %", "-3%"], [12, 7.5, -3]),
        (["1,234", "7", "12,345,678"], [1234, 7, 12345678]),
        (["1 234,5", "7", "1\u202f000"], [1234.5, 7, 1000]),
        (["EUR 1'000.5", "EUR 7", "8"], [1000.5, 7, 8]),
        (["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        (["1.234.567", "89", "1.000"], [1234567, 89, 1]),
    ],
)
def test_numbers_as_people_write_them_are_numbers_and_noted(
    cells: list[str], numbers: list[float]
) -> None:
    features = read({"x": [*cells, "NA"]})
    np.testing.assert_array_equal(features.encoded()[:, 0], [*numbers, np.nan])
    states(features.notes[1], "'x'", "is read as the number")


@pytest.mark.parametrize("cells", [["$1", "€2", "$1"], ["1,5", "2.5", "x", "x"]])
def test_units_and_signs_that_differ_are_no_numbers(cells: list[str]) -> None:
    assert all(group == 0 for group in read({"x": cells * 2}).groups)


@pytest.mark.parametrize(
    ("cells", "parts", "first"),
    [
        (["2024-02-29", "2023-01-01"], "year month day-of-week days", [2024, 2, 3, 738945]),
        (["02/29/2024", "01/01/2023"], "year month day-of-week days", [2024, 2, 3, 738945]),
        (["29.02.2024", "1.1.2023"], "year month day-of-week days", [2024, 2, 3, 738945]),
        (
            ["2024-02-29 06:00", "2023-01-01"],
            "year month day-of-week hour days",
            [2024, 2, 3, 6, 738945.25],
        ),
        (["Feb 29, 2024", "Jan 1, 2023"], "year month day-of-week days", [2024, 2, 3, 738945]),
    ],
)
def test_dates_become_numbers(cells: list[str], parts: str, first: list[float]) -> None:
    features = read({"d": [*cells, None]})
    assert features.names == tuple(f"d {part.replace('-', ' ')}" for part in parts.split())
    assert features.encoded()[0].tolist() == first
    assert np.isnan(features.encoded()[2]).all()
    states(features.notes[1], "'d'", "dates", "`ignore`")
    typed = read({"d": pd.to_datetime(["2024-02-29", "2023-01-01"])})
    assert typed.encoded()[0].tolist() == [2024, 2, 3, 738945]


def test_text_with_a_few_numbers_is_categories() -> None:
    features = read({"x": ["a", "b", "7", "a", "b", "7", "8.5"]})
    assert features.names == ("x=7", "x=8.5", "x=a", "x=b")
    states(features.notes[1], "'x'", "numbers and text")


def test_words_among_numbers_are_refused_with_their_line_and_may_be_missing() -> None:
    error = obstacle(["1", "2", "three"])
    states(str(error), "my.csv, column 'x'", "'three' in line 4 is not a number")
    assert error.remedy == {"missing_markers": ("three",)}


@pytest.mark.parametrize("cell", ["1_000", "0x10", "\u0661", "1,5,5"])
def test_what_looks_like_a_number_but_is_none_is_refused(cell: str) -> None:
    error = obstacle(["1", "2", "3", cell])
    states(str(error), "column 'x'", f"{cell!r} in line 5")


@pytest.mark.parametrize("cells", [[1.0, np.inf, 2.0], ["1", "1e999", "2"]])
def test_numbers_that_are_not_finite_are_refused(cells: list[Any]) -> None:
    error = obstacle(cells)
    states(str(error), "column 'x'", "inf in line 3")
    assert error.remedy == {"missing_markers": ("inf",)}


@pytest.mark.parametrize("cells", [[1, 2**53], [1, 2**63 + 1], [1, 10**30], [np.nan, 2.0**60]])
def test_whole_numbers_that_float64_would_change_are_refused(cells: list[Any]) -> None:
    error = obstacle(cells)
    states(str(error), "column 'x'", "line 3", "2^53")
    assert error.remedy == {"ignore": ("x",)}


@pytest.mark.parametrize("cells", [[np.nan, np.nan], ["NA", ""], [None, None]])
def test_a_column_without_values_is_left_out(cells: list[Any]) -> None:
    for categorical in ((), ("x",)):
        features = read({"x": cells, "z": [1.0, 2.0]}, categorical=categorical)
        assert features.names == ("z",)
        states(features.notes[-1], "'x'", "left out", "no values")
    assert "no column that can be a feature" in str(read({"x": cells}).obstacles[-1])


def test_nothing_is_advised_where_no_column_can_be_a_feature() -> None:
    first, last = read({"x": [2**60, 3]}).obstacles
    assert first.remedy == last.remedy == {}
    states(str(first), "2^53")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("id", [3, 1, 2]),
        ("PassengerId", [3, 1, 2]),
        ("rownames", [30, 10, 20]),
        ("Number", np.random.default_rng(0).permutation(30)),
        ("a", np.random.default_rng(0).choice(10**6, 300, replace=False)),
        ("a", [f"p{n}" for n in range(3)]),
        ("a", [f"p{n % 15}" if n < 15 else f"q{n}" for n in range(40)]),
    ],
)
def test_what_identifies_examples_is_left_out_and_kept_on_request(name: str, cells: Any) -> None:
    columns = {name: cells, "x": np.arange(len(cells)) / 7}
    features = read(columns)
    assert features.names == ("x",)
    states(features.notes[-1], name, "eft out", "`keep")
    assert [column.name for column in read(columns, keep=(name,)).columns] == [name, "x"]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("x", np.arange(12)),  # too few to tell
        ("year", np.arange(1950, 1990)),
        ("population", (np.random.default_rng(0).lognormal(10, 2, 60)).astype(int)),
        ("id", [1, 1, 2]),
        ("id", [1.5, 2, 3]),
        ("id", [1, None, 3]),
    ],
)
def test_numbers_that_measure_are_features(name: str, cells: Any) -> None:
    assert read({name: cells, "z": np.arange(len(cells)) / 7}).names == (name, "z")


def test_an_identifier_that_is_all_there_is_stays() -> None:
    assert read({"id": [1, 2, 3]}).names == ("id",)


def test_free_text_can_not_be_kept() -> None:
    texts = [f"text {n}" for n in range(300)]
    features = read({"x": texts, "z": np.arange(300) / 7})
    states(features.notes[-1], "'x'", "300 different texts")
    assert "`keep`" not in features.notes[-1]


def test_too_many_categories_are_refused() -> None:
    error = obstacle([f"t{number % 300}" for number in range(600)])
    states(str(error), "column 'x'", "300 different texts", "256")
    assert error.remedy == {"ignore": ("x",)}


@pytest.mark.parametrize("sentinel", [-999, 9999, -99.0])
def test_sentinels_are_noted(sentinel: float) -> None:
    features = read({"x": [0.5, 3, sentinel, 2.5, sentinel]})
    states(
        features.notes[-1], "'x'", f"{sentinel:g} occurs 2 times", "0.5 to 3", "`missing_markers`"
    )


@pytest.mark.parametrize("cells", [[0, 99, 60, 30, 90], [-999, -999], [1, 2, 500], [99, 98, 97]])
def test_numbers_among_their_like_are_no_sentinels(cells: list[int]) -> None:
    assert not any("occurs" in note for note in read({"x": cells, "y": [*map(float, cells)]}).notes)


def test_all_columns_that_are_no_features_are_told() -> None:
    features = read({"x": [1, 2, np.inf, 3], "y": ["1", "2", "3", "b"]})
    assert [error.remedy["missing_markers"] for error in features.obstacles] == [("inf",), ("b",)]


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


def test_many_names_are_cut() -> None:
    assert read({f"c{n}": [1, 2] for n in range(25)}).notes[0].endswith("c18, c19, ....")
