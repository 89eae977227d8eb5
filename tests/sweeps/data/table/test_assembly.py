"""Tables: what is missing is refused, dropped or left to be filled; leaks are noted."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import refusal as refused_by
from refused import states

from sweeps.data.splits import Dataset
from sweeps.data.table import _assembly
from sweeps.data.table._assembly import from_frame
from sweeps.data.table._cells import MISSING_MARKERS
from sweeps.data.table._choices import TableParameters
from sweeps.errors import DataError

COLUMNS: dict[str, Any] = {
    "x": [float(number) for number in range(12)],
    "c": ["u", "v", "w"] * 4,
    "y": ["a", "a", "b", "b"] * 3,
}


def read(changes: dict[str, Any] | None = None, **chosen: Any) -> Dataset:
    frame = pd.DataFrame(COLUMNS | (changes or {}))
    parameters = TableParameters(**{"target": ("y",), **chosen})
    return from_frame("my.csv", frame, parameters)


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


def keys_of(error: str) -> dict[str, Any]:
    """Return the keys that a message ends with."""
    last = error.splitlines()[-1]
    assert last.startswith("Go on with the keys: ")
    pairs = last.removeprefix("Go on with the keys: ")
    keys: dict[str, Any] = tomllib.loads(f"keys = {{{pairs}}}")["keys"]
    return keys


def test_several_targets_are_a_regression() -> None:
    dataset = read({"z": np.arange(12) / 7}, target=("x", "z"))
    assert dataset.task == "regression"
    assert dataset.target_names == ("x", "z")
    assert dataset.targets[3].tolist() == [3, 3 / 7]


def test_ignored_columns_are_left_out() -> None:
    assert read(ignore=("c",)).feature_names == ("x",)


def test_columns_that_are_not_there_are_told_all_at_once() -> None:
    text = refusal(target=("yy",), ignore=("q",), categorical=("cc",))
    target, ignore, rest, _ = text.split("\n")
    states(target, "my.csv: `target` names 'yy'", "Did you mean 'y'?")
    states(ignore, "`ignore` names 'q'", "Columns: x, c, y")
    states(rest, "`categorical` names 'cc'")
    assert keys_of(text) == {"target": "y"}


def test_columns_are_known_by_position_and_in_another_case() -> None:
    dataset = read(target=(3,), ignore=("X",))
    assert dataset.target_names == ("y",)
    assert dataset.feature_names == ("c=u", "c=v", "c=w")
    states(dataset.notes[0], "`target`", "'3'", "'y'")
    states(dataset.notes[1], "`ignore`", "'X'", "'x'")
    assert read({"3": [1.5, 2.5, 7] * 4}, target=("3",)).target_names == ("3",)


@pytest.mark.parametrize(("name", "guess"), [("Class", "Class"), ("other", "last")])
def test_without_a_target_the_columns_are_listed_with_a_guess(name: str, guess: str) -> None:
    columns = {name: COLUMNS["y"], "last": COLUMNS["y"], "x": COLUMNS["x"]}
    del columns["x"]
    frame = pd.DataFrame({"x": COLUMNS["x"], **columns})
    text = refused_by(from_frame, "my.csv", frame, TableParameters())
    states(text, "`target`", f"x, {name}, last")
    assert keys_of(text) == {"target": guess}


def test_a_target_is_neither_ignored_nor_a_feature() -> None:
    text = refusal(ignore=("y", "c"), categorical=("y",), keep=("c",))
    states(
        text, "`ignore` and `target`", "`categorical` and `target`", "`keep` and `ignore`", "'c'"
    )
    assert keys_of(text) == {"target": "y", "ignore": "c"}


def test_a_table_without_features_is_refused() -> None:
    text = refusal(ignore=("x", "c"))
    states(text, "my.csv has no columns but the target and ignored ones")
    assert keys_of(text) == {"target": "y"}
    states(refusal(target=("x", "c", "y")), "my.csv", "no columns but the target")


RARE = {"y": ["a", "a", "b", "b"] * 2 + ["a", "b", "c", "d"]}
INFINITE = {"i": [np.inf, *map(float, range(11))]}
CITIES = [f"t{n % 300}" for n in range(600)]
OBSTACLES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"target": ()}),
    ({}, {"target": ("yy",), "ignore": ("q",)}),
    ({}, {"ignore": ("y",), "keep": ("y", "zz")}),
    ({}, {"ignore": ("x", "c")}),
    (RARE, {}),
    ({"y": ["a"] * 9 + ["b", "c", "d"]}, {}),
    ({"y": [*map(str, np.arange(11) / 7), "three"]}, {}),
    ({"y": [*map(str, np.arange(11) / 7), "three"]}, {"task": "regression"}),
    ({"y": ["a", *map(str, np.arange(11))]}, {"task": "regression"}),
    ({"y": ["a", "b"] * 6}, {"task": "regression"}),
    ({}, {"target": ("x", "y"), "task": "classification"}),
    ({"y": COLUMNS["x"]}, {"target": ("x", "y"), "task": "classification"}),
    ({"y": [*"abcabcabcabc"]}, {"target": ("x", "y")}),
    ({"x": [None, *range(11)]}, {"missing": "refuse"}),
    ({"x": [None, 1.5] * 6, "z": [1.5, None] * 6}, {"missing": "drop"}),
    ({"y": [None, *["a", "b", "b"] * 3, "a", "b"]}, {"missing_target": "refuse"}),
    (INFINITE, {}),
    ({"i": ["-inf", "inf", *map(str, range(10))]}, {}),
    ({"i": [2**60] * 12}, {}),
    ({"i": ["1_0", *map(str, range(11))]}, {}),
    ({"i": ["word", *map(str, range(11))]}, {"missing_markers": ()}),
    ({"x": np.arange(600.0), "c": CITIES, "y": ["a", "b"] * 300}, {}),
    ({"x": np.arange(600.0), "c": CITIES, "y": ["a", "b"] * 300}, {"keep": ("c",)}),
    (RARE | INFINITE | {"d": ["1_0", *map(str, range(11))]}, {"target": ("yy",), "keep": ("q",)}),
]


@pytest.mark.parametrize(("columns", "chosen"), OBSTACLES)
def test_the_keys_that_a_message_ends_with_are_taken(
    columns: dict[str, Any], chosen: dict[str, Any]
) -> None:
    text = refusal(columns, **chosen)
    named = {*re.findall(r"`(\w+)(?: = [^`]*)?`", text)}
    keys = keys_of(text)
    assert keys != chosen
    # One key goes on, whichever others a line names beside it.
    assert named & (keys.keys() | chosen.keys()) or not named
    read(columns, **keys)


CELLS = ("", "NA", "a", "b", "1", "2.5", "-999", "inf", "$3", "12%", "1,5", "1.234,5", "2024-02-29")
WHOLE = (*CELLS, "1e999", str(2**60), "\u0661", "True", "1_0", "0")


@settings(deadline=None)
@given(data=st.data())
def test_whatever_a_table_holds_the_keys_go_on_until_there_are_none(data: st.DataObject) -> None:
    rows = data.draw(st.integers(2, 30))
    column = st.lists(st.sampled_from(WHOLE), min_size=1, max_size=4).flatmap(
        lambda few: st.lists(st.sampled_from(few), min_size=rows, max_size=rows)
    )
    columns = data.draw(st.fixed_dictionaries(dict.fromkeys(("x", "id", "y"), column)))
    keys: dict[str, Any] = {"missing": data.draw(st.sampled_from(("median", "refuse", "drop")))}
    keys |= data.draw(st.sampled_from(({"target": "y"}, {}, {"target": "yy"}, {"ignore": "q"})))
    frame = pd.DataFrame(columns)
    for _ in range(6):
        try:
            from_frame("my.csv", frame, TableParameters(**keys))
        except DataError as error:
            if "Go on with the keys" not in str(error):
                return  # the table itself can't be learned
            keys = keys_of(str(error))
        else:
            return
    raise AssertionError(keys)


def test_all_obstacles_of_all_kinds_are_told_at_once() -> None:
    text = refusal(*OBSTACLES[-1][:1], **OBSTACLES[-1][1])
    states(text, "`target` names 'yy'", "`keep` names 'q'", "2 classes", "'i'", "'d'")
    assert keys_of(text) == {
        "target": "y",
        "rare": "drop",
        "missing_markers": [*MISSING_MARKERS, "inf"],
        "ignore": "d",
    }


def test_a_refusal_has_the_options_of_the_command_line() -> None:
    with pytest.raises(DataError) as refused:
        read(target=("yy",), ignore=("x", "q"), keep=("z",), task="classification")
    expected = {"--target=y", "--task=classification", "--ignore=x"}
    assert {*refused.value.options} == expected


def test_missing_values_are_refused_by_choice() -> None:
    text = refusal(with_gaps("x", 3, 5) | with_gaps("c", 4), missing="refuse")
    states(text, "3 values in 2 columns", "'x' (2, first in row 4), 'c' (1, first in row 5)")
    assert keys_of(text) == {"target": "y", "missing": "median"}


def test_long_lists_of_gaps_are_cut() -> None:
    gaps = {f"g{number}": with_gaps("x", number)["x"] for number in range(7)}
    states(refusal(gaps, missing="refuse"), "'g4' (1, first in row 5), ....")
    states(" ".join(read(gaps).notes), "g4 (1), ....")


def test_gaps_alone_refuse_nothing() -> None:
    dataset = read(with_gaps("x", 3) | with_gaps("c", 4))
    assert dataset.missing == "median"
    assert dataset.feature_names[-2:] == ("c=(missing)", "x is missing")
    assert np.isnan(dataset.inputs).sum() == 1
    states(" ".join(dataset.notes), "numbers by the median", "x (1)")


def test_missing_may_be_a_category_of_its_own() -> None:
    columns = {key: cells * 10 for key, cells in (COLUMNS | with_gaps("c", 4)).items()}
    columns["c"] = [*columns["c"][:12], *COLUMNS["c"] * 9]
    assert read(columns).feature_names == ("x", "c=u", "c=v", "c=w")
    assert read(columns, missing="category").feature_names[-1] == "c=(missing)"
    assert read(columns, missing="category").missing == ""
    numbers = read(columns | {"x": [None, *columns["x"][1:]]}, missing="category")
    assert numbers.missing == "median"


def test_examples_with_gaps_are_dropped_by_choice() -> None:
    dataset = read(with_gaps("x", 3) | with_gaps("y", 0, 1), missing="drop")
    assert dataset.inputs[:, 0].tolist() == [2, *range(4, 12)]
    assert dataset.missing == ""
    states(dataset.notes[0], "Dropped 2 of 12 examples without a target")
    states(dataset.notes[3], "Dropped 1 of 10 examples that miss a value")


def test_values_of_a_regression_are_dropped_with_their_examples() -> None:
    dataset = read(with_gaps("x", 3), target=("x",), task="regression")
    assert dataset.targets[:, 0].tolist() == [0, 1, 2, *range(4, 12)]
    assert dataset.missing == ""


def test_lines_are_those_of_the_file_though_examples_are_dropped() -> None:
    changes = with_gaps("y", 0, 1) | {"i": [*map(float, range(11)), np.inf]}
    states(refusal(changes), "inf in row 12")


@pytest.mark.parametrize("how", ["mean", "median", "most_frequent"])
def test_gaps_stay_to_be_filled_from_the_training_part(how: str) -> None:
    dataset = read(with_gaps("x", 3), missing=how)
    assert dataset.missing == how
    assert np.isnan(dataset.inputs).sum() == 1
    states(" ".join(dataset.notes), f"numbers by the {how.replace('_', ' ')}", "x (1)")


def test_a_choice_for_gaps_changes_nothing_where_there_are_none() -> None:
    assert read(missing="mean").fingerprint == read().fingerprint


def test_other_markers_replace_the_usual_ones() -> None:
    changes = {"x": [-999.0, *COLUMNS["x"][1:]], "y": ["NA", "a", "b"] * 4}
    assert read(changes).classes == ("a", "b")
    dataset = read(changes, missing_markers=[-999])
    assert dataset.classes == ("NA", "a", "b")
    assert np.isnan(dataset.inputs[0, 0])


def test_rare_classes_are_refused_dropped_or_merged_by_choice() -> None:
    text = refusal(RARE)
    states(text, "2 classes of fewer than 3 examples", "'c' (1)", "'d' (1)", "drop", "merge")
    dataset = read(RARE, rare="drop")
    assert dataset.classes == ("a", "b")
    assert len(dataset.inputs) == 10
    states(dataset.notes[0], "Dropped 2 of 12 examples", "'c' (1), 'd' (1)")
    assert read(RARE, rare="merge").fingerprint == dataset.fingerprint
    assert read(rare="drop").fingerprint == read(rare="merge").fingerprint == read().fingerprint


def test_nothing_is_advised_where_all_classes_but_one_are_too_rare() -> None:
    text = refusal({"y": ["a"] * 10 + ["b", "c"]})
    states(text, "2 classes of fewer than 3")
    assert "rare =" not in text


def test_rare_classes_become_one() -> None:
    labels = ["a", "a", "a", "a", "other", "other", "other", "other", "c", "c", "d", "e"]
    dataset = read({"y": labels}, rare="merge")
    assert dataset.classes == ("a", "other", "(other)")
    assert dataset.labels is not None
    assert dataset.labels[-5:].tolist() == [1, 2, 2, 2, 2]
    states(dataset.notes[0], "'(other)'", "'c' (2), 'd' (1), 'e' (1)")


def test_copies_are_noted() -> None:
    copies = {"x": [1.0, 2.0, 3.0] * 4}
    states(read(copies).notes[-1], "9 of 12 examples repeat", "earlier one")


def leaks(changes: dict[str, Any]) -> list[str]:
    """Return what is noted of columns that give the target away."""
    return [note for note in read(changes).notes if "Is it known beforehand?" in note]


def test_a_column_that_is_the_target_is_noted() -> None:
    (note,) = leaks({"leak": [7, 7, 3, 3] * 3})
    states(note, "'leak' determines the target and is determined by it")
    values = np.arange(12) / 7
    states(" ".join(leaks({"leak": values, "y": values})), "'leak'")


def test_a_column_that_determines_the_target_is_noted() -> None:
    (note,) = leaks({"leak": ["u", "v", "w", "w"] * 3})
    states(note, "'leak' determines the target")
    assert "by it" not in note


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_column_that_alone_predicts_as_well_as_all_is_noted(task: str) -> None:
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, 400))
    columns = {"x": noise, "c": ["u", "v"] * 200, "leak": signal}
    goal = signal + rng.normal(scale=0.01, size=400)
    target = np.where(goal > 0, "a", "b") if task == "classification" else goal
    (note,) = leaks(columns | {"y": target})
    states(note, "'leak' alone predicts")
    assert not leaks(columns | {"leak": noise, "y": target})


def test_large_tables_are_not_searched_for_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_assembly, "SEARCHED_CELLS", 10)
    assert not leaks({"leak": [7, 7, 3, 3] * 3})


def test_the_size_after_one_hot_counts() -> None:
    texts = [f"t{row % 200}" for row in range(400)]
    columns = {"x": [1.5] * 400, "c": texts, "z": texts, "y": ["a", "b"] * 200}
    text = refusal(columns, limit_gb=0.005)
    states(text, "400 examples of 401 features and 2 outputs", "limit of 0.005 GB")
