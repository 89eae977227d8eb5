"""Data of a program: kept as a file that means the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refused import refusal, states

from sweeps.data.in_memory import in_memory
from sweeps.data.registry import load, read_source
from sweeps.errors import UsageError

X, Y = np.arange(120.0).reshape(40, 3) % 7, np.arange(40) % 2


def loaded(folder: Path, data: object, target: object = None):  # noqa: ANN201
    kept = in_memory(data, target)
    assert kept is not None
    return load(read_source(kept.kept(folder), folder=folder))


def test_arrays_are_kept_as_they_are(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, (X, Y))
    np.testing.assert_array_equal(dataset.inputs, X)
    np.testing.assert_array_equal(dataset.targets.argmax(axis=1), Y)
    assert in_memory((X, Y)) == in_memory((X.copy(), Y.copy()))


def test_a_frame_keeps_its_names(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=np.where(Y, "no", "yes"))
    for data, target in ((frame, "kind"), ((frame.drop(columns="kind"), frame["kind"]), None)):
        dataset = loaded(tmp_path, data, target)
        assert dataset.feature_names == ("a", "b", "c")
        assert dataset.classes == ("no", "yes")


def test_several_targets_are_a_regression(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    dataset = loaded(tmp_path, frame, ["b", "c"])
    assert dataset.targets.shape == (40, 2)


def test_what_is_named_is_no_data_in_memory() -> None:
    for named in ("digits", "my.csv", Path("my.csv"), {"name": "moons"}):
        assert in_memory(named) is None


@pytest.mark.parametrize("target", [None, "d", ["a", "d"], 3])
def test_a_frame_needs_its_target(target: object) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    states(refusal(in_memory, frame, target, error=UsageError), "target", "a, b, c", target)


def test_anything_else_is_refused() -> None:
    states(refusal(in_memory, 5, error=UsageError), "dataset", "int", "DataFrame")
