"""NPZ: headers before arrays, no objects, shapes that fit."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peaks import peak_of
from refused import refusal, states

from sweeps.data.registry import load, read_source
from sweeps.data.splits import Dataset, Preparation, prepare
from sweeps.data.table._features import COPIES
from sweeps.errors import DataError

X = np.arange(24, dtype=np.uint8).reshape(12, 2)
Y = np.arange(12) % 2

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads an NPZ file of given arrays, or of given bytes."""

    def read_it(content: dict[str, Any] | bytes, **parameters: Any) -> Dataset:
        path = tmp_path / "my.npz"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.savez_compressed(path, **content)
        return load(read_source({"path": "my.npz", **parameters}, folder=tmp_path))

    return read_it


def archive(packing: int = zipfile.ZIP_STORED, /, **members: bytes) -> bytes:
    """Return a ZIP file with these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return stream.getvalue()


def array_bytes(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), **options)
    return stream.getvalue()


def header_text(shape: str) -> bytes:
    """Return the header of an array of float64, whatever is written as its shape."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def test_arrays_become_a_dataset(read: Read) -> None:
    dataset = read({"X": X, "y": Y, "about": np.zeros(3)})
    np.testing.assert_array_equal(dataset.inputs, X)
    np.testing.assert_array_equal(dataset.labels, Y)
    aside, task, columns = dataset.notes
    states(columns, "2 columns of numbers")
    states(aside, "left aside", "'about'")
    states(task, "classification", "'y' holds 2 different whole numbers")


def test_arrays_are_found_by_their_names(read: Read) -> None:
    dataset = read({"data": X, "label": np.array(["a", "b"] * 6)}, inputs="data", target="label")
    assert dataset.classes == ("a", "b")
    assert dataset.target_names == ("label",)


@pytest.mark.parametrize("dtype", ["?", ">f4", "<u2", "f2", ">i8"])
def test_any_numbers_in_any_order_are_the_same_data(read: Read, dtype: str) -> None:
    inputs = (X % 2).astype(dtype)
    known = read({"X": X % 2, "y": Y}).fingerprint
    assert read({"X": np.asfortranarray(inputs), "y": Y.astype(">i4")}).fingerprint == known


def test_one_column_is_a_list_and_several_are_a_regression(read: Read) -> None:
    dataset = read({"X": X, "y": Y[:, None]})
    np.testing.assert_array_equal(dataset.labels, Y)
    states(dataset.notes[0], "y has one column")
    dataset = read({"X": X, "y": X / 7})
    assert dataset.target_names == ("y 1", "y 2")
    np.testing.assert_array_equal(dataset.targets, X / 7)


def test_one_hot_targets_are_refused_unless_they_are_values(read: Read) -> None:
    one_hot = {"X": X, "y": np.eye(2)[Y]}
    states(refusal(read, one_hot), "my.npz", "'y' is one-hot", "argmax", '`task = "regression"`')
    assert read(one_hot, task="regression").task == "regression"
    texts = {"X": X, "y": np.array([["a", "b"]] * 12)}
    states(refusal(read, texts), "one target column, not 2")


def test_missing_and_infinite_values_are_refused_or_filled(read: Read) -> None:
    inputs = X.astype(float)
    inputs[3, 1] = np.nan
    text = refusal(read, {"X": inputs, "y": Y}, missing="refuse")
    states(text, "my.npz", "1 value in 1 column: 'feature 2' (1, first in row 3, counted from 0)")
    assert read({"X": inputs, "y": Y}, missing="mean").missing == "mean"
    inputs[3, 1] = -np.inf
    text = refusal(read, {"X": inputs, "y": Y})
    states(text, "'feature 2'", "-inf in row 3, counted from 0", "`missing_markers`")


def test_arrays_that_are_not_there_are_reported_with_those_that_are(read: Read) -> None:
    states(refusal(read, {"x": X, "y": Y}), "no array 'X'", "'x', 'y'", "`inputs`")
    text = refusal(read, {"X": X, "labels": Y}, target="label")
    states(text, "no array 'label'", "'X', 'labels'", "`target`", "Did you mean 'labels'?")
    assert "Its arrays: none" in refusal(read, archive())
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("X", array_bytes(X))
        file.writestr("y.npy", array_bytes(Y))
    states(refusal(read, stream.getvalue()), "no array 'X'", "Its arrays: 'y';")


@pytest.mark.parametrize(
    ("inputs", "target"),
    [
        (np.zeros(12), Y),
        (np.zeros((12, 2, 2)), Y),
        (X, Y[:11]),
        (X, np.zeros((12, 1, 1))),
        (X, np.float64(3)),
    ],
)
def test_shapes_that_do_not_fit_are_reported(read: Read, inputs: Any, target: Any) -> None:
    text = refusal(read, {"X": inputs, "y": target})
    states(text, "my.npz", f"X is {inputs.shape} and y is {target.shape}", "example by feature")


