"""Processes: none outlives its parent, Ctrl-C is the driver's, an end has a name."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from sweeps import processes
from sweeps.processes import ending, start_worker, unreachable_by_ctrl_c

pytestmark = pytest.mark.slow

FAMILY = """
import os, subprocess, sys, time
child = '''
import os, sys, time
from sweeps import processes
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


def test_where_the_system_does_not_tell_the_worker_looks(
    killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Thread:
        def __init__(self, **keys: Any) -> None:
            self.keys = keys

        def start(self) -> None:
            with pytest.raises(InterruptedError):
                self.keys["target"](*self.keys["args"])

    def pause(_seconds: float) -> None:
        raise InterruptedError

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(processes.threading, "Thread", Thread)
    monkeypatch.setattr(processes.time, "sleep", pause)
    start_worker(-1)
    assert killed == [(os.getpid(), signal.SIGKILL)] * 2


def test_processes_started_meanwhile_never_see_ctrl_c() -> None:
    child = [sys.executable, "-c", "import signal; print(signal.pthread_sigmask(0, []))"]
    with unreachable_by_ctrl_c():
        found = subprocess.run(child, capture_output=True, text=True, check=True).stdout
    assert "SIGINT" in found


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
