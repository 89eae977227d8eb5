"""Messages and exit codes."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.errors import KEPT, Problem, SpecificationError, did_you_mean, refusal, shown


def test_every_problem_has_its_line() -> None:
    problems = [Problem("a", "is 1."), Problem("b[2]", "is 3.")]
    assert str(SpecificationError("x.toml", problems)) == "x.toml: a: is 1.\nx.toml: b[2]: is 3."


def test_only_problems_with_the_data_exit_as_such() -> None:
    of_data, other = Problem("a", "x", about_data=True), Problem("b", "y")
    assert SpecificationError("x", [of_data]).exit_code == 3
    assert SpecificationError("x", [of_data, other]).exit_code == 2


def test_values_are_cut_and_escaped() -> None:
    assert shown("a\x1b[31m") == "'a\\x1b[31m'"
    assert shown("x" * 100) == "'" + "x" * 78 + "…"


def test_no_suggestion_where_nothing_is_close() -> None:
    assert did_you_mean("zzz", ["batch_sizes"]) == ""


def refused(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (refused(errno.EMFILE), "`ulimit -n`"),
        (refused(errno.ENOSPC, "a/b.csv"), "a/b.csv: No space left on device. "),
        (MemoryError(), "`bpsweep plan`"),
        (RuntimeError("can't start new thread"), "can't start new thread. "),
        (RuntimeError("can't start new thread"), "`ulimit -u`"),
    ],
)
def test_what_the_system_refuses_is_reported_with_a_remedy(error: Exception, text: str) -> None:
    assert text in refusal(error)
    assert KEPT in refusal(error)


@pytest.mark.parametrize("error", [refused(errno.EISDIR), ValueError("x"), ImportError("x")])
def test_other_errors_are_no_refusals(error: Exception) -> None:
    assert refusal(error) == ""


def test_a_library_that_does_not_load_in_a_limited_address_space_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (2**31, resource.RLIM_INFINITY))
    for error in (ImportError("failed to map segment"), SystemError("error return")):
        assert refusal(error).startswith("There is not enough memory.")
    assert refusal(ValueError("x")) == ""


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
from sweeps.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("files", "codes"), [(40, {0}), (20, {6, 7}), (14, {6, 7})])
def test_a_low_limit_of_open_files_is_reported(files: int, codes: set[int], small: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(files), "run", str(small), "--jobs", "2"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=small.parent)
    assert ended.returncode in codes, ended.stderr
    if ended.returncode:
        assert "ulimit -n" in ended.stderr
        assert "internal error" not in ended.stderr
