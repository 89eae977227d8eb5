"""Handing datasets over: what is found is what was given, or nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from faults import made

from sweeps.data.splits import Dataset
from sweeps.worker.dataset_cache import hand_over, handed_over


@pytest.mark.parametrize("labels", [True, False])
def test_what_is_found_is_what_was_given(tmp_path: Path, labels: bool) -> None:
    given = made() if labels else replace(made(), labels=None, notes=("one", "two"))
    hand_over(given, tmp_path)
    found = handed_over("made-fingerprint", tmp_path)
    assert found is not None
    for field in fields(Dataset):
        ours, theirs = getattr(given, field.name), getattr(found, field.name)
        if isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs)
            assert theirs.dtype == ours.dtype
            assert not theirs.flags.writeable
        else:
            assert theirs == ours
            assert type(theirs) is type(ours)


def test_what_was_not_given_is_not_found(tmp_path: Path) -> None:
    assert handed_over("made-fingerprint", tmp_path) is None
    assert handed_over("made-fingerprint", tmp_path / "missing") is None


def test_what_is_broken_is_not_found(tmp_path: Path) -> None:
    hand_over(made(), tmp_path)
    inputs = tmp_path / "made-fingerprint" / "inputs.npy"
    inputs.write_bytes(b"")
    assert handed_over("made-fingerprint", tmp_path) is None
    inputs.unlink()
    assert handed_over("made-fingerprint", tmp_path) is None


def test_failing_to_hand_over_leaves_nothing(tmp_path: Path) -> None:
    hand_over(made(), tmp_path / "missing")
    hand_over(made(), tmp_path)
    hand_over(made(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["made-fingerprint"]
    assert handed_over("made-fingerprint", tmp_path) is not None
