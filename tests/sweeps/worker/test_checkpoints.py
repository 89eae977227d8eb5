"""Checkpoints: whole or not at all, and of no other cohort."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from faults import cohort

from sweeps.design.trials import Cohort
from sweeps.worker.checkpoints import (
    checkpoint_path,
    read_checkpoint,
    remove_checkpoints,
    unfinished_cohorts,
    write_checkpoint,
)

STATE = {"parameters": np.arange(6.0).reshape(2, 3), "examples": np.array(40)}


def names(of: Cohort) -> list[str]:
    return [trial.identity for trial in of.trials]


def keep(folder: Path, of: Cohort) -> Path:
    path = checkpoint_path(folder, names(of))
    write_checkpoint(path, names(of), STATE)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = keep(tmp_path, cohort(0.1, 0.2))
    state = read_checkpoint(path, names(cohort(0.1, 0.2)))
    assert state is not None
    assert state.keys() == STATE.keys()
    np.testing.assert_array_equal(state["parameters"], STATE["parameters"])
    assert list(tmp_path.iterdir()) == [path]


def test_every_cohort_has_a_file_of_its_own() -> None:
    cohorts = [cohort(0.1), cohort(0.2), cohort(0.1, 0.2), cohort(0.2, 0.1)]
    cohorts.append(cohort(0.1, seeds=(2, 1)))
    assert len({checkpoint_path(Path(), names(members)) for members in cohorts}) == len(cohorts)


@pytest.mark.parametrize("length", range(0, 900, 60))
def test_a_torn_checkpoint_is_none(tmp_path: Path, length: int) -> None:
    path = keep(tmp_path, cohort(0.1))
    content = path.read_bytes()
    assert len(content) > 900
    path.write_bytes(content[:length])
    assert read_checkpoint(path, names(cohort(0.1))) is None
    assert unfinished_cohorts(tmp_path, cohort(0.1).trials) == []


def test_a_damaged_checkpoint_is_none_or_whole(tmp_path: Path) -> None:
    path = keep(tmp_path, cohort(0.1))
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        state = read_checkpoint(path, names(cohort(0.1)))
        if state is not None:
            np.testing.assert_array_equal(state["parameters"], STATE["parameters"])


def test_another_cohorts_checkpoint_is_none(tmp_path: Path) -> None:
    path = keep(tmp_path, cohort(0.1))
    assert read_checkpoint(path, names(cohort(0.2))) is None
    assert read_checkpoint(tmp_path / "missing.npz", names(cohort(0.2))) is None
    np.savez(path, parameters=np.ones(2))
    assert read_checkpoint(path, names(cohort(0.1))) is None


def test_failing_to_write_leaves_nothing_and_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder.npz"
    path.mkdir()
    (path / "full").touch()
    write_checkpoint(path, ["a"], STATE)
    write_checkpoint(tmp_path / "missing" / "one.npz", ["a"], STATE)
    assert list(tmp_path.iterdir()) == [path]


def test_a_cut_cohort_is_planned_again_as_it_was(tmp_path: Path) -> None:
    cut = cohort(0.2, 0.1, seeds=(5, 3))
    keep(tmp_path, cut)
    wanted = [*cohort(0.1, 0.2, 0.3, seeds=(3, 5, 7)).trials]
    assert unfinished_cohorts(tmp_path, wanted) == [cut]
    assert unfinished_cohorts(tmp_path, wanted[:3]) == []
    assert unfinished_cohorts(tmp_path / "missing", wanted) == []


def test_no_trial_is_planned_twice_nor_by_a_renamed_checkpoint(tmp_path: Path) -> None:
    first, second = (keep(tmp_path, cohort(*rates)) for rates in ((0.1, 0.2), (0.2, 0.3)))
    assert len(unfinished_cohorts(tmp_path, cohort(0.1, 0.2, 0.3).trials)) == 1
    first.unlink()
    second.rename(tmp_path / "renamed.npz")
    assert unfinished_cohorts(tmp_path, cohort(0.2, 0.3).trials) == []


def test_only_what_can_be_gone_on_from_is_kept(tmp_path: Path) -> None:
    kept = keep(tmp_path, cohort(0.1))
    done = keep(tmp_path, cohort(0.2, 0.3))
    torn = tmp_path / "torn.npz"
    torn.write_bytes(b"PK")
    half = tmp_path / f".{kept.name}.{os.getpid()}"
    half.touch()
    remove_checkpoints(tmp_path, names(cohort(0.3)))
    assert list(tmp_path.iterdir()) == [kept]
    assert not done.exists()
