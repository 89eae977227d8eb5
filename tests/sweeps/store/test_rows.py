"""Rows of the store: what they are made of, and digests that show every change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import failure, other, outcome, trials

from sweeps.store._schema import columns_of
from sweeps.store.rows import (
    MOST_ERROR,
    curve_bytes,
    digest_of,
    points_of,
    real,
    row_of,
    same_result,
    storable,
    strict,
)
from sweeps.worker.train import CURVE_WIDTH

TRIAL = trials(1)[0]
ROW = row_of(TRIAL, outcome(TRIAL))

values = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()


def test_a_row_has_every_column_but_its_digest() -> None:
    assert set(ROW) == set(columns_of("trials")[:-1])


@given(st.lists(values, min_size=1), st.data())
def test_a_digest_shows_every_change(row: list[object], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(row) - 1))
    changed = [*row]
    changed[index] = data.draw(values.filter(lambda value: repr(value) != repr(row[index])))
    assert digest_of(row) == digest_of([*row])
    assert digest_of(changed) != digest_of(row)


@given(st.lists(st.lists(st.floats(width=64), min_size=CURVE_WIDTH, max_size=CURVE_WIDTH)))
def test_curves_keep_every_bit(rows: list[list[float]]) -> None:
    curve = np.array(rows, dtype=float).reshape(-1, CURVE_WIDTH)
    assert points_of(curve_bytes(curve)).tobytes() == curve.tobytes()


@pytest.mark.parametrize("dtype", ["float32", ">f8", "int64"])
def test_curves_are_stored_alike_from_every_type(dtype: str) -> None:
    curve = np.arange(2 * CURVE_WIDTH).reshape(2, CURVE_WIDTH)
    assert curve_bytes(curve.astype(dtype)) == curve_bytes(curve.astype(float))
    assert curve_bytes(np.asfortranarray(curve)) == curve_bytes(curve)


def test_numbers_are_kept_as_sqlite_keeps_them() -> None:
    assert real(np.nan) is None
    assert str(real(-0.0)) == "0.0"
    assert real(-np.inf) == -np.inf


def test_text_that_cannot_be_stored_is_escaped() -> None:
    assert storable("a\udc80\x00ü") == "a\\udc80\x00ü"


def test_of_a_very_long_error_both_ends_are_kept() -> None:
    text = "start" + "x" * MOST_ERROR + "the end"
    kept = storable(text)
    assert kept.startswith("startxxx")
    assert kept.endswith("xxxthe end")
    assert "\n[12 characters left out]\n" in kept


def test_results_agree_to_the_bit_or_not_at_all() -> None:
    assert same_result(ROW, row_of(TRIAL, outcome(TRIAL, train_seconds=3.0)))
    for changed in (other(TRIAL, 1e-15), outcome(TRIAL, updates=9), outcome(TRIAL, test_loss=0.1)):
        assert not same_result(ROW, row_of(TRIAL, changed))


def test_strict_json_has_no_numbers_that_are_not_finite() -> None:
    values = {np.nan: None, np.inf: "inf", -np.inf: "-inf", 0.5: 0.5, "x": "x", None: None}
    assert {value: strict(value) for value in values} == values


def test_a_failure_has_a_row_without_a_curve() -> None:
    row = row_of(TRIAL, failure(TRIAL, "crashed", "signal 9"))
    assert (row["status"], row["error"], row["curve"]) == ("crashed", "signal 9", b"")
