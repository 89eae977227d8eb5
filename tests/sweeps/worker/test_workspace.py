"""The workspace: made new for every session, but for checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import ResourceError
from sweeps.worker.workspace import Workspace


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


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / ".work").touch()
    with pytest.raises(ResourceError) as refused:
        Workspace(tmp_path / ".work").open()
    assert str(refused.value) == f"{tmp_path / '.work'} can't be written to: Not a directory."
