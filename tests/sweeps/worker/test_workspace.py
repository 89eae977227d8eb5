"""The workspace: new in every session, but for checkpoints; datasets found in it as they were."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from faults import made
from refused import refusal, states

from sweeps.data.splits import Dataset
from sweeps.errors import ResourceError
from sweeps.worker.workspace import Workspace, hand_over, handed_over


def test_only_checkpoints_outlive_a_session(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / ".work")
    workspace.open()
    workspace.started.write_text("1 2\n")
    (workspace.data / "old").mkdir()
    (workspace.checkpoints / "one.npz").touch()
    workspace.open()
    assert workspace.started.read_text() == ""
    assert not list(workspace.data.iterdir())
    assert (workspace.checkpoints / "one.npz").exists()
    workspace.close()
    assert [path.name for path in workspace.folder.iterdir()] == ["checkpoints"]
    (workspace.checkpoints / "one.npz").unlink()
    workspace.close()
    assert not list(tmp_path.iterdir())


def test_only_what_a_session_made_is_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / ".work")
    workspace.open()
    (workspace.checkpoints / "letter.txt").write_text("dear")
    workspace.close()
    assert (workspace.checkpoints / "letter.txt").read_text() == "dear"


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path: Path) -> None:
    path = tmp_path / ".work"
    path.touch()
    text = refusal(Workspace(path).open, error=ResourceError)
    states(text, path, "Not a directory.")


@pytest.mark.parametrize("labels", [True, False])
def test_what_is_found_is_what_was_given(tmp_path: Path, labels: bool) -> None:
    given = made() if labels else replace(made(), labels=None, notes=("one", "two"))
    hand_over(given, tmp_path)
    cached = handed_over("made-fingerprint", tmp_path)
    assert cached is not None
    for field in fields(Dataset):
        ours, theirs = getattr(given, field.name), getattr(cached, field.name)
        if isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs)
            assert theirs.dtype == ours.dtype
            assert not theirs.flags.writeable
        else:
            assert theirs == ours
            assert type(theirs) is type(ours)


def test_what_was_not_given_or_is_broken_is_not_found(tmp_path: Path) -> None:
    assert handed_over("made-fingerprint", tmp_path) is None
    assert handed_over("made-fingerprint", tmp_path / "missing") is None
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
