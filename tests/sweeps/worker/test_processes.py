"""Processes: none outlives its parent, Ctrl-C is the driver's, an end has a name."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from refused import refusal, states

from sweeps.errors import EnvironmentFailedError
from sweeps.worker import processes
from sweeps.worker.processes import (
    check_address_space,
    diverted,
    ending,
    limits,
    start_worker,
    unreachable_by_ctrl_c,
)

pytestmark = pytest.mark.slow

FAMILY = """
import os, subprocess, sys, time
child = '''
import os, sys, time
from sweeps.worker import processes
{patch}
processes.start_worker(int(sys.argv[1]))
print("ready", os.getpid(), flush=True)
time.sleep(60)
'''
subprocess.Popen([sys.executable, "-c", child, str(os.getpid())])
time.sleep(60)
"""


@pytest.mark.parametrize("patch", ["", "processes.sys.platform = 'darwin'"])
def test_a_worker_ends_with_its_parent(patch: str) -> None:
    code = FAMILY.format(patch=patch)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("ready")
        parent.kill()
        # The pipe closes when the last process that could write to it has ended.
        reader = threading.Thread(target=parent.stdout.read, daemon=True)
        reader.start()
        reader.join(timeout=2)
        assert not reader.is_alive()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return a list that gets the signals this process would have got, and protect it."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *signal: sent.append(signal))
    monkeypatch.setattr(signal, "signal", lambda *_handler: None)

    class Library:
        def prctl(self, *_arguments: int) -> None:
            """Do nothing: this process is to outlive the test."""

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Library())
    return sent


def test_a_worker_whose_parent_died_before_it_was_watched_ends(
    killed: list[tuple[int, int]],
) -> None:
    start_worker(os.getppid())
    assert not killed
    start_worker(-1)
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_processes_started_meanwhile_never_see_ctrl_c() -> None:
    child = [sys.executable, "-c", "import signal; print(signal.pthread_sigmask(0, []))"]
    with unreachable_by_ctrl_c():
        output = subprocess.run(child, capture_output=True, text=True, check=True).stdout
    assert "SIGINT" in output


def test_ctrl_c_is_not_lost_meanwhile() -> None:
    blocked = unreachable_by_ctrl_c()
    blocked.__enter__()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        blocked.__exit__(None, None, None)


def test_an_end_is_named() -> None:
    assert ending(-11) == "SIGSEGV"
    assert ending(0) == "exit code 0"
    assert ending(-250) == "signal 250"


def test_processes_that_are_started_meanwhile_write_to_the_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-c", "import sys; print('out'); sys.stdout.flush(); 1 / 0"]
    with (tmp_path / "file").open("wb") as file, diverted(file.fileno()):
        subprocess.run(command, check=False)
    assert (tmp_path / "file").read_text().startswith("out\nTraceback")
    assert capfd.readouterr() == ("", "")
    sys.stderr.write("words")
    assert capfd.readouterr().err == "words"


def test_nothing_is_diverted_from_a_stream_that_is_closed() -> None:
    code = (
        "import os, sys; from sweeps.worker.processes import diverted\n"
        "file = os.open(os.devnull, 2)\n"
        "os.close(2)\n"
        "with diverted(file): pass\n"
        "try: os.fstat(2)\n"
        "except OSError: print('still closed')"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"still closed\n"


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), resource.RLIM_INFINITY))
from sweeps.cli.main import main
sys.argv = ["bpsweep", "plan", "digits"]
sys.exit(main())
"""


def test_too_small_an_address_space_is_reported_with_its_limit() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(600_000 * 2**10)], capture_output=True, check=False
    )
    assert done.returncode == 7
    states(done.stderr.decode(), "600000 KiB (RLIMIT_AS)", "1048576", "`ulimit -v unlimited`")


def test_limits_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_NPROC)
    values = dict(zip(kinds, (1024, 2**31, 7), strict=True))
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (values[kind], -1))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(processes, "_CONTROL_GROUPS", tmp_path)
    (tmp_path / "pids.max").write_text("max\n")
    assert "pids.max" not in limits()
    (tmp_path / "pids.max").write_text("9\n")
    states(limits(), "1024 open files (`ulimit -n`)", "2147483648 bytes", "`ulimit -v`")
    states(limits(), "7 processes", "`ulimit -u`", "9 processes", "pids.max")
    check_address_space()
    values[resource.RLIMIT_AS] = 2**29
    refusal(check_address_space, error=EnvironmentFailedError)
    values.update(dict.fromkeys(values, resource.RLIM_INFINITY))
    check_address_space()
    assert limits().startswith("9 processes")
