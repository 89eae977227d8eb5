"""The lock of a study's folder: one run at a time, freed by any end."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from refused import entered, refusal, states

from sweeps.errors import OwnedError, ResourceError, StoreError
from sweeps.store import lock
from sweeps.store.lock import LOCK, Owner, locked, owner_of

HOLD = """
import sys, time
from pathlib import Path
from sweeps.store.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_TRY_SECONDS", 0.001)


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_refused_with_number_machine_and_time(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        owner = owner_of(tmp_path)
        assert owner
        assert (owner.pid, owner.host) == (process.pid, platform.node())
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", owner.since)
        text = refusal(entered, locked(tmp_path), error=OwnedError)
        process.kill()
    states(text, tmp_path, f"process {process.pid} on {platform.node()} since {owner.since}")


def test_what_a_killed_process_leaves_is_harmless(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    assert str(process.pid) in (tmp_path / LOCK).read_text()
    assert owner_of(tmp_path) is None
    with locked(tmp_path):
        owner = owner_of(tmp_path)
        assert owner
        assert owner.pid == os.getpid()


def test_nobody_is_named_after_a_run(tmp_path: Path) -> None:
    assert owner_of(tmp_path) is None
    with locked(tmp_path):
        pass
    assert owner_of(tmp_path) is None
    assert (tmp_path / LOCK).read_bytes() == b""


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"pid": 1, "host": "a"', b"7"])
def test_an_owner_that_cannot_be_read_is_unknown(tmp_path: Path, content: bytes) -> None:
    with locked(tmp_path):
        (tmp_path / LOCK).write_bytes(content)
        assert owner_of(tmp_path) == Owner(0, "an unknown machine", "an unknown time")


def test_control_characters_of_a_lock_are_escaped(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / LOCK).write_text('{"pid": 1, "host": "\\u001b[2J", "since": "now"}')
        assert str(owner_of(tmp_path)) == "process 1 on \\x1b[2J since now"


def test_a_run_waits_for_those_who_only_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LOCK).touch()
    with (tmp_path / LOCK).open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda _seconds: fcntl.flock(looking, fcntl.LOCK_UN))
        with locked(tmp_path):
            pass


def test_a_folder_that_cannot_be_locked_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    text = refusal(entered, locked(tmp_path), error=ResourceError)
    states(text, tmp_path, "No locks available.")


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text('{"pid": 1, "host": "a", "since": "now"}')
    (tmp_path / LOCK).symlink_to(tmp_path / "precious")
    text = refusal(entered, locked(tmp_path), error=StoreError)
    states(text, f"{tmp_path / LOCK} is a symbolic link", f"`rm {tmp_path / LOCK}`")
    assert (tmp_path / "precious").read_text()
    assert owner_of(tmp_path) is None


def test_a_folder_without_room_for_a_lock_is_reported(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    text = refusal(entered, locked(tmp_path), error=ResourceError)
    states(text, tmp_path, "Is a directory.")