def test_nothing_is_refused(read: Read) -> None:
    text = refusal(read, {"X": X[:0], "y": Y[:0]})
    states(text, "no examples", "X is (0, 2) and y is (0,)")


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        (X * 1j, "dtype complex128"),
        (X.astype("M8[s]"), "dtype datetime64[s]"),
        (X.astype("U2"), "dtype <U2"),
        (np.zeros(12, [("a", "f8")]), "dtype [('a', '<f8')]"),
    ],
)
def test_arrays_of_something_else_are_refused(read: Read, inputs: Any, what: str) -> None:
    text = refusal(read, {"X": inputs, "y": Y})
    states(text, f"'X' has {what}", "only numbers and flags")


def test_python_objects_are_refused_and_never_made(read: Read, tmp_path: Path) -> None:
    class Canary:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "fired"),)

    for array in (np.array([Canary()], dtype=object), np.array(["a", None], dtype=object)):
        content = archive(X=array_bytes(X), y=array_bytes(array, allow_pickle=True))
        states(refusal(read, content), "'y' has Python objects", "numbers, text and flags")
    raw = pickle.dumps(Canary())
    for content in (raw, archive(X=raw, y=raw)):
        assert refusal(read, content).startswith("my.npz is damaged, or no NPZ file: ")
    assert not (tmp_path / "fired").exists()


def test_a_header_that_claims_too_much_is_refused(read: Read) -> None:
    content = archive(X=header_text("(1000000, 1000000)"), y=array_bytes(Y))
    text = refusal(read, content)
    states(text, "'X' takes more memory than there is")
    content = archive(X=header_text("(10000, 1000)"), y=array_bytes(Y))
    states(refusal(read, content), "my.npz is damaged")


@pytest.mark.parametrize("shape", ["(-3, 2)", "(-2, -6)", "(True, 2)", "(False, 2)"])
def test_a_shape_that_is_none_is_refused(read: Read, shape: str) -> None:
    text = refusal(read, archive(X=header_text(shape), y=array_bytes(Y)))
    assert text.startswith("my.npz ")


@pytest.mark.parametrize(
    "shape", ["(1e3, 2)", "((1, 2), 2)", "[12, 2]", "('a', 2)", "(10**9, 2)", f"(0, {10**23})", "("]
)
def test_a_header_that_is_none_is_refused(read: Read, shape: str) -> None:
    assert refusal(read, archive(X=header_text(shape), y=array_bytes(Y))).startswith("my.npz ")


def test_a_header_of_python_2_is_read(read: Read) -> None:
    assert read(archive(X=header_text("(12L, 2)") + bytes(192), y=array_bytes(Y))).task


def test_small_numbers_that_grow_too_large_as_float64_are_refused(read: Read) -> None:
    text = refusal(read, {"X": np.zeros((1000, 100), np.uint8), "y": np.zeros(1000)}, limit_gb=2e-4)
    states(text, "'X'", "limit of 0.0002 GB")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_headers_of_all_versions_are_read(read: Read, version: tuple[int, int]) -> None:
    content = archive(X=array_bytes(X, version=version), y=array_bytes(Y))
    assert read(content).inputs.shape == (12, 2)


def test_damaged_files_are_refused(read: Read) -> None:
    good = io.BytesIO()
    np.savez(good, X=X, y=Y)
    content = good.getvalue()
    position = content.index(X.tobytes())
    flipped = content[:position] + b"\xff" + content[position + 1 :]
    for damaged in (b"nonsense", content[:-30], flipped):
        assert refusal(read, damaged).startswith("my.npz is damaged, or no NPZ file: ")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_any_flipped_byte_gives_data_or_a_message(read: Read, packing: int) -> None:
    content = archive(packing, X=array_bytes(X), y=array_bytes(Y))
    assert read(content).inputs.shape == (12, 2)
    for position in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        with suppress(DataError):
            read(bytes(damaged))


@pytest.mark.parametrize("missing", ["refuse", "mean"])
def test_reading_and_splitting_take_no_more_than_what_is_counted(read: Read, missing: str) -> None:
    items, features, classes = 10_000, 60, 20
    inputs = np.random.default_rng(0).normal(size=(items, features))
    if missing == "mean":
        inputs[::7, 3] = np.nan
    stream = io.BytesIO()
    np.savez(stream, X=inputs, y=np.arange(items) % classes)
    content = stream.getvalue()
    features += missing == "mean"  # whether a value is missing
    counted = len(content) + COPIES * items * (features + classes) * 8
    text = refusal(read, content, missing=missing, limit_gb=(counted - 1) / 1e9)
    states(text, "more than the limit")
    # The first reading imports what it needs.
    read({"X": X, "y": Y})

    def read_and_split() -> None:
        dataset = read(content, missing=missing, limit_gb=counted / 1e9)
        prepare(dataset, Preparation(0.2, 0.2, "standardise"), 1)

    _, peak = peak_of(read_and_split)
    # What the test holds itself, and what does not grow with the data.
    assert peak < counted + 2e6
