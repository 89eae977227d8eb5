"""Executors by name, and what goes together."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeps.errors import UsageError
from sweeps.run import backends
from sweeps.run.backends import BACKENDS, jobs_of, opened
from sweeps.run.executors import LokyExecutor, SequentialExecutor, ThreadingExecutor
from sweeps.worker.workspace import Workspace

KINDS = {"loky": LokyExecutor, "threading": ThreadingExecutor, "sequential": SequentialExecutor}


@pytest.mark.parametrize("backend", KINDS)
def test_a_name_gives_its_executor(backend: str, tmp_path: Path) -> None:
    with opened(backend, 3, Workspace(tmp_path)) as executor:
        assert type(executor) is KINDS[backend]
        assert executor.slots == (1 if backend == "sequential" else 3)


def test_an_executor_is_closed_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(SequentialExecutor, "close", lambda _self: closed.append("closed"))
    with pytest.raises(ZeroDivisionError), opened("sequential", 1, Workspace(tmp_path)):
        _ = 1 / 0
    assert closed == ["closed"]


def test_jobs_are_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "available_cores", lambda: 7)
    for backend in ("loky", "threading", "dask"):
        assert jobs_of(backend, -1, None) == 7
        assert jobs_of(backend, 3, None) == 3
    assert jobs_of("sequential", -1, None) == jobs_of("sequential", 1, None) == 1
    assert jobs_of("dask", -1, "tcp://here:1") == 7


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            ("lokey", 1, None),
            (
                f"`backend` must be one of {', '.join(BACKENDS)}, but is 'lokey'. "
                "Did you mean 'loky'?"
            ),
        ),
        (
            ("loky", 1, "tcp://here:1"),
            "A scheduler is for the backend dask, but `backend` is loky.",
        ),
        (("loky", 0, None), "`jobs` must be at least 1, or -1 for all cores, but is 0."),
        (("loky", -2, None), "`jobs` must be at least 1, or -1 for all cores, but is -2."),
        (("loky", 10**4, None), "`jobs` must be at most 56, 8 for each core, but is 10000."),
        (("sequential", 2, None), "The backend sequential has one job, but `jobs` is 2."),
    ],
)
def test_what_does_not_go_together_is_refused(
    asked: tuple[str, int, str | None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "available_cores", lambda: 7)
    with pytest.raises(UsageError) as refused:
        jobs_of(*asked)
    assert str(refused.value) == text
